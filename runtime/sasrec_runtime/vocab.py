"""The vocabulary of a bundle: the caller's item keys and titles, and the item ids of the model."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import BundleError, HistoryError, UnknownItemError
from sasrec_runtime.signature import PAD_ID

__all__ = ["Unknown", "Vocabulary"]

Unknown = Literal["error", "drop", "map"]
"""What to do with a key outside the vocabulary: refuse it, leave it out, or put PAD_ID in its place."""

FUZZY_LIMIT: Final = 20_000
"""Items up to which a message looks for similar keys; about 0.1 s there."""


class Vocabulary:
    """Item keys in the order of their ids, with titles where the data has them.

    Law: ``ids([key(i)]) == [i]`` for every id in 1…len.
    """

    def __init__(self, keys: list[str], titles: list[str] | None = None) -> None:
        self.keys: list[str | None] = [None, *keys]
        """Key of id i at index i; None at PAD_ID."""
        self.titles: list[str | None] = [None] * len(self.keys)
        """Title of id i at index i; None at PAD_ID and where an item has none."""
        if titles is not None:
            self.titles[1:] = [title or None for title in titles]
        self._ids = dict(zip(keys, range(1, len(keys) + 1), strict=True))
        if len(self._ids) != len(keys):
            line = next(i for i, key in enumerate(keys, 1) if self._ids[key] != i)
            raise BundleError(
                f"item key {keys[line - 1]!r:.80} stands on lines {line} and {self._ids[keys[line - 1]]}, "
                "expected each key once. Export the bundle again."
            )

    @classmethod
    def read(cls, items: Path, titles: Path | None, *, n_items: int) -> "Vocabulary":
        """Return the vocabulary in items.txt and titles.txt.

        Raises:
            BundleError: A file is not UTF-8, has not n_items lines, or has an empty or a repeated key.
        """
        keys = _lines(items, n_items)
        if "" in keys:
            raise BundleError(f"{items}: line {keys.index('') + 1} is empty, expected a key. Export the bundle again.")
        try:
            return cls(keys, None if titles is None else _lines(titles, n_items))
        except BundleError as error:
            raise BundleError(f"{items}: {error}") from error

    def __len__(self) -> int:
        return len(self.keys) - 1

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def key(self, item_id: int) -> str:
        """Return the key of an id in 1…len."""
        key = self.keys[item_id] if 0 < item_id < len(self.keys) else None
        if key is None:
            raise HistoryError(f"item id is {item_id!r:.80}, expected 1…{len(self)}.")
        return key

    def title(self, item_id: int) -> str | None:
        """Return the title of an id in 1…len, None if it has none."""
        self.key(item_id)
        return self.titles[item_id]

    def ids(self, keys: Iterable[str], unknown: Unknown = "error") -> NDArray[np.int32]:
        """Return the ids of keys, in their order.

        Args:
            keys: The caller's keys; a lone str is refused, for it would be read letter by letter.
            unknown: For a key outside the vocabulary: "error" raises, "drop" leaves it out, "map" puts PAD_ID there.

        Returns:
            int32 (len(keys),), or shorter with "drop".

        Raises:
            HistoryError: `keys` is no sequence of text.
            UnknownItemError: A key is unknown, and `unknown` is "error".
        """
        return np.array(self.id_list(keys, unknown), np.int32)

    def id_list(self, keys: Iterable[str], unknown: Unknown = "error", *, place: str = "keys") -> list[int]:
        """Return `ids` as a list; `place` is what messages call the keys."""
        keys = _as_list(keys, place)
        try:
            found = list(map(self._ids.get, keys))
        except TypeError:  # a key that cannot be hashed is no text
            found = [None]
        if None not in found:
            return found  # type: ignore[return-value]  # there is no None in it
        _check_text(keys, place)
        if unknown == "drop":
            return [item_id for item_id in found if item_id is not None]
        if unknown == "map":
            return [PAD_ID if item_id is None else item_id for item_id in found]
        raise self._unknown_item(keys, found, place)

    def _unknown_item(self, keys: list[str], found: list[int | None], place: str) -> UnknownItemError:
        position = found.index(None)
        more = found.count(None) - 1
        return UnknownItemError(
            f"{place}[{position}] is {keys[position]!r:.80}, expected a key among the {len(self)} items of this bundle"
            f"{f' ({more} more unknown)' if more else ''}. {self._closest(keys[position])}"
            "Leave it out, or choose unknown='drop' or 'map' (--unknown on the command line)."
        )

    def _closest(self, key: str) -> str:
        """Name keys that differ by spaces or case, or, in a small catalogue, by a few letters."""
        close = [variant for variant in dict.fromkeys((key.strip(), key.lower(), key.upper())) if variant in self._ids]
        if not close and len(self) <= FUZZY_LIMIT and len(key) <= 80:
            import difflib  # noqa: PLC0415 - only on the way to an error

            close = difflib.get_close_matches(key, self._ids)
        return f"Closest: {', '.join(map(repr, close))}. " if close else ""


def _as_list(keys: Iterable[str], place: str) -> list[str]:
    if type(keys) is list:
        return keys
    if isinstance(keys, str | bytes):
        raise HistoryError(
            f"{place} is the single text {keys!r:.80}, expected a sequence of item keys. Put it into a list."
        )
    try:
        return list(keys)
    except TypeError as error:
        raise HistoryError(f"{place} is {keys!r:.80}, expected a sequence of item keys.") from error


def _check_text(keys: list[Any], place: str) -> None:
    for position, key in enumerate(keys):
        if not isinstance(key, str):
            raise HistoryError(
                f"{place}[{position}] is {key!r:.80} ({type(key).__name__}), expected text. "
                "Item keys are text, as in items.txt: give str(key)."
            )


def _lines(path: Path, n_items: int) -> list[str]:
    """Return the lines of a file; only a line feed ends one, so that keys may hold any other character."""
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is not UTF-8 at byte {error.start}. Export the bundle again.") from error
    if lines[-1] == "":
        lines.pop()
    if len(lines) != n_items:
        raise BundleError(f"{path} has {len(lines)} lines, expected {n_items} (n_items). Export the bundle again.")
    return lines
