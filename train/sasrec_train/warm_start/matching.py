"""Which items of a log a RUN knows already, by their keys."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.errors import DataError

__all__ = ["NEW", "ItemMatch", "match"]

NEW = -1


@dataclass(frozen=True, slots=True)
class ItemMatch:
    """The items of a log beside those of a RUN."""

    old_ids: NDArray[np.int64]
    """(V,). Id in the RUN of each id of the log, NEW (-1) where the RUN does not know the item; 0 for padding."""
    vanished: int
    """Items of the RUN that are not in the log."""

    @property
    def is_kept(self) -> NDArray[np.bool_]:
        """(V,). Whether the RUN has a row of the item, that of padding included."""
        return np.asarray(self.old_ids != NEW)

    @property
    def new_ids(self) -> NDArray[np.int64]:
        """(N,). Ids of the log that the RUN does not know."""
        return np.flatnonzero(~self.is_kept)

    def rows(self, old: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return rows of an array of the RUN (V of the RUN, …) in the order of the log, zeros for new items."""
        taken = old[np.maximum(self.old_ids, 0)]
        taken[~self.is_kept] = 0
        return taken


def match(old_keys: list[str], keys: list[str], *, run: str, log: str) -> ItemMatch:
    """Match the items of a log with those of a RUN.

    Args:
        old_keys: Item keys of the RUN, in the order of its ids.
        keys: Item keys of the log, in the order of its ids.
        run: What the RUN is called in the message.
        log: What the log is called in the message.

    Raises:
        DataError: They have no item in common.
    """
    place = {key: i for i, key in enumerate(old_keys, 1)}
    old_ids = np.array([0, *(place.get(key, NEW) for key in keys)], np.int64)
    kept = int(np.count_nonzero(old_ids > 0))
    if not kept:
        raise DataError(
            f"{log} and {run} have no item key in common (the first of the log is {keys[0]!r:.40}, that of the RUN "
            f"is {old_keys[0]!r:.40}). Give the RUN of an earlier log of the same catalogue, or check --item-column."
        )
    return ItemMatch(old_ids, len(old_keys) - kept)
