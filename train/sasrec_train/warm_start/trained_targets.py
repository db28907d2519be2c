"""Held-out items that a RUN has learned from: they would make the metrics of a warm start look better than they are."""

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.split import HeldOut
from sasrec_train.warm_start.matching import ItemMatch

__all__ = ["count"]


def count(held_out: HeldOut, log: Interactions, old_train: Histories, old_users: list[str], match: ItemMatch) -> int:
    """Return how many held-out items the RUN was trained on for the same user.

    An item that the user took again counts where the RUN learned it more often than the history before it says.

    Args:
        held_out: Held-out items of the log.
        log: The log.
        old_train: What the RUN was trained on, in its ids.
        old_users: User keys of the RUN.
        match: The items of both.
    """
    place = {key: i for i, key in enumerate(old_users)}
    old_rows = np.array([place.get(log.user_keys[user], -1) for user in held_out.users], np.int64)
    targets = match.old_ids[held_out.targets]
    both = (old_rows >= 0) & (targets > 0)
    if not both.any():
        return 0
    size = int(match.old_ids.max(initial=0)) + int(old_train.item_ids.max(initial=0)) + 1
    asked = old_rows * size + targets
    before = held_out.histories
    repeats = before.item_ids == np.repeat(held_out.targets, before.lengths)
    seen = np.bincount(before.rows()[repeats], minlength=len(before))
    trained_pairs = np.sort(old_train.rows() * size + old_train.item_ids)
    learned = _occurrences(trained_pairs, asked)
    return int(np.count_nonzero(both & (learned > seen)))


def _occurrences(ordered: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often each value is in an ordered array."""
    return np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values, side="left")
