"""Sets of item ids as sorted arrays: what a request excludes or allows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.signature import PAD_ID

__all__ = ["distinct", "is_disjoint", "union", "without"]


def distinct(item_ids: Sequence[int]) -> NDArray[np.int32]:
    """Return ids in ascending order, each once, without padding: int32 (distinct ids,)."""
    ordered = np.sort(np.array(item_ids, np.int32))  # np.unique takes ten times as long
    keep = ordered != PAD_ID
    keep[1:] &= ordered[1:] != ordered[:-1]
    kept: NDArray[np.int32] = ordered[keep]
    return kept


def union(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the union of two sets of ids, in ascending order.

    The time hardly grows with the larger one, which may be a whole catalogue.
    """
    large, small = (first, second) if len(first) >= len(second) else (second, first)
    if not len(small):
        return large
    places = np.searchsorted(large, small)
    is_new = large[np.minimum(places, len(large) - 1)] != small
    return np.insert(large, places[is_new], small[is_new]) if is_new.any() else large


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
    wanted = np.array(some, np.int32)  # of one dtype: numpy would convert the whole set
    places = np.searchsorted(item_ids, wanted)
    places[places == len(item_ids)] = 0
    return not bool((item_ids[places] == wanted).any())
