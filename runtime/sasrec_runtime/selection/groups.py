"""Groups of items, such as genres, sellers or age ratings: which items they hold, by item id."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import RequestError, shown
from sasrec_runtime.selection import group_file
from sasrec_runtime.selection.allowed_set import HasBundle, bundle_of

__all__ = ["NO_GROUP", "Groups", "as_names"]

NO_GROUP: Final = 0
"""Number of the group of items that have none."""


class Groups:
    """The group of each item of a bundle; an item is in one group at most.

    Keys outside the vocabulary are ignored, so that one file may serve several bundles.

    Example:
        ``Groups.load("genres.csv", recommender)``

    Args:
        of_item: int32 (n_items + 1,), number of the group of each item id; NO_GROUP: it has none.
        names: Name of group g at index g; index NO_GROUP means nothing.
        vocabulary_sha256: Digest of items.txt; the groups serve bundles with the same one.
    """

    def __init__(self, of_item: NDArray[np.int32], names: list[str], vocabulary_sha256: str) -> None:
        self.of_item = of_item
        """int32 (n_items + 1,), number of the group of each item id; NO_GROUP: it has none."""
        self.vocabulary_sha256 = vocabulary_sha256
        """Digest of items.txt of the bundle that they were made for."""
        self._names = names
        self._by_group = np.argsort(of_item, kind="stable").astype(np.int32)  # ids, those of a group side by side
        self._ends = np.cumsum(np.bincount(of_item, minlength=len(names)))
        self._numbers = {name: number for number, name in enumerate(names) if number != NO_GROUP}

    @classmethod
    def load(cls, path: str | Path, bundle: Bundle | HasBundle) -> "Groups":
        """Return the groups in a file.

        Args:
            path: `.csv` or `.tsv` with the columns `item` and `group`, or `.json` with one object of key → group.
            bundle: The bundle that knows the keys, or what was loaded from it.

        Raises:
            OSError: The file cannot be read.
            RequestError: It is not of the format that its suffix says, an item has two groups, or the bundle knows none
                of the items.
        """
        return cls._made(group_file.read(Path(path)), bundle_of(bundle), str(path))

    @classmethod
    def of(cls, groups: Mapping[str, str], bundle: Bundle | HasBundle) -> "Groups":
        """Return the groups of a mapping of item key → group.

        Raises:
            RequestError: `groups` is not such a mapping, or the bundle knows none of the items.
        """
        if not isinstance(groups, Mapping):
            raise RequestError(f"groups is {shown(groups)}, expected a mapping of item key to group.")
        for key, group in groups.items():
            if not isinstance(key, str) or not isinstance(group, str) or not group:
                raise RequestError(
                    f"groups holds {shown(key)}: {shown(group)}, expected text for both. "
                    "Leave out an item that has no group."
                )
        return cls._made(groups, bundle_of(bundle), "groups")

    @classmethod
    def _made(cls, groups: Mapping[str, str], bundle: Bundle, place: str) -> "Groups":
        names = ["", *sorted(set(groups.values()))]
        numbers = {name: number for number, name in enumerate(names)}
        n_items = bundle.manifest.model.n_items
        item_ids = bundle.vocabulary.id_list([key for key in groups if key in bundle.vocabulary])
        if not item_ids:
            raise RequestError(
                f"{place} holds {len(groups)} items, and none is among the {n_items} items of this bundle. "
                "Give keys as they stand in items.txt."
            )
        of_item = np.full(n_items + 1, NO_GROUP, np.int32)
        of_item[item_ids] = [numbers[group] for key, group in groups.items() if key in bundle.vocabulary]
        return cls(of_item, names, bundle.manifest.vocabulary.items.sha256)

    @property
    def names(self) -> list[str]:
        """The names of the groups, in order."""
        return self._names[NO_GROUP + 1 :]

    def members(self, names: Iterable[str], *, place: str = "exclude_groups") -> NDArray[np.int32]:
        """Return the items of some groups: int32, ids in ascending order.

        Args:
            names: Names of groups.
            place: What messages call them.

        Raises:
            RequestError: There is no group of that name: a name with a typing error would exclude nothing, in silence.
        """
        return self.items_of({self._number(name, f"{place}[{i}]") for i, name in enumerate(as_names(names, place))})

    def items_of(self, numbers: Iterable[int]) -> NDArray[np.int32]:
        """Return the items of groups, by their numbers: int32, ids in ascending order."""
        parts = [self._by_group[self._ends[number - 1] : self._ends[number]] for number in numbers]
        if len(parts) == 1:
            return parts[0]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int32)

    def sha256(self) -> str:
        """Return a digest of which item is in which group."""
        named = hashlib.sha256("\n".join(self._names).encode("utf-8", "surrogatepass"))
        named.update(self.of_item.tobytes())
        return named.hexdigest()

    def __len__(self) -> int:
        return len(self._names) - 1

    def __repr__(self) -> str:
        return f"Groups({len(self)} groups of {int(np.count_nonzero(self.of_item))} items)"

    def _number(self, name: Any, place: str) -> int:
        number = self._numbers.get(name) if isinstance(name, str) else None
        if number is not None:
            return number
        import difflib  # noqa: PLC0415 - only on the way to an error

        close = difflib.get_close_matches(name, self.names, 1) if isinstance(name, str) and len(name) <= 80 else []
        listed = ", ".join(self.names)
        raise RequestError(
            f"{place} is {shown(name)}, expected one of the {len(self)} groups: "
            f"{listed if len(listed) <= 300 else f'{listed[:300]}…'}."
            f"{f' Did you mean {close[0]!r:.80}?' if close else ''}"
        )


def as_names(names: Iterable[str], place: str) -> list[str]:
    """Return names of groups as a list; `place` is what messages call them.

    Raises:
        RequestError: They are a single text, or not a sequence.
    """
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise RequestError(f"{place} is {shown(names)}, expected a sequence of names of groups. Put it into a list.")
    return list(names)
