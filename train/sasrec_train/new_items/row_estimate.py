"""From the users who took an item to its row of the table: the best linear estimate, shrunk by how many there are.

A trained row v lies in the direction of the users who take the item: of the mean m of their hidden states. Of a new
item only the mean h of n states is known. Over the trained items,

    v = a + C (m - b) + …        and    h = m + noise / √n,

with C and the covariances B of m and W of the states of one item estimated from them. So the best linear estimate is
a + C (B + W/n)⁻¹ (h - b): all of C B⁻¹ for many users, nothing of it for none. With features, a and b are what the
features predict, and the covariances those of the prediction's errors, so that both sources are weighed by what they
are worth.

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

    row: NDArray[np.float64]
    """a, (D,). The row of an item about which nothing is known."""
    state: NDArray[np.float64]
    """b, (D,). The mean state that belongs to it."""
    basis: NDArray[np.float64]
    """(D, D). Directions in which W is 1 and B diagonal."""
    between: NDArray[np.float64]
    """(D,). B in each direction, in units of W: an item with 1 / that many states is moved half of the way."""
    back: NDArray[np.float64]
    """(D, D). C in these directions: from them to rows."""

    def rows(
        self,
        states: NDArray[np.float64],
        counts: NDArray[np.float64],
        prior_rows: NDArray[np.float64] | None = None,
        prior_states: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Return rows of the table, (I, D).

        Args:
            states: (I, D). Mean hidden state of the users of each item, anything where there are none.
            counts: (I,). How many states that is the mean of; 0 gives the prior.
            prior_rows: (I, D). What features say of the rows; the mean of all by default.
            prior_states: (I, D). What they say of the mean states.
        """
        a = self.row if prior_rows is None else prior_rows
        b = self.state if prior_states is None else prior_states
        seen = counts[:, None] > 0
        surprise = np.where(seen, states - b, 0.0) @ self.basis
        noise = 1 / np.maximum(counts, 1)[:, None]
        shrunk: NDArray[np.float64] = surprise * np.where(seen, 1 / (self.between + noise), 0.0)
        return a + shrunk @ self.back


def fit(
    rows: NDArray[np.float64],
    states: NDArray[np.float64],
    counts: NDArray[np.float64],
    within: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    centred: bool = False,
) -> RowEstimate:
    """Return the estimate that trained items teach.

    Args:
        rows: (I, D). Their rows, or errors of a prediction of them.
        states: (I, D). The mean states of their users, or errors of a prediction of them.
        counts: (I,). Of how many states, at least 1.
        within: W, (D, D). Covariance of the states of one item.
        weights: (I,). How much each item counts.
        centred: The first two are errors of a prediction, so their means are 0.
    """
    weights = weights / weights.sum()
    row, state = (np.zeros(rows.shape[1]), np.zeros(rows.shape[1])) if centred else (weights @ rows, weights @ states)
    deviations = states - state
    if not within.any():  # no item has two states: all that differs counts as noise
        within = deviations.T @ (deviations * (weights * counts)[:, None])
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(np.maximum(values, max(SMALLEST * float(values[-1]), SMALLEST**2)))
    deviations = deviations @ white
    moment = deviations.T @ (deviations * weights[:, None])
    spread, turn = np.linalg.eigh(moment)
    between = np.maximum(spread - float((weights / counts).sum()), 0.0)  # what is left without the noise
    centred_rows = rows - row
    back = (deviations @ turn).T @ (centred_rows * weights[:, None])
    # No covariance is larger than the variances allow; where all is noise, it is 0.
    most = np.sqrt(between * (np.square(centred_rows).sum(axis=1) @ weights))
    length = np.linalg.norm(back, axis=1)
    back *= np.minimum(1.0, most / np.maximum(length, np.finfo(float).tiny))[:, None]
    return RowEstimate(row, state, white @ turn, between, back)
