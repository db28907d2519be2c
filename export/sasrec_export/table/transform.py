"""The basis in which a table is held: its integers are coordinates there, ``row = times(coordinates, basis)``.

A score is ``times(user, basis) · coordinates``, so any basis gives the same scores but for rounding. A vector (D,)
stands for a diagonal one, a width for each dimension; a matrix (D, D) is symmetric: rows and users take it alike.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["cost_in", "inverse", "power", "symmetric", "times"]

FLOOR = 1e-2
"""Least spread of a direction, as a share of the mean: none is blown up beyond measure."""


def times(rows: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows (…, D) times the basis."""
    product: NDArray[np.float32] = rows * basis if basis.ndim == 1 else rows @ basis
    return product


def inverse(basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the basis that undoes it."""
    undone: NDArray[np.float32] = (1 / basis if basis.ndim == 1 else np.linalg.inv(basis)).astype(np.float32)
    return undone


def cost_in(basis: NDArray[np.float32], cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what an error of coordinates costs, where one of rows costs ``e' cost e``."""
    changed: NDArray[np.float64] = cost * np.outer(basis, basis) if basis.ndim == 1 else basis @ cost @ basis
    return changed


def power(moment: NDArray[np.float64], exponent: float) -> NDArray[np.float32]:
    """Return the moment, (D,) of dimensions or (D, D), to a power, scaled so that its determinant is 1."""
    if moment.ndim == 1:
        spread, directions = moment, None
    else:
        spread, directions = np.linalg.eigh(moment)
    raised = np.maximum(spread, max(FLOOR * spread.mean(), 1e-30)) ** exponent
    raised /= np.exp(np.log(raised).mean())
    return (raised if directions is None else symmetric(directions * raised @ directions.T)).astype(np.float32)


def symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix without what rounding has made of its symmetry."""
    half: NDArray[np.float64] = (matrix + matrix.T) / 2
    return half
