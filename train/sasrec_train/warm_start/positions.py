"""Position embeddings for another max_len: positions count from the newest, so the newest rows are the same ones."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["mapped"]


def mapped(old: NDArray[np.float32], max_len: int, *, older: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return an array of position rows (max_len, D) with the newest rows of `old`.

    Args:
        old: (T, D). The last row is that of the newest position.
        max_len: Rows that are wanted.
        older: (D,). What positions older than those of `old` hold; the oldest row of `old` by default, for the
            network has learned how to read what stands furthest back.
    """
    if max_len <= len(old):
        return old[len(old) - max_len :]
    first = old[0] if older is None else older
    return np.concatenate([np.tile(first, (max_len - len(old), 1)), old])
