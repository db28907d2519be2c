"""The items that an answer may hold, from the caller's keys."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import RequestError, shown
from sasrec_runtime.selection import item_set

__all__ = [
    "AllowedSet",
    "HasBundle",
    "Keys",
    "allowed_of_rows",
    "as_allowed_set",
    "bundle_of",
    "check_same_vocabulary",
]


class HasBundle(Protocol):
    """What was loaded from a bundle, such as a Recommender."""

    bundle: Bundle
    """The bundle."""


class AllowedSet:
    """Items that an answer may hold, their keys looked up once: for a set that serves many requests.

    Order and repetition of the keys mean nothing. Keys outside the vocabulary are ignored, as in `exclude`: the model
    cannot return them.

    Example:
        ``in_stock = AllowedSet.of(keys, recommender); recommender.recommend(history, 10, among=in_stock)``

    Args:
        item_ids: int32 (S,), ids in ascending order, each once.
        n_items: Items of the catalogue.
        vocabulary_sha256: Digest of items.txt; the set serves bundles with the same one.
    """

    def __init__(self, item_ids: NDArray[np.int32], n_items: int, vocabulary_sha256: str) -> None:
        self.item_ids = item_ids
        """int32 (S,), ids in ascending order, each once."""
        self.n_items = n_items
        """Items of the catalogue."""
        self.vocabulary_sha256 = vocabulary_sha256
        """Digest of items.txt of the bundle that it was made for."""

    @classmethod
    def of(cls, keys: Iterable[str], bundle: Bundle | HasBundle, *, place: str = "among") -> "AllowedSet":
        """Return the set of these items.

        Args:
            keys: Item keys.
            bundle: The bundle that knows them, or what was loaded from it.
            place: What messages call the keys.

        Raises:
            HistoryError: `keys` is not a sequence of text.
            RequestError: There are no keys, or the bundle knows none of them.
        """
        bundle = bundle_of(bundle)
        given = keys if isinstance(keys, str | bytes) or not isinstance(keys, Iterable) else list(keys)
        item_ids = bundle.vocabulary.id_list(given, "drop", place=place)
        n_items = bundle.manifest.model.n_items
        if not given:
            raise RequestError(f"{place} is empty, expected at least one item key. Leave it out to allow every item.")
        if not item_ids:
            first = shown(next(iter(given)))
            raise RequestError(
                f"{place} holds {first} and none of its keys is among the {n_items} items of this bundle. "
                "Give keys as they stand in items.txt."
            )
        return cls(item_set.distinct(item_ids), n_items, bundle.manifest.vocabulary.items.sha256)

    @cached_property
    def rest(self) -> NDArray[np.int32]:
        """The items that are not allowed, in ascending order."""
        outside = np.ones(self.n_items + 1, np.bool_)
        outside[0] = False
        outside[self.item_ids] = False
        return np.flatnonzero(outside).astype(np.int32)

    def sha256(self) -> str:
        """Return a digest of the set."""
        return hashlib.sha256(self.item_ids.tobytes()).hexdigest()

    def narrowed(self, other: "AllowedSet | None") -> "AllowedSet":
        """Return the items that both allow; None allows all. It may be empty."""
        if other is None or other is self:
            return self
        both = np.intersect1d(self.item_ids, other.item_ids, assume_unique=True)
        return AllowedSet(both, self.n_items, self.vocabulary_sha256)

    def __len__(self) -> int:
        return len(self.item_ids)

    def __bool__(self) -> bool:
        return True  # a set is there, also an empty one

    def __repr__(self) -> str:
        return f"AllowedSet({len(self)} of {self.n_items} items)"


Keys = Iterable[str] | AllowedSet
"""An allowed set as a caller gives it."""


def bundle_of(bundle: Bundle | HasBundle) -> Bundle:
    """Return the bundle itself, or that of what was loaded from it."""
    return bundle if isinstance(bundle, Bundle) else bundle.bundle


def allowed_of_rows(among: Keys | Sequence[Keys | None] | None, rows: int, bundle: Bundle) -> list[AllowedSet | None]:
    """Return the allowed set of each of several requests.

    Args:
        among: One set for all, or one for each request, None where all items are allowed; None: all are, everywhere.
        rows: How many requests there are.
        bundle: The bundle that knows the keys.

    Raises:
        HistoryError: A set is not a sequence of text.
        RequestError: A set holds no item or is of another bundle, or there are not as many as requests.
    """
    if among is None:
        return [None] * rows
    if isinstance(among, AllowedSet | str | bytes) or not isinstance(among, Iterable):
        return [as_allowed_set(among, bundle)] * rows
    given = list(among)
    if not any(one is None or _is_set(one) for one in given) and (given or rows):
        return [as_allowed_set(given, bundle)] * rows  # type: ignore[arg-type]  # whatever is not text is refused there
    if len(given) != rows:
        raise RequestError(f"among has {len(given)} sets, expected {rows}, one for each history, or one set for all.")
    made: dict[int, AllowedSet] = {}  # many requests often share one list
    sets: list[AllowedSet | None] = []
    for row, one in enumerate(given):
        if one is not None and id(one) not in made:
            made[id(one)] = as_allowed_set(one, bundle, place=f"among[{row}]")
        sets.append(None if one is None else made[id(one)])
    return sets


def as_allowed_set(among: Keys, bundle: Bundle, *, place: str = "among") -> AllowedSet:
    """Return an allowed set as it is given, or from its keys.

    Raises:
        HistoryError: It is not a sequence of text.
        RequestError: It holds no item, or is of another bundle.
    """
    if not isinstance(among, AllowedSet):
        return AllowedSet.of(among, bundle, place=place)
    check_same_vocabulary(place, among.vocabulary_sha256, bundle)
    return among


def check_same_vocabulary(place: str, vocabulary_sha256: str, bundle: Bundle) -> None:
    """Refuse what was made for a bundle with other items: its ids would mean others."""
    if vocabulary_sha256 != bundle.manifest.vocabulary.items.sha256:
        raise RequestError(f"{place} was made for a bundle with other items than {bundle.path}. Make it for this one.")


def _is_set(one: object) -> bool:
    return isinstance(one, AllowedSet) or (isinstance(one, Iterable) and not isinstance(one, str | bytes))
