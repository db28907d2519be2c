"""An interaction log in memory: every user's history as item ids, and the keys the ids stand for."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.filters import Filters

__all__ = ["Histories", "Interactions", "Times"]

Times = NDArray[np.int64] | NDArray[np.float64]
"""Numbers that sort in time order, in the unit of the log; microseconds since 1970 where it holds dates."""


@dataclass(frozen=True, slots=True)
class Histories:
    """Many histories in two flat arrays (compressed sparse rows)."""

    offsets: NDArray[np.int64]
    """(U + 1,). History u is item_ids[offsets[u]:offsets[u + 1]]."""
    item_ids: NDArray[np.int32]
    """Item ids, each in [1, n_items]; oldest first within a history."""

    @classmethod
    def from_lists(cls, histories: Iterable[Iterable[int]]) -> Self:
        """Return the flat form of histories given as sequences of item ids."""
        rows = [np.fromiter(history, np.int32) for history in histories]
        return cls.from_lengths([row.size for row in rows], np.concatenate([*rows, np.empty(0, np.int32)]))

    @classmethod
    def from_lengths(cls, lengths: NDArray[np.int64] | list[int], item_ids: NDArray[np.int32]) -> Self:
        """Return histories of the given lengths, laid one after the other in `item_ids`."""
        return cls(np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64), item_ids)

    def __len__(self) -> int:
        return self.offsets.size - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        if not 0 <= row < len(self):
            raise IndexError(f"history {row} does not exist, expected a row in [0, {len(self)}).")
        return self.item_ids[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(U,). Items in each history."""
        return np.diff(self.offsets)

    def rows(self) -> NDArray[np.int64]:
        """Return the history each entry of `item_ids` belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: NDArray[np.int64], *, without_last: int | NDArray[np.int64] = 0) -> "Histories":
        """Return the chosen histories in that order, each without its newest items.

        Args:
            rows: (R,). Rows of this object.
            without_last: Items removed from the end of each, one number or (R,); at most the history's length.
        """
        lengths = self.lengths[rows] - without_last
        short = Histories.from_lengths(lengths, np.empty(0, np.int32))
        within = np.arange(short.offsets[-1]) - np.repeat(short.offsets[:-1], lengths)
        return Histories(short.offsets, self.item_ids[np.repeat(self.offsets[:-1][rows], lengths) + within])

    def up_to(self, item_id: int) -> "Histories":
        """Return the histories without the items of higher ids."""
        kept = self.item_ids <= item_id
        if kept.all():
            return self
        return Histories.from_lengths(np.bincount(self.rows()[kept], minlength=len(self)), self.item_ids[kept])

    def append(self, item_ids: NDArray[np.int32]) -> "Histories":
        """Return the histories with one more item each, (U,), as the newest."""
        return Histories.from_lengths(self.lengths + 1, np.insert(self.item_ids, self.offsets[1:], item_ids))


@dataclass(frozen=True, slots=True)
class Interactions:
    """A log: who interacted with what, in which order."""

    name: str
    """Name of the log, as given on the command line."""
    user_keys: list[str]
    """The caller's key of each row of `histories`."""
    item_keys: list[str]
    """The caller's key of item id i is item_keys[i - 1]."""
    titles: list[str] | None
    """Names to show, aligned with item_keys, "" where unknown; None where the log has none."""
    histories: Histories
    """One history per user."""
    times: Times | None = None
    """Time of each entry of histories.item_ids, rising within a history; None where the log does not say."""
    filters: Filters = field(default_factory=Filters)
    """The filters that were applied."""

    @property
    def n_items(self) -> int:
        """Catalogue size without the padding id."""
        return len(self.item_keys)

    @property
    def sha256(self) -> str:
        """Hex digest of histories and keys: equal for equal logs, whatever file they came from."""
        digest = hashlib.sha256()
        for keys in (self.user_keys, self.item_keys):
            digest.update("\n".join(keys).encode())
            digest.update(b"\0")
        digest.update(self.histories.offsets.astype("<i8").tobytes())
        digest.update(self.histories.item_ids.astype("<i4").tobytes())
        return digest.hexdigest()
