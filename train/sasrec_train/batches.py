"""Training batches from flat histories: windows, left padding, targets and negatives, without a loop over examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sasrec_train.interactions import Histories
from sasrec_train.negatives import Negatives

__all__ = ["Batch", "Batches", "Windows", "cut", "left_padded"]

POOL = 64  # Batches whose windows are grouped by length together: long pools save padding, short ones shuffle better.
WIDTH_STEP = 8  # Batches are as wide as their longest window, rounded up, so that few shapes occur.


@dataclass(frozen=True, slots=True)
class Windows:
    """Pieces of histories to learn from; each holds end - start - 1 transitions."""

    users: NDArray[np.int64]
    """(W,). Row of the history."""
    starts: NDArray[np.int64]
    """(W,). Place of the oldest item in Histories.item_ids."""
    ends: NDArray[np.int64]
    """(W,). Place after the newest item, which is a target only."""


def cut(
    histories: Histories,
    max_len: int,
    windows: Literal["all", "last"],
    rng: np.random.Generator,
) -> Windows:
    """Return windows of at most max_len transitions.

    `last` keeps each history's newest window. `all` covers every transition exactly once: a history of more than
    max_len transitions is cut at a random offset, so that no position always falls on a cut.
    """
    transitions = histories.lengths - 1
    users = np.flatnonzero(transitions > 0)
    transitions, ends = transitions[users], histories.offsets[1:][users]
    if windows == "last":
        return Windows(users, ends - 1 - np.minimum(transitions, max_len), ends)
    # The newest window takes `newest` transitions, those before it max_len each, the oldest what is left.
    newest = np.where(transitions > max_len, rng.integers(1, max_len + 1, users.size), max_len)
    pieces = 1 + -(-np.maximum(transitions - newest, 0) // max_len)
    owner = np.repeat(np.arange(users.size), pieces)
    nth = np.arange(owner.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)  # 0 is the newest
    last_target = transitions[owner] - np.where(nth > 0, newest[owner] + (nth - 1) * max_len, 0)
    size = np.minimum(np.where(nth > 0, max_len, newest[owner]), last_target)
    window_ends = ends[owner] - transitions[owner] + last_target
    return Windows(users[owner], window_ends - size - 1, window_ends)


def left_padded(
    item_ids: NDArray[np.int32],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    width: int,
) -> NDArray[np.int32]:
    """Return (B, width): the `lengths` ids before each end, newest last; free places on the left hold PAD_ID (0)."""
    column = np.arange(width) - width  # -width … -1
    place = ends[:, None] + column
    return np.where(column >= -lengths[:, None], item_ids[np.maximum(place, 0)], 0).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Batch:
    """One training step's arrays."""

    history: NDArray[np.int32]
    """(B, T'), T' ≤ max_len. Left-padded."""
    targets: NDArray[np.int32]
    """(B, T'). The item after each position; 0 where nothing is trained."""
    negatives: NDArray[np.int32]
    """(B, T', num_negatives). Items outside the user's history, 0 for none; num_negatives may be 0."""


class Batches:
    """The epochs of one training run. The same seed and epoch give the same batches.

    Args:
        histories: What may be learned from.
        n_items: Catalogue size without the padding id.
        max_len: Longest window T.
        batch_size: Most windows per batch.
        windows: `all` or `last`, see cut.
        num_negatives: Negatives per position; 0 for none.
        newest_only: Train the newest position of each window only (a network without causal mask sees the others).
        seed: Seed of order, offsets and negatives.
    """

    def __init__(
        self,
        histories: Histories,
        *,
        n_items: int,
        max_len: int,
        batch_size: int,
        windows: Literal["all", "last"] = "all",
        num_negatives: int = 0,
        newest_only: bool = False,
        seed: int = 0,
    ):
        self._histories = histories
        self._negatives = Negatives(histories, n_items) if num_negatives else None
        self._num_negatives = num_negatives
        self._max_len = max_len
        self._batch_size = batch_size
        self._windows = windows
        self._newest_only = newest_only
        self._seed = seed
        transitions = histories.lengths[histories.lengths > 1] - 1
        most = np.where((transitions > max_len) & (windows == "all"), 2 + (transitions - 2) // max_len, 1)
        fewest = int(np.where(windows == "all", -(-transitions // max_len), 1).sum())
        self._num_batches = min(-(-int(most.sum()) // batch_size), fewest)  # the same in every epoch, none empty
        reached = transitions if windows == "all" else np.minimum(transitions, max_len)
        self._num_positions = int(most.sum()) if newest_only else int(reached.sum())

    def __len__(self) -> int:
        """Batches of every epoch; their number does not depend on where long histories are cut."""
        return self._num_batches

    @property
    def positions_per_batch(self) -> float:
        """Mean trained positions of a batch; sums of losses are divided by it, so that all positions weigh the same."""
        return self._num_positions / max(1, self._num_batches)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the batches of one epoch (from 0), in random order, windows of like length together."""
        rng = np.random.default_rng([self._seed, number])
        windows = cut(self._histories, self._max_len, self._windows, rng)
        lengths = windows.ends - windows.starts - 1
        order = rng.permutation(lengths.size)
        pool = np.arange(order.size) // (POOL * self._batch_size)
        order = order[np.lexsort((-(-lengths[order] // WIDTH_STEP), pool))]
        batches = np.array_split(order, self._num_batches) if self._num_batches else []
        for i in rng.permutation(len(batches)):
            yield self._batch(windows, batches[i], rng)

    def _batch(self, windows: Windows, chosen: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        ends = windows.ends[chosen]
        lengths = ends - windows.starts[chosen] - 1
        width = min(self._max_len, -(-int(lengths.max()) // WIDTH_STEP) * WIDTH_STEP)
        targets = left_padded(self._histories.item_ids, ends, lengths, width)
        if self._newest_only:
            targets[:, :-1] = 0
        negatives = np.zeros((*targets.shape, self._num_negatives), np.int32)
        if self._negatives is not None:
            row, column = np.nonzero(targets)
            users = windows.users[chosen][row]
            negatives[row, column] = self._negatives.sample(rng, users, self._num_negatives)
        return Batch(left_padded(self._histories.item_ids, ends - 1, lengths, width), targets, negatives)
