"""How much of the catalogue is recommended to anybody, and how evenly."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["coverage"]


def coverage(lists: NDArray[np.int32], n_items: int) -> dict[str, float]:
    """Return what part of the catalogue stands in any list.

    Args:
        lists: (H, k). Item ids; 0 where no item is left.
        n_items: Catalogue size without the padding id.

    Returns:
        "items": how many items are listed at least once. "share": that, of the catalogue. "gini": the Gini coefficient
        of how often each item of the catalogue is listed; 0 if all are alike, near 1 if a few fill all lists, 0 for
        empty lists.
    """
    listed = np.sort(np.bincount(lists[lists > 0], minlength=n_items + 1)[1:])
    items = int(np.count_nonzero(listed))
    total = int(listed.sum())
    weighted = float(listed @ (2 * np.arange(1, n_items + 1) - n_items - 1))
    return {"items": items, "share": items / n_items, "gini": weighted / (n_items * total) if total else 0.0}
