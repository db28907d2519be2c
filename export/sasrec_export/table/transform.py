"""Equivalent transforms of the item table: ``row = stored row · T`` and ``score = (user · T) · stored row``.

A score is the same under any invertible symmetric T but for rounding, so T is chosen for what rounding costs. A vector
(D,) stands for a diagonal T, one factor per dimension (smoothing); a matrix (D, D) is symmetric and positive definite
(partial whitening, in its ZCA form); None is the identity.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Matrix", "apply", "hessian_in", "inverse", "moment_power", "symmetric"]

Matrix = NDArray[np.float32]
"""float32 (D,) or (D, D), see above."""

EIGENVALUE_FLOOR = 1e-2
"""Least eigenvalue of a moment, relative to the mean; it bounds the condition number of the transform."""


def apply(rows: NDArray[np.float32], transform: Matrix | None) -> NDArray[np.float32]:
    """Return rows times the transform, float32 (…, D) as given."""
    if transform is None:
        return rows
    product: NDArray[np.float32] = rows * transform if transform.ndim == 1 else rows @ transform
    return product


def inverse(transform: Matrix | None) -> Matrix | None:
    """Return the inverse transform, of the same shape; None stays None."""
    if transform is None:
        return None
    inverted: Matrix = (1 / transform if transform.ndim == 1 else np.linalg.inv(transform)).astype(np.float32)
    return inverted


def hessian_in(transform: Matrix, hessian: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Hessian of the stored rows, float64 (D, D): T H T, where that of the rows themselves is H.

    An error e of a stored row is the error ``e T`` of the row, which costs ``(e T) H (e T)'``.
    """
    if transform.ndim == 1:
        scaled: NDArray[np.float64] = hessian * np.outer(transform, transform)
        return scaled
    product: NDArray[np.float64] = transform @ hessian @ transform
    return product


def moment_power(moment: NDArray[np.float64], exponent: float) -> Matrix:
    """Return a second moment, (D,) of dimensions or (D, D), to a power, scaled so that its determinant is 1.

    The power of a matrix is that of its eigenvalues, ``V diag(λ^p) V'``: p = -1/2 is ZCA whitening (Kessy, Lewin &
    Strimmer 2018), 0 the identity, and what lies between them whitens in part.

    Args:
        moment: float64 (D,) or (D, D), symmetric, not negative.
        exponent: p.
    """
    if moment.ndim == 1:
        eigenvalues, eigenvectors = moment, None
    else:
        eigenvalues, eigenvectors = np.linalg.eigh(moment)
    # Directions that hardly occur in the sample would else be stretched without bound.
    raised = np.maximum(eigenvalues, max(EIGENVALUE_FLOOR * eigenvalues.mean(), 1e-30)) ** exponent
    # The geometric mean is the D-th root of the determinant. A common factor would only move into the rows' scales.
    raised /= np.exp(np.log(raised).mean())
    if eigenvectors is None:
        return raised.astype(np.float32)
    return symmetric(eigenvectors * raised @ eigenvectors.T).astype(np.float32)


def symmetric(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the symmetric part of a matrix that only rounding has made asymmetric."""
    half: NDArray[np.float64] = (matrix + matrix.T) / 2
    return half
