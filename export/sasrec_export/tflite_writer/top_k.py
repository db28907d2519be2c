"""Exclusion and exact top-k over rows of scores, in TensorFlow, of operators that TFLite has built in.

The two-stage search is that of `search_plan`. The chosen blocks are sorted by their index before the second stage, so
that their items stand in the order of ids and ties go to the lower id: TOPK_V2 prefers the lower index.
"""

from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - part of the graph that the TFLite converter takes

from sasrec_export.search_plan import SearchPlan

__all__ = ["exclude", "top_k"]

WORTHWHILE = 0.5
"""Share of all rows that the chosen blocks may hold; of more, two stages are slower than one."""


def exclude(scores: Any, ids: Any, search: SearchPlan) -> Any:
    """Return scores float32 (B, rows) with -inf for `ids` int32 (B, E) and for the rows that are always excluded.

    SCATTER_ND writes the -inf into a row of zeros, which is added to the scores. The builtins that write into a given
    tensor would copy the whole row of scores.

    Args:
        scores: float32 (B, rows).
        ids: int32 (B, E), each in 0…n_items.
        search: How the rows are searched.
    """
    batch = scores.shape[0]
    always = np.array([search.always_excluded], np.int32)
    columns = tf.concat([tf.constant(np.repeat(always, batch, axis=0)), ids], 1)
    if batch > 1:  # the batch as one long row, which one index addresses
        columns += tf.constant(np.arange(batch, dtype=np.int32)[:, None] * search.rows)
    indices = tf.reshape(columns, [-1, 1])
    minus_infinity = tf.zeros_like(tf.cast(tf.reshape(columns, [-1]), tf.float32)) - np.inf
    return scores + tf.reshape(tf.scatter_nd(indices, minus_infinity, [batch * search.rows]), [batch, search.rows])


def top_k(scores: Any, k: int, search: SearchPlan) -> tuple[Any, Any]:
    """Return scores float32 (B, k), best first, and their rows int32 (B, k), equal scores by lower row first.

    Args:
        scores: float32 (B, rows).
        k: Rows to return.
        search: How the rows are searched.
    """
    block, n_blocks = search.block, search.rows // max(1, search.block)
    if not block or k * block > WORTHWHILE * search.rows:
        values, rows = tf.math.top_k(scores, k)
        return values, rows
    blocks = tf.reshape(scores, [-1, n_blocks, block])
    _, chosen = tf.math.top_k(tf.reduce_max(blocks, axis=-1), k)  # (B, k)
    chosen = -tf.math.top_k(-chosen, k)[0]  # ascending
    candidates = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [-1, k * block])
    values, places = tf.math.top_k(candidates, k)
    nth = places // block
    return values, tf.gather(chosen, nth, batch_dims=1) * block + (places - nth * block)
