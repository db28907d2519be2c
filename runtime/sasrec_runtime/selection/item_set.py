"""Sets of item ids as sorted arrays: what a request excludes or allows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.signature import PAD_ID

__all__ = ["distinct", "is_disjoint", "union", "without"]


def distinct(item_ids: Sequence[int]) -> NDArray[np.int32]:
    """Return ids in ascending order, each once, without padding: int32 (distinct ids,)."""
    found = np.unique(np.array(item_ids, np.int32))
    return found[1:] if len(found) and found[0] == PAD_ID else found


def union(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the union of two sets of ids, in ascending order."""
    if not len(first) or not len(second):
        return first if len(first) else second
    both: NDArray[np.int32] = np.union1d(first, second)
    return both


def without(item_ids: NDArray[np.int32], left_out: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the ids of a set that are not in `left_out`; both in ascending order, each id once.

    The time hardly grows with `item_ids`, which may be a whole catalogue.
    """
    if not len(left_out) or not len(item_ids):
        return item_ids
    places = np.searchsorted(item_ids, left_out)
    places[places == len(item_ids)] = 0  # beyond the last one: any place holds another id
    found = places[item_ids[places] == left_out]
    return np.delete(item_ids, found) if len(found) else item_ids


def is_disjoint(item_ids: NDArray[np.int32], some: Sequence[int]) -> bool:
    """Say whether none of `some`, a few ids, is in a set of ids in ascending order."""
    if not len(item_ids):
        return True
    places = np.searchsorted(item_ids, some)
    places[places == len(item_ids)] = 0
    return not bool((item_ids[places] == some).any())
