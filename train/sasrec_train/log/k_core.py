"""The k-core of a log: its largest part whose users and items all have enough interactions."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sasrec_train.errors import DataError
from sasrec_train.log.filters import Filters
from sasrec_train.log.interactions import Histories, Interactions

__all__ = ["core", "keep_core"]

logger = logging.getLogger(__name__)


def keep_core(interactions: Interactions, filters: Filters) -> Interactions:
    """Return the log without the users and items that k_core and min_history filter; ids are assigned anew.

    Raises:
        DataError: Nothing remains.
    """
    least_of_items = filters.k_core or 1
    least_of_users = max(least_of_items, filters.min_history or 1)
    if least_of_users == 1:
        return interactions
    histories = interactions.histories
    rows = histories.rows()
    kept = core(rows, histories.item_ids, least_of_users=least_of_users, least_of_items=least_of_items)
    asked = " ".join(
        f"--{name} {value}"
        for name, value in (("k-core", filters.k_core), ("min-history", filters.min_history))
        if value is not None
    )
    if not kept.size:
        raise DataError(
            f"{interactions.name}: {asked} leaves nothing of {histories.item_ids.size} interactions of "
            f"{len(histories)} users with {interactions.n_items} items. Lower it."
        )
    smaller = _take(interactions, rows[kept], kept)
    logger.warning(
        "%s: filtered %d of %d interactions, %d of %d users and %d of %d items.",
        asked,
        histories.item_ids.size - kept.size,
        histories.item_ids.size,
        len(histories) - len(smaller.histories),
        len(histories),
        interactions.n_items - smaller.n_items,
        interactions.n_items,
    )
    return smaller


def core(
    users: NDArray[np.integer], items: NDArray[np.integer], *, least_of_users: int, least_of_items: int
) -> NDArray[np.int64]:
    """Return the interactions of the largest part of a log where all users and items have enough, in their order.

    Args:
        users: (N,). User of each interaction, a whole number from 0.
        items: (N,). Item of each interaction, the same.
        least_of_users: Interactions that every remaining user has, at least.
        least_of_items: Interactions that every remaining item has, at least.
    """
    kept = np.arange(users.size)
    while kept.size:
        enough = np.bincount(users[kept])[users[kept]] >= least_of_users
        enough &= np.bincount(items[kept])[items[kept]] >= least_of_items
        if enough.all():
            break
        kept = kept[enough]
    return kept


def _take(interactions: Interactions, rows: NDArray[np.int64], kept: NDArray[np.int64]) -> Interactions:
    histories = interactions.histories
    counts = np.bincount(rows, minlength=len(histories))
    item_ids = histories.item_ids[kept]
    present = np.bincount(item_ids, minlength=interactions.n_items + 1) > 0
    numbers = np.cumsum(present, dtype=np.int32)
    items = np.flatnonzero(present) - 1
    titles, times = interactions.titles, interactions.times
    return replace(
        interactions,
        user_keys=[interactions.user_keys[row] for row in np.flatnonzero(counts)],
        item_keys=[interactions.item_keys[item] for item in items],
        titles=None if titles is None else [titles[item] for item in items],
        histories=Histories.from_lengths(counts[counts > 0], numbers[item_ids]),
        times=None if times is None else times[kept],
    )
