"""How far a warm start moved the item table: what an app that has the old one would have to fetch again."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["moved_share"]

INT8_MAX = 127
CHUNK = 2**16  # Rows compared at once.


def moved_share(old: NDArray[np.float32], new: NDArray[np.float32]) -> float:
    """Return the share of entries that changed by more than half an int8 step of their row.

    A step of a row is max|row| / 127 of the old table, as in an int8 table with one scale per item.

    Args:
        old: (N, D). Item vectors before.
        new: (N, D). The same items after.
    """
    moved = 0
    for first in range(0, len(old), CHUNK):
        before, after = old[first : first + CHUNK], new[first : first + CHUNK]
        step = np.abs(before).max(axis=1, keepdims=True) / INT8_MAX
        moved += int(np.count_nonzero(np.abs(after - before) > step / 2))
    return moved / old.size if old.size else 0.0
