"""Where items begin that a RUN does not know: as trained items of their popularity lie, seen from those who took them.

The direction of those who took an item cannot be its vector: all users have much in common, so that such an item would
stand at the top of everybody's list. A trained item of few interactions even points away from the mean user. So the
vector of a new item has three parts, each as large as in trained items: along the mean user (by popularity), along what
tells its takers from the mean user, and along the initialiser's direction, which is the rest.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories
from sasrec_train.warm_start import takers
from sasrec_train.warm_start.matching import ItemMatch
from sasrec_train.warm_start.takers import unit

__all__ = ["place"]

MOST_TAKERS = 64  # Of a new item: more change a mean of directions little.
SAMPLE_TAKERS = 16  # Of a trained item that shows how far items lie towards their takers.
SAMPLE_ITEMS = 200  # Such items, spread over all popularities.
SAMPLE_USERS = 2000  # Users whose mean is taken.
NEIGHBOURS = 50  # Trained items of the most similar popularity that are averaged.


def place(table: NDArray[np.float32], train: Histories, match: ItemMatch, network: Any) -> int:
    """Move the rows of new items that somebody took; the others stay where the initialiser put them.

    Args:
        table: (V, D), the rows of the embedding in the ids of the log. New items' rows are changed.
        train: What may be learned from, in the ids of the log.
        match: The items of log and RUN.
        network: The SASRec of the RUN, in its own ids.

    Returns:
        How many rows were moved.
    """
    if not match.new_ids.size or not (train.lengths > 0).any():
        return 0
    mean = _mean_user(train, match, network)
    directions = takers.mean_directions(match.new_ids, train, match.old_ids, network, most=MOST_TAKERS)
    was_asked = directions.any(axis=1)
    items, directions = match.new_ids[was_asked], _across(directions[was_asked], mean)

    popularity = _Popularity(train, match)
    along = popularity.mean(unit(table) @ mean, items)[:, None]  # (N, 1)
    rest = np.sqrt(np.maximum(1 - along**2, 0))  # length of what is not along the mean user
    towards = np.minimum(_towards_takers(table, train, match, network, mean), rest)
    initial = _across(table[items], mean)
    initial = unit(initial - (initial * directions).sum(axis=1, keepdims=True) * directions)
    placed = along * mean + towards * directions + np.sqrt(np.maximum(rest**2 - towards**2, 0)) * initial
    table[items] = unit(placed) * popularity.mean(np.linalg.norm(table, axis=1), items)[:, None]
    return int(items.size)


def _mean_user(train: Histories, match: ItemMatch, network: Any) -> NDArray[np.float32]:
    """Return the direction of the mean of users' directions, (D,)."""
    users = np.flatnonzero(train.lengths)
    users = users[:: -(-users.size // SAMPLE_USERS)]
    histories = takers.in_ids_of_run(train.take(users), match.old_ids)
    directions = takers.user_directions(network, histories.take(np.flatnonzero(histories.lengths)))
    return unit(directions.sum(axis=0))


def _across(vectors: NDArray[np.float32], mean: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the directions (N, D) of what is left of vectors without their part along the mean user."""
    return unit(vectors - (vectors @ mean)[:, None] * mean)


def _towards_takers(
    table: NDArray[np.float32], train: Histories, match: ItemMatch, network: Any, mean: NDArray[np.float32]
) -> float:
    """Return how far trained items lie towards what tells their takers from the mean user, as a cosine from 0 up."""
    counts = np.bincount(train.item_ids, minlength=len(table))
    taken = np.flatnonzero((match.old_ids > 0) & (counts > 0))
    if not taken.size:
        return 0.0
    sample = taken[np.argsort(counts[taken], kind="stable")][:: -(-taken.size // SAMPLE_ITEMS)]
    directions = takers.mean_directions(sample, train, match.old_ids, network, most=SAMPLE_TAKERS)
    asked = directions.any(axis=1)
    if not asked.any():
        return 0.0
    cosines = (unit(table[sample[asked]]) * _across(directions[asked], mean)).sum(axis=1)
    return max(0.0, float(cosines.mean()))


class _Popularity:
    """The trained items in the order of their popularity."""

    def __init__(self, train: Histories, match: ItemMatch):
        self._counts = np.bincount(train.item_ids, minlength=match.old_ids.size)
        kept = np.flatnonzero(match.old_ids > 0)
        self._kept = kept[np.argsort(self._counts[kept], kind="stable")]

    def mean(self, values: NDArray[np.float32], items: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean of the values (V,) of the trained items whose counts are next to those of `items`, (N,)."""
        sums = np.concatenate([[0.0], np.cumsum(values[self._kept], dtype=np.float64)])
        middle = np.searchsorted(self._counts[self._kept], self._counts[items])
        first = np.clip(middle - NEIGHBOURS // 2, 0, max(0, self._kept.size - NEIGHBOURS))
        last = np.minimum(first + NEIGHBOURS, self._kept.size)
        return np.asarray((sums[last] - sums[first]) / (last - first), np.float32)
