"""Pieces of histories to learn from, and how they lie side by side in rows, without a loop over examples."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories

__all__ = ["Windows", "cut", "pack"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of histories to learn from; each holds end - start - 1 transitions."""

    users: NDArray[np.int64]
    """(W,). Row of the history."""
    starts: NDArray[np.int64]
    """(W,). Index of the oldest item in Histories.item_ids."""
    ends: NDArray[np.int64]
    """(W,). Index after the newest item, which is a target only."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(W,). Transitions in each window."""
        return self.ends - self.starts - 1


def cut(
    histories: Histories,
    max_len: int,
    windows: Literal["all", "last"],
    rng: np.random.Generator,
) -> Windows:
    """Return windows of at most max_len transitions.

    `last` keeps each history's newest window. `all` covers every transition exactly once: a history of more than
    max_len transitions is cut at a random offset, so that no position always falls on a cut.

    Args:
        histories: One history per user.
        max_len: Transitions of a window, at most.
        windows: `all` or `last`.
        rng: Source of the offsets.
    """
    transitions = histories.lengths - 1
    users = np.flatnonzero(transitions > 0)
    transitions, ends = transitions[users], histories.offsets[1:][users]
    if windows == "last":
        return Windows(users, ends - 1 - np.minimum(transitions, max_len), ends)
    # The newest window takes `newest` transitions, those before it max_len each, the oldest the remaining ones.
    newest = np.where(transitions > max_len, rng.integers(1, max_len + 1, users.size), max_len)
    pieces = 1 + -(-np.maximum(transitions - newest, 0) // max_len)
    owner = np.repeat(np.arange(users.size), pieces)
    nth = _index_within(pieces)  # 0 is the newest window
    last_target = transitions[owner] - np.where(nth > 0, newest[owner] + (nth - 1) * max_len, 0)
    size = np.minimum(np.where(nth > 0, max_len, newest[owner]), last_target)
    window_ends = ends[owner] - transitions[owner] + last_target
    return Windows(users[owner], window_ends - size - 1, window_ends)


def pack(
    lengths: NDArray[np.int64], groups: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the row and the column where each window starts, so that the windows of a group fill few rows.

    Each group is packed by itself, longest window first, into the first row it fits in (first-fit decreasing:
    at most 11/9 of the fewest rows, and usually under 1.03 of them). All groups are packed in parallel.

    Args:
        lengths: (W,), each in [1, width].
        groups: (W,), group of each window, ascending.
        width: Columns of a row.

    Returns:
        Rows, counted from 0 within each group, and columns, both (W,).

    Source: Johnson 1973 (first-fit decreasing).
    """
    if not lengths.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order = np.lexsort((-lengths, groups))  # by group, longest window first
    sizes = np.bincount(groups)
    rank = _index_within(sizes)  # of the sorted windows
    lengths_by_rank = np.zeros((int(sizes.max()), sizes.size), np.int64)  # [n, group]: the n-th longest, 0 for none
    lengths_by_rank[rank, groups[order]] = lengths[order]
    # Two used rows never fit into one, so at most one is half empty or less: under twice the rows of a full packing.
    max_rows = 2 * int(np.bincount(groups, lengths).max()) // width + 2
    free = np.full((sizes.size, max_rows), width)  # columns left in each row of each group
    every_group = np.arange(sizes.size)
    rows_by_rank, columns_by_rank = np.zeros_like(lengths_by_rank), np.zeros_like(lengths_by_rank)
    for n, length in enumerate(lengths_by_rank):
        row = np.argmax(free >= length[:, None], axis=1)  # the first that fits
        rows_by_rank[n], columns_by_rank[n] = row, width - free[every_group, row]
        free[every_group, row] -= length
    rows, columns = np.empty_like(lengths), np.empty_like(lengths)
    rows[order] = rows_by_rank[rank, groups[order]]
    columns[order] = columns_by_rank[rank, groups[order]]
    return rows, columns


def _index_within(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0, 1, … within each of consecutive groups of those sizes, (sum of sizes,)."""
    return np.asarray(np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes))
