"""Negative sampling: exact uniform draws outside a user's history, and draws that all positions of a step share."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories

__all__ = ["NO_NEGATIVE", "Negatives", "SharedNegatives"]

NO_NEGATIVE = 0  # Fills the row of a user who has had nearly every item.


class Negatives:
    """Uniform draws from the items outside each user's history.

    The r-th item outside a sorted history h is r + 1 + |{j : h[j] - j - 1 ≤ r}|, so a draw is one random number
    and one binary search, and never has to be rejected.

    Args:
        histories: What each user has had, one row per user.
        n_items: Catalogue size without the padding id.
    """

    def __init__(self, histories: Histories, n_items: int):
        self._n_items = n_items
        self._stride = n_items + 1
        seen = np.unique(histories.rows() * self._stride + histories.item_ids)  # sorted by user, then item
        user = seen // self._stride
        had = np.bincount(user, minlength=len(histories))
        self._starts = np.cumsum(had) - had
        self.counts: NDArray[np.int64] = n_items - had
        """(U,). Items outside each history."""
        index = np.arange(seen.size) - self._starts[user]
        self._gaps = user * self._stride + seen % self._stride - index - 1

    def sample(self, rng: np.random.Generator, users: NDArray[np.int64], size: int) -> NDArray[np.int32]:
        """Return int32 (len(users), size) draws with replacement; NO_NEGATIVE where a user has had every item.

        Args:
            rng: Source of the draws.
            users: (B,). Rows of the histories.
            size: Draws per user.
        """
        counts = self.counts[users][:, None]
        draws = rng.integers(0, np.maximum(counts, 1), (len(users), size))
        return np.where(counts > 0, self._outside(users, draws), NO_NEGATIVE).astype(np.int32)

    def sample_distinct(self, rng: np.random.Generator, users: NDArray[np.int64], size: int) -> NDArray[np.int32]:
        """Return int32 (len(users), size) different items per user; NO_NEGATIVE after the last where there are fewer.

        Source: Floyd's sampling, Bentley 1987 ("A sample of brilliance"), for all users at once.
        """
        counts = self.counts[users]
        taken = np.full((len(users), size), -1, np.int64)
        for i in range(size):
            top = np.maximum(counts, size) - size + i  # the largest number that may be drawn now
            draw = rng.integers(0, top + 1)
            taken[:, i] = np.where((taken[:, :i] == draw[:, None]).any(axis=1), top, draw)
        enough = (counts >= size)[:, None]
        everything = np.arange(size)[None, :]
        ordinals = np.where(enough, taken, everything)
        items = self._outside(users, np.minimum(ordinals, np.maximum(counts - 1, 0)[:, None]))
        return np.where(ordinals < counts[:, None], items, NO_NEGATIVE).astype(np.int32)

    def _outside(self, users: NDArray[np.int64], ordinals: NDArray[np.int64]) -> NDArray[np.int64]:
        """The ordinal-th item (from 0) outside each user's history."""
        smaller = np.searchsorted(self._gaps, users[:, None] * self._stride + ordinals, side="right")
        return ordinals + 1 + smaller - self._starts[users][:, None]


class SharedNegatives:
    """Draws from the whole catalogue, for a whole step at once; whoever's target is among them masks it.

    Args:
        histories: What is learned from; counts of its items are their popularity.
        n_items: Catalogue size without the padding id.
        sampling: `uniform`, or `popularity`: in proportion to count + 1, so that nothing is never drawn.
    """

    def __init__(self, histories: Histories, n_items: int, sampling: Literal["uniform", "popularity"]):
        weights = np.ones(n_items + 1)
        if sampling == "popularity":
            weights += np.bincount(histories.item_ids, minlength=n_items + 1)
        weights[0] = 0.0
        self._cumulative = np.cumsum(weights)
        with np.errstate(divide="ignore"):
            logs = np.log(weights / self._cumulative[-1])
        logs[0] = 0.0  # padding is never drawn; finite, as it may be read
        self.log_probabilities: NDArray[np.float32] = logs.astype(np.float32)
        """(V,). Log of the chance of each id in one draw."""

    def sample(self, rng: np.random.Generator, size: int) -> NDArray[np.int32]:
        """Return int32 (size,) item ids, drawn with replacement by inverse transform sampling."""
        # A draw that rounds up to the total would lie after the last item.
        draws = rng.random(size) * self._cumulative[-1]
        items = np.minimum(np.searchsorted(self._cumulative, draws, side="right"), self._cumulative.size - 1)
        return np.asarray(items, np.int32)
