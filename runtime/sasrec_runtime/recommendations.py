"""What a recommender answers: items with their keys, scores and titles."""

from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

__all__ = ["Item", "Recommendations"]


class Item(msgspec.Struct, frozen=True, gc=False):
    """One recommended item."""

    key: str
    """The caller's key."""
    score: float | None
    """Higher is better; not a probability. None where popularity, not the model, chose the item."""
    title: str | None
    """Name of the item, where the data has one."""


class Recommendations(Sequence[Item]):
    """Items, best first. Shorter than k where the catalogue minus the excluded items is."""

    __slots__ = ("_items", "is_fallback")

    def __init__(self, items: list[Item], *, is_fallback: bool = False) -> None:
        self._items = items
        self.is_fallback = is_fallback
        """True: the history was empty, and these are the most popular items of the training data."""

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Recommendations):
            return self._items == other._items and self.is_fallback == other.is_fallback
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # equal by content, as a list

    def __repr__(self) -> str:
        return f"Recommendations({self._items!r}, is_fallback={self.is_fallback})"
