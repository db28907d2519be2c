"""Histories as the array a graph reads: newest item last, padding on the left.

Laws, for any history `h`, older items `o` and lengths `m`, `n`:

- The last ``min(len(h), m)`` columns of ``encode(h, max_len=m)`` are the last items of `h`, all others PAD_ID.
- ``encode(o + h, max_len=m) == encode(h, max_len=m)`` when ``len(h) >= m``: older items change nothing.
- ``fit(encode(h, max_len=m), n) == encode(h[-m:], max_len=n)``: padding twice is padding once.
- Row `i` of ``encode_batch(hs, max_len=m)`` is ``encode(hs[i], max_len=T)``, T its number of columns.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.signature import PAD_ID

__all__ = ["encode", "encode_batch", "fit"]


def encode(history: Sequence[int], *, max_len: int) -> NDArray[np.int32]:
    """Return the model input for one history.

    Args:
        history: Item ids, oldest first. May be empty.
        max_len: Columns of the result; at least 1.

    Returns:
        (1, max_len). The last max_len ids; free places on the left hold PAD_ID.

    Source: kang205/SASRec util.py `evaluate` (left padding, truncation).
    """
    encoded = np.full((1, max_len), PAD_ID, np.int32)
    newest = history[-max_len:]
    if len(newest):
        encoded[0, -len(newest) :] = newest
    return encoded


def encode_batch(histories: Sequence[Sequence[int]], *, max_len: int) -> NDArray[np.int32]:
    """Return the model input for several histories.

    Args:
        histories: Item ids of each user, oldest first. Any may be empty.
        max_len: Columns at most.

    Returns:
        (B, T), T the longest history, but at least 1 and at most max_len.
    """
    newest = [history[-max_len:] for history in histories]
    lengths = np.fromiter(map(len, newest), np.intp, len(newest))
    columns = int(lengths.max(initial=1))
    encoded = np.full((len(newest), columns), PAD_ID, np.int32)
    encoded[np.arange(columns) >= columns - lengths[:, np.newaxis]] = np.fromiter(
        chain.from_iterable(newest), np.int32, int(lengths.sum())
    )
    return encoded


def fit(history: NDArray[np.int32], columns: int) -> NDArray[np.int32]:
    """Return `history` (B, T) as (B, columns): the newest ids, padded on the left."""
    missing = columns - history.shape[1]
    if missing <= 0:
        return history[:, -missing:]
    fitted = np.full((len(history), columns), PAD_ID, np.int32)  # np.pad takes ten times as long
    fitted[:, missing:] = history
    return fitted
