"""Synthetic histories for the goldens: a bundle goes to every device, so it must not hold the history of a user."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories

__all__ = ["POPULAR_SHARE", "REVEALING_ITEMS", "HistorySampler", "reveals_a_history"]

REVEALING_ITEMS = 3
"""Shortest history that can reveal a user: one or two items in a row occur in many histories."""

TRIES = 200
"""Draws of one history; if all of them are real ones, the log has nearly every history of that length."""

POPULAR_SHARE = 0.5
"""Share of the items that are drawn among the popular ones, the others from the whole catalogue."""


@dataclass(frozen=True, slots=True)
class HistorySampler:
    """Draws histories of a catalogue, none of which reveals a real one."""

    real: Sequence[Histories]
    """The histories that must not be revealed: the whole ones first, then what a split left of them."""
    popular: NDArray[np.int32]
    """Ids of popular items, at least one."""
    n_items: int
    """Size of the catalogue."""
    max_len: int
    """Newest items of a history that the network sees."""
    rng: np.random.Generator
    """The source of randomness."""

    def history(self, length: int, *, repeats: bool = False, share: float = POPULAR_SHARE) -> list[int] | None:
        """Return a history of that length; None where each of TRIES draws revealed a real one.

        Args:
            length: In items, at least 1.
            repeats: Some item occurs twice or more; otherwise each occurs once, as long as the catalogue has enough.
            share: Share of the items that are drawn among the popular ones.
        """
        for _ in range(TRIES):
            drawn = self._repeating(length, share) if repeats else self.distinct(length, share=share)
            if not reveals_a_history(drawn, self.real, max_len=self.max_len):
                return drawn
        return None

    def distinct(self, count: int, *, share: float = POPULAR_SHARE) -> list[int]:
        """Return `count` different items; where the catalogue has fewer, items repeat."""
        found = list(dict.fromkeys(self._items(4 * count, share)))[:count]
        if len(found) < count:
            left = self.rng.permutation(np.setdiff1d(np.arange(1, self.n_items + 1), found))
            found += left[: count - len(found)].tolist()
        return found + self._items(count - len(found), share)

    def _repeating(self, length: int, share: float) -> list[int]:
        found = self._items(length, share)
        if length > 1:
            first, again = self.rng.choice(length, 2, replace=False)
            found[again] = found[first]
        return found

    def _items(self, count: int, share: float) -> list[int]:
        popular = self.rng.choice(self.popular, count)
        any_of_all = self.rng.integers(1, self.n_items + 1, count)
        found: list[int] = np.where(self.rng.random(count) < share, popular, any_of_all).tolist()
        return found


def reveals_a_history(item_ids: Sequence[int], real: Sequence[Histories], *, max_len: int) -> bool:
    """Return whether synthetic ids reveal a real history.

    They do if their newest max_len items occur in a real one in a row, which includes being one, its beginning or its
    end. They also do if they end with a whole one, or with what a split left of it. Only histories of at least
    REVEALING_ITEMS items count.

    Args:
        item_ids: Oldest first.
        real: The whole histories first, then parts of them.
        max_len: Newest items of a history that the network sees.
    """
    if len(item_ids) < REVEALING_ITEMS:
        return False
    newest = item_ids[-max(max_len, REVEALING_ITEMS) :]
    return _holds(real[0], newest) or any(_is_the_end_of(histories, item_ids) for histories in real)


def _holds(histories: Histories, run: Sequence[int]) -> bool:
    """Return whether the items occur in a history in a row."""
    last = np.flatnonzero(histories.item_ids == run[-1])
    first_of_history = histories.offsets[np.searchsorted(histories.offsets, last, side="right") - 1]
    last = last[last - first_of_history >= len(run) - 1]
    for back in range(1, len(run)):
        last = last[histories.item_ids[last - back] == run[-1 - back]]
    return bool(last.size)


def _is_the_end_of(histories: Histories, item_ids: Sequence[int]) -> bool:
    """Return whether the items end with a whole history of at least REVEALING_ITEMS items."""
    if not histories.item_ids.size:
        return False
    rows = np.flatnonzero(histories.item_ids[histories.offsets[1:] - 1] == item_ids[-1])  # few, of many users
    ends = histories.offsets[rows + 1]
    lengths = ends - histories.offsets[rows]
    fitting = (lengths >= REVEALING_ITEMS) & (lengths <= len(item_ids))
    ends, lengths = ends[fitting], lengths[fitting]
    for back in range(1, len(item_ids) + 1):
        same = histories.item_ids[ends - back] == item_ids[-back]
        ends, lengths = ends[same], lengths[same]
        if (lengths == back).any():
            return True
        if not ends.size:
            return False
    return False
