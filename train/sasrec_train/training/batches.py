"""Training batches from flat histories: packed rows, targets and negatives, without a loop over examples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories
from sasrec_train.negatives import Negatives, SharedNegatives
from sasrec_train.training.windows import Windows, cut, pack

__all__ = ["Batch", "Batches"]

POOL = 256  # Batches that are packed together.


@dataclass(frozen=True, slots=True)
class Batch:
    """One training step's arrays: R rows of max_len positions, each holding several short windows side by side."""

    item_ids: NDArray[np.int32]
    """(U,). The distinct ids the step reads, ascending."""
    history: NDArray[np.int32]
    """(R, T). Item ids; 0 where a row is free."""
    targets: NDArray[np.int32]
    """(R, T). The item after each position; 0 where nothing is trained."""
    segments: NDArray[np.int32]
    """(R, T). Window of each entry, numbered from 1; 0 where a row is free. Attention stays within a window."""
    positions: NDArray[np.int32]
    """(R, T). Position within max_len, as if the window were left-padded: its newest item stands at max_len - 1."""
    negatives: NDArray[np.int32]
    """(S,) shared by the step, or (R, T, S); 0 for none. S may be 0."""

    @property
    def arrays(self) -> tuple[NDArray[np.int32], ...]:
        """The six arrays, in the order above."""
        return self.item_ids, self.history, self.targets, self.segments, self.positions, self.negatives

    def share(self, rank: int, workers: int) -> "Batch":
        """Return the rows of one of several workers, which may be none; all of them read the same ids."""
        if workers == 1:
            return self
        own = slice(rank, None, workers)
        negatives = self.negatives if self.negatives.ndim == 1 else self.negatives[own]
        return Batch(
            self.item_ids, self.history[own], self.targets[own], self.segments[own], self.positions[own], negatives
        )


