"""From the users who took an item to its row of the table: the best linear estimate, shrunk by how many there are.

A trained row v lies in the direction of the users who take the item: of the mean m of their hidden states. Of a new
item only the mean h of n states is known. Over the trained items,

    v = a + C B⁻¹ (m - b) + …        and    h = m + noise / √n,

with the covariances C of v and m, B of m, and W of the states of one item estimated from them. So the best linear
estimate is a + C (B + W/n)⁻¹ (h - b): all of C B⁻¹ for many users, nothing of it for none. Here a and b are what is
expected of an item without looking at its users: by its count, and by its features where there are any. The covariances
are those of what that leaves, so each source is weighed by what it is worth.

Source: the best linear unbiased prediction of a mixed model (Henderson 1975), with moments from a one-way layout.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RowEstimate", "fit"]

SMALLEST = 1e-6  # Eigenvalue relative to the largest; below it a direction counts as one in which nothing varies.


@dataclass(frozen=True, slots=True)
class RowEstimate:
    """The map from the states of an item's users to its row."""

    basis: NDArray[np.float64]
    """(D, D). Directions in which W is 1 and B diagonal."""
    between: NDArray[np.float64]
    """(D,). B in each direction, in units of W: an item with 1 / that many states is moved half of the way."""
    back: NDArray[np.float64]
    """(D, D). C in these directions: from them to rows."""

    def rows(self, surprises: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what to add to the expected rows of items, (I, D).

        Args:
            surprises: h - b, (I, D): how far the mean state of each item's users lies from the expected one.
            counts: n, (I,). Of how many states that is the mean; with 0 nothing is added, whatever the first holds.
        """
        seen = counts[:, None] > 0
        turned = np.where(seen, surprises, 0.0) @ self.basis
        shrunk: NDArray[np.float64] = turned / (self.between + 1 / np.maximum(counts, 1)[:, None])
        return shrunk @ self.back


def fit(
    rows: NDArray[np.float64], states: NDArray[np.float64], counts: NDArray[np.float64], within: NDArray[np.float64]
) -> RowEstimate:
    """Return the estimate that trained items teach.

    Args:
        rows: v - a, (I, D). What their rows have beyond what is expected.
        states: h - b, (I, D). The same of the mean states of their users.
        counts: (I,). Of how many states, at least 1.
        within: W, (D, D). Covariance of the states of one item.
    """
    if not within.any():  # no item has two states: all that differs counts as noise
        within = states.T @ (states * counts[:, None]) / len(states)
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(np.maximum(values, max(SMALLEST * float(values[-1]), SMALLEST**2)))
    whitened = states @ white
    spread, turn = np.linalg.eigh(whitened.T @ whitened / len(states))
    between = np.maximum(spread - float((1 / counts).mean()), 0.0)  # what is left without the noise
    back = (whitened @ turn).T @ rows / len(states)
    # No covariance is larger than the variances allow; where all is noise, it is 0.
    most = np.sqrt(between * np.square(rows).sum(axis=1).mean())
    back *= np.minimum(1.0, most / np.maximum(np.linalg.norm(back, axis=1), np.finfo(float).tiny))[:, None]
    return RowEstimate(white @ turn, between, back)
