"""The vocabulary of a bundle: the caller's item keys and titles, and the item ids of the model."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import BundleError, HistoryError, UnknownItemError, shown
from sasrec_runtime.signature import PAD_ID
from sasrec_runtime.vocabulary.key_index import KeyIndex, repeated_key
from sasrec_runtime.vocabulary.mapped_lines import MappedLines

__all__ = ["Unknown", "Vocabulary"]

Unknown = Literal["error", "drop", "map"]
"""What to do with a key outside the vocabulary: refuse it, leave it out, or put PAD_ID in its place."""

MAPPED_FROM: Final = 1 << 16
"""Number of items from which the files stay on disk. Below, lists and a dict cost little and are faster."""

FUZZY_LIMIT: Final = 20_000
"""Number of items up to which a message names similar keys, which takes about 0.1 s at this size."""


class Ids(Protocol):
    """From key to id; a dict is one."""

    def get(self, key: str, /) -> int | None:
        """Return the id of a key; None for anything else. TypeError for what cannot be hashed."""

    def __contains__(self, key: object, /) -> bool: ...


class Vocabulary:
    """Item keys in the order of their ids, with titles where the data has them.

    Law: ``ids([key(i)]) == [i]`` for every id in 1…len.

    Args:
        keys: Key of id i at index i; None at PAD_ID.
        titles: Title of id i at index i; None at PAD_ID and where an item has none.
        ids: The way back from the keys.
    """

    def __init__(self, keys: Sequence[str | None], titles: Sequence[str | None], ids: Ids) -> None:
        self.keys = keys
        """Key of id i at index i; None at PAD_ID."""
        self.titles = titles
        """Title of id i at index i; None at PAD_ID and where an item has none."""
        self._ids = ids

    @classmethod
    def of(cls, keys: list[str], titles: list[str] | None = None) -> "Vocabulary":
        """Return the vocabulary of keys in the order of their ids, held in memory; a title may be empty.

        Raises:
            BundleError: A key is there twice.
        """
        return cls._in_memory([None, *keys], [None] * (len(keys) + 1) if titles is None else [None, *titles])

    @classmethod
    def read(cls, items: Path, titles: Path | None, *, n_items: int) -> "Vocabulary":
        """Return the vocabulary in items.txt and titles.txt.

        A large one stays on disk and costs 16 bytes an item: a dict of a million keys takes 130 MiB and seconds.

        Raises:
            BundleError: A file is not UTF-8, has not n_items lines, or has an empty or a repeated key.
        """
        keys = MappedLines(items, n_items)
        names = None if titles is None else MappedLines(titles, n_items)
        if empty := keys.first_empty():
            raise BundleError(f"{items}: line {empty} is empty, expected a key. Export the bundle again.")
        try:
            if n_items < MAPPED_FROM:
                return cls._in_memory(keys.in_memory(), names.in_memory() if names else [None] * len(keys))
            return cls(keys, names or _NoTitles(len(keys)), KeyIndex(keys))
        except BundleError as error:
            raise BundleError(f"{items}: {error}") from error

    @classmethod
    def _in_memory(cls, keys: list[str | None], titles: list[str | None]) -> "Vocabulary":
        ids = {key: item_id for item_id, key in enumerate(keys) if key is not None}
        if len(ids) != len(keys) - 1:
            line = next(i for i, key in enumerate(keys) if key is not None and ids[key] != i)
            raise repeated_key(str(keys[line]), line, ids[str(keys[line])])
        return cls(keys, [title or None for title in titles], ids)

    def __len__(self) -> int:
        return len(self.keys) - 1

    def __contains__(self, key: object) -> bool:
        return key in self._ids

    def key(self, item_id: int) -> str:
        """Return the key of an id in 1…len."""
        key = self.keys[item_id] if 0 < item_id < len(self.keys) else None
        if key is None:
            raise HistoryError(f"item id is {shown(item_id)}, expected 1…{len(self)}.")
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
            HistoryError: `keys` is not a sequence of text.
            UnknownItemError: A key is unknown, and `unknown` is "error".
        """
        return np.array(self.id_list(keys, unknown), np.int32)

    def id_list(
        self, keys: Iterable[str], unknown: Unknown = "error", *, place: str = "keys", suggest: bool = True
    ) -> list[int]:
        """Return `ids` as a list; `place` is what messages call the keys.

        With `suggest` the message names similar keys, which takes up to 0.1 s: too long for every row of a file.
        """
        keys = _as_list(keys, place)
        try:
            ids = list(map(self._ids.get, keys))
        except TypeError:  # a key that cannot be hashed is not text
            ids = [None]
        if None not in ids:
            return ids  # type: ignore[return-value]  # it does not hold None
        _check_text(keys, place)
        if unknown == "drop":
            return [item_id for item_id in ids if item_id is not None]
        if unknown == "map":
            return [PAD_ID if item_id is None else item_id for item_id in ids]
        raise self._unknown_item(keys, ids, place, suggest=suggest)

    def _unknown_item(self, keys: list[str], ids: list[int | None], place: str, *, suggest: bool) -> UnknownItemError:
        position = ids.index(None)
        more = ids.count(None) - 1
        return UnknownItemError(
            f"{place}[{position}] is {keys[position]!r:.80}, expected a key among the {len(self)} items of this bundle"
            f"{f' ({more} more unknown)' if more else ''}. {self._closest(keys[position], suggest=suggest)}"
            "Leave it out, or choose unknown='drop' or 'map' (--unknown on the command line)."
        )

    def _closest(self, key: str, *, suggest: bool) -> str:
        """Name keys that differ by spaces or case, or, in a small catalogue and on request, by a few letters."""
        close = [variant for variant in dict.fromkeys((key.strip(), key.lower(), key.upper())) if variant in self._ids]
        if suggest and not close and len(self) <= FUZZY_LIMIT and len(key) <= 80:
            import difflib  # noqa: PLC0415 - only on the way to an error

            close = difflib.get_close_matches(key, [known for known in self.keys if known is not None])
        return f"Closest: {', '.join(map(repr, close))}. " if close else ""


class _NoTitles(Sequence[None]):
    """None for every id, without a list of them."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> None: ...
    @overload
    def __getitem__(self, index: slice) -> list[None]: ...
    def __getitem__(self, index: int | slice) -> list[None] | None:
        return [None] * len(range(*index.indices(self._count))) if isinstance(index, slice) else None


def _as_list(keys: Iterable[str], place: str) -> list[str]:
    if type(keys) is list:
        return keys
    if isinstance(keys, str | bytes):
        raise HistoryError(
            f"{place} is the single text {shown(keys)}, expected a sequence of item keys. Put it into a list."
        )
    try:
        return list(keys)
    except TypeError as error:
        raise HistoryError(f"{place} is {shown(keys)}, expected a sequence of item keys.") from error


def _check_text(keys: list[Any], place: str) -> None:
    for position, key in enumerate(keys):
        if not isinstance(key, str):
            raise HistoryError(
                f"{place}[{position}] is {shown(key)} ({type(key).__name__}), expected text. "
                "Item keys are text, as in items.txt: give str(key)."
            )