class Batches:
    """The epochs of one training run. The same seed, epoch and step give the same batch.

    Args:
        histories: What may be learned from.
        n_items: Catalogue size without the padding id.
        max_len: Longest window T, and width of a packed row.
        batch_size: Windows or positions of a batch, see batch_unit.
        batch_unit: What batch_size counts.
        windows: `all` or `last`, see cut.
        num_negatives: Negatives S; 0 for none.
        negatives: `position`: each position draws its own, outside the user's history; `step`: all share them.
        negative_sampling: How the shared ones are drawn, see SharedNegatives.
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
        batch_unit: Literal["windows", "positions"] = "windows",
        windows: Literal["all", "last"] = "all",
        num_negatives: int = 0,
        negatives: Literal["position", "step"] = "position",
        negative_sampling: Literal["uniform", "popularity"] = "uniform",
        newest_only: bool = False,
        seed: int = 0,
    ):
        self._histories = histories
        self._max_len = max_len
        self._windows = windows
        self._num_negatives = num_negatives
        self._newest_only = newest_only
        self._seed = seed
        own = num_negatives and negatives == "position"
        self._own = Negatives(histories, n_items) if own else None
        self._shared = SharedNegatives(histories, n_items, negative_sampling) if num_negatives and not own else None
        self.log_probabilities = None if self._shared is None else self._shared.log_probabilities
        """(V,). Log of the chance of each id per shared draw; None where positions draw their own."""
        transitions = histories.lengths[histories.lengths > 1] - 1
        fewest, most = transitions.size, transitions.size  # windows an epoch may come to
        if windows == "all":
            fewest = int((-(-transitions // max_len)).sum())
            most = int(np.where(transitions > max_len, 2 + (transitions - 2) // max_len, 1).sum())
        else:
            transitions = np.minimum(transitions, max_len)
        self._num_positions = most if newest_only else int(transitions.sum())
        wanted = most if batch_unit == "windows" else int(transitions.sum())
        self._by_positions = batch_unit == "positions"
        self._num_batches = min(-(-wanted // batch_size), fewest)  # the same in every epoch, none empty

    def __len__(self) -> int:
        """Batches of every epoch; their number does not depend on where long histories are cut."""
        return self._num_batches

    @property
    def positions_per_batch(self) -> float:
        """Mean trained positions of a batch; sums of losses are divided by it, so that all positions weigh the same."""
        return self._num_positions / max(1, self._num_batches)

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of one epoch (from 0) in random order, from batch `start` on."""
        rng = np.random.default_rng([self._seed, number])
        windows = cut(self._histories, self._max_len, self._windows, rng)
        order = rng.permutation(windows.users.size)
        windows = Windows(windows.users[order], windows.starts[order], windows.ends[order])
        bounds = self._bounds(windows.lengths)
        for first in range(start - start % POOL, self._num_batches, POOL):
            last = min(first + POOL, self._num_batches)
            taken = slice(bounds[first], bounds[last])
            pool = Windows(windows.users[taken], windows.starts[taken], windows.ends[taken])
            inner = bounds[first : last + 1] - bounds[first]
            rows, columns = pack(pool.lengths, np.repeat(np.arange(last - first), np.diff(inner)), self._max_len)
            for i in range(max(0, start - first), last - first):
                part = slice(inner[i], inner[i + 1])
                chosen = Windows(pool.users[part], pool.starts[part], pool.ends[part])
                yield self._batch(
                    chosen, rows[part], columns[part], np.random.default_rng([self._seed, number, first + i])
                )

    def _bounds(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each batch begins among the shuffled windows, and the end."""
        batches = np.arange(self._num_batches + 1)
        if not self._by_positions:
            return batches * lengths.size // max(1, self._num_batches)
        ends = np.cumsum(lengths)
        bounds = np.searchsorted(ends, batches * ends[-1] / self._num_batches, side="left") if ends.size else batches
        bounds[-1] = lengths.size
        # No batch is empty: each begins after the one before it, and leaves a window for each after it.
        bounds = np.maximum.accumulate(bounds - batches) + batches
        return np.minimum(bounds, lengths.size - self._num_batches + batches)

    def _batch(
        self, windows: Windows, rows: NDArray[np.int64], columns: NDArray[np.int64], rng: np.random.Generator
    ) -> Batch:
        lengths = windows.lengths
        window = np.repeat(np.arange(lengths.size), lengths)
        within = np.arange(window.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        source = windows.starts[window] + within
        flat = rows[window] * self._max_len + columns[window] + within  # index in (R, T), flattened
        shape = (int(rows.max()) + 1, self._max_len)
        trained = within == lengths[window] - 1 if self._newest_only else np.ones(window.size, bool)
        targets = np.where(trained, self._histories.item_ids[source + 1], 0)
        negatives = self._draw(rng, windows.users[window[trained]])
        history, targets, segments, positions = (
            _scatter(values, flat, shape)
            for values in (
                self._histories.item_ids[source], targets, window + 1, self._max_len - lengths[window] + within
            )
        )  # fmt: skip
        if self._own is not None:
            negatives = _scatter(negatives, flat[trained], (*shape, self._num_negatives))
        item_ids = np.unique(np.concatenate([history.ravel(), targets.ravel(), negatives.ravel()]))
        return Batch(item_ids, history, targets, segments, positions, negatives)

    def _draw(self, rng: np.random.Generator, users: NDArray[np.int64]) -> NDArray[np.int32]:
        if self._own is not None:
            return self._own.sample(rng, users, self._num_negatives)
        return np.zeros(0, np.int32) if self._shared is None else self._shared.sample(rng, self._num_negatives)


def _scatter(values: NDArray[np.integer], flat: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return int32 of a shape (R, T, …) with the values at flat indices of (R, T), 0 elsewhere."""
    out = np.zeros((shape[0] * shape[1], *shape[2:]), np.int32)
    out[flat] = values
    return out.reshape(shape)
