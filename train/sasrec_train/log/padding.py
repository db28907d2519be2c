"""Histories as the array a network reads: newest item last, padding on the left."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["left_padded"]


def left_padded(
    item_ids: NDArray[np.int32],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    width: int,
) -> NDArray[np.int32]:
    """Return histories as rows, newest item last, padded on the left.

    Args:
        item_ids: (N,). Item ids of all histories, one history after the other.
        ends: (B,). Index after the newest item of each history.
        lengths: (B,). Items taken of each, at most width.
        width: Columns.

    Returns:
        (B, width); free positions on the left hold PAD_ID (0).
    """
    column = np.arange(width) - width  # -width … -1
    index = ends[:, None] + column
    return np.where(column >= -lengths[:, None], item_ids[np.maximum(index, 0)], 0).astype(np.int32)
