"""Hidden states of users just before an interaction: what the network makes of the history up to there."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import scorers
from sasrec_train.log.interactions import Histories

__all__ = ["ItemStates", "Places", "Prefixes", "most_per_item"]


@dataclass(frozen=True, slots=True)
class Places:
    """Interactions of a log."""

    positions: NDArray[np.int64]
    """(P,). Indices into the item ids of the log, rising."""
    item_ids: NDArray[np.int32]
    """(P,). The item of each."""
    users: NDArray[np.int64]
    """(P,). The user of each, a row of the log."""

    def __len__(self) -> int:
        return self.positions.size

    def take(self, chosen: NDArray[Any]) -> "Places":
        """Return the chosen ones."""
        return Places(self.positions[chosen], self.item_ids[chosen], self.users[chosen])


class Prefixes:
    """The interactions of a log with a known item before them, and what the network makes of the items before each.

    Args:
        histories: The log.
        n_known: Ids above it are left out of what the network sees.
    """

    def __init__(self, histories: Histories, n_known: int):
        self.histories = histories
        is_known = histories.item_ids <= n_known
        seen = np.concatenate([[0], np.cumsum(is_known)])
        self._known_ids = histories.item_ids[is_known]
        self._starts, self._ends = seen[histories.offsets[:-1]], seen[:-1]  # of a history, of what is before a position
        rows = histories.rows()
        positions = np.flatnonzero(self._ends > self._starts[rows])
        self.places = Places(positions, histories.item_ids[positions], rows[positions])
        """All of them."""

    def before(self, places: Places) -> Histories:
        """Return all items before each interaction."""
        starts = self.histories.offsets[places.users]
        return _slices(self.histories.item_ids, starts, places.positions)

    def known_before(self, places: Places) -> Histories:
        """Return the known items before each interaction."""
        return _slices(self._known_ids, self._starts[places.users], self._ends[places.positions])

    def states(self, model: Any, places: Places, *, encode: Any) -> NDArray[np.float32]:
        """Return the hidden states before interactions, (P, D).

        Args:
            model: A SASRec.
            places: The interactions.
            encode: What model.encoder() returned.
        """
        longest = model.config.max_len
        starts = np.maximum(self._starts[places.users], self._ends[places.positions] - longest)
        lengths = self._ends[places.positions] - starts
        return scorers.window_vectors(model, self._known_ids, starts + lengths, lengths, encode=encode)


def _slices(item_ids: NDArray[np.int32], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Histories:
    """Return item_ids[start:end] of each pair as a history."""
    short = Histories.from_lengths(ends - starts, np.empty(0, np.int32))
    within = np.arange(short.offsets[-1]) - np.repeat(short.offsets[:-1], short.lengths)
    return Histories(short.offsets, item_ids[np.repeat(starts, short.lengths) + within])


def most_per_item(places: Places, most: int, seed: int) -> Places:
    """Return at most that many interactions of each item, drawn from the seed, in the order of the log."""
    order = np.random.default_rng(seed).permutation(len(places))
    order = order[np.argsort(places.item_ids[order], kind="stable")]
    items = places.item_ids[order]
    first = np.flatnonzero(np.concatenate([[True], items[1:] != items[:-1]])) if items.size else np.zeros(0, int)
    within = np.arange(items.size) - np.repeat(first, np.diff(np.append(first, items.size)))
    return places.take(np.sort(order[within < most]))


@dataclass(frozen=True, slots=True)
class ItemStates:
    """What the hidden states before the interactions of each item have in common."""

    counts: NDArray[np.float64]
    """(I,). States of each item."""
    means: NDArray[np.float64]
    """(I, D). Their mean; 0 where there are none."""
    within: NDArray[np.float64]
    """(D, D). Covariance of the states of one item, over all of them."""

    @classmethod
    def of(cls, states: NDArray[np.float32], item_ids: NDArray[np.int32], *, first: int, n_items: int) -> "ItemStates":
        """Return them for the items with the ids first, first + 1, ….

        Args:
            states: (P, D).
            item_ids: (P,). Of each state.
            first: The lowest id.
            n_items: I.
        """
        numbers = item_ids - first
        counts = np.bincount(numbers, minlength=n_items).astype(np.float64)
        order = np.argsort(numbers, kind="stable")
        sums = np.zeros((n_items, states.shape[1]))
        present = np.flatnonzero(counts)
        if present.size:
            starts = np.searchsorted(numbers[order], present)
            sums[present] = np.add.reduceat(states[order].astype(np.float64), starts, axis=0)
        means = sums / np.maximum(counts, 1)[:, None]
        deviations = states - means[numbers]
        free = float((counts[present] - 1).sum())
        return cls(counts, means, deviations.T @ deviations / max(free, 1.0))
