"""What a request says about groups, checked: which items it leaves out, and how many of one group it takes."""

import operator
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import RequestError, shown
from sasrec_runtime.selection import allowed_set
from sasrec_runtime.selection.groups import NO_GROUP, Groups, as_names

__all__ = ["LimitNames", "Limits", "limits_of"]


class LimitNames(TypedDict, total=False):
    """The arguments of a request about groups, by their names."""

    groups: Groups | None
    """The groups of the items."""
    exclude_groups: Sequence[str] | None
    """Names of groups whose items not to return; None: no group."""
    at_most_per_group: int | None
    """Items of one group at most; None: any number."""


class Limits(NamedTuple):
    """What holds for every answer of a call."""

    left_out: NDArray[np.int32]
    """Items of excluded groups, ids in ascending order."""
    groups: Groups | None
    """The groups that `at_most` counts; None: nothing is counted."""
    at_most: int
    """Items of one group in an answer at most. Items without a group are not counted."""

    def taken(self, item_ids: Iterable[int], k: int, before: Counter[int]) -> list[int]:
        """Return which places of a ranking to take: from the best down, until there are k or it ends.

        Law: taking each item whose group has room, from the best down, gives the k best under the limit. For an item is
        passed over only where `at_most` better ones of its group were taken.

        Args:
            item_ids: The ranking, the best first.
            k: Places to take at most.
            before: Group → items of it that the answer holds already; counted on.
        """
        if self.groups is None:
            return list(range(min(k, len(list(item_ids)))))
        of_item = self.groups.of_item
        places: list[int] = []
        for place, item_id in enumerate(item_ids):
            if len(places) == k:
                break
            group = int(of_item[item_id])
            if group != NO_GROUP:
                if before[group] == self.at_most:
                    continue
                before[group] += 1
            places.append(place)
        return places

    def full(self, counts: Counter[int]) -> NDArray[np.int32]:
        """Return the items of the groups that have no room left, in ascending order."""
        if self.groups is None:
            return np.empty(0, np.int32)
        return self.groups.items_of(group for group, count in counts.items() if count == self.at_most)


def limits_of(
    groups: Groups | None, exclude_groups: Sequence[str] | None, at_most_per_group: int | None, bundle: Bundle
) -> Limits:
    """Return what these arguments of a request mean.

    Raises:
        RequestError: A group is not there, the limit is not a whole number from 1, there are no groups for them, or the
            groups are those of another bundle.
    """
    if groups is not None and not isinstance(groups, Groups):
        raise RequestError(
            f"groups is {shown(groups)}, expected Groups. "
            "Make them once, by Groups.load(file, recommender) or Groups.of(mapping, recommender)."
        )
    excluded = [] if exclude_groups is None else as_names(exclude_groups, "exclude_groups")
    at_most = None if at_most_per_group is None else _whole(at_most_per_group)
    if groups is None:
        needs = "at_most_per_group" if at_most is not None else "exclude_groups"
        if at_most is not None or excluded:
            raise RequestError(f"{needs} is given without groups, expected both. Give the groups of the items, too.")
        return Limits(np.empty(0, np.int32), None, 0)
    allowed_set.check_same_vocabulary("groups", groups.vocabulary_sha256, bundle)
    left_out = groups.members(excluded)
    return Limits(left_out, groups if at_most is not None else None, at_most or 0)


def _whole(at_most: int) -> int:
    try:
        number = int(operator.index(at_most))
    except TypeError as error:
        raise RequestError(f"at_most_per_group is {shown(at_most)}, expected a whole number from 1.") from error
    if number < 1:
        raise RequestError(f"at_most_per_group is {number}, expected at least 1. Exclude groups by exclude_groups.")
    return number
