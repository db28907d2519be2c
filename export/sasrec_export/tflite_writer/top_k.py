"""Exclusion and exact top-k over rows of scores, in TensorFlow, of operators that TFLite has built in.

The same search as in ONNX, see ``top_k``: for large catalogues the best of each block first, then the items of the k
best blocks, in the order of ids so that ties go to the lower id.
"""

from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - part of the graph that the TFLite converter takes

from sasrec_export.search_plan import SearchPlan

__all__ = ["exclude", "top_k"]

WORTHWHILE = 0.5
"""Share of all rows that the chosen blocks may hold; of more, two stages are slower than one."""


def exclude(scores: Any, ids: Any, search: SearchPlan) -> Any:
    """Return scores float32 (B, rows) with -inf for `ids` int32 (B, E), padding and rows that only fill a block.

    Added, not sliced or scattered into the scores: those builtins copy the whole row of scores.
    """
    batch = scores.shape[0]
    always = np.array([search.always_excluded], np.int32)
    columns = tf.concat([tf.constant(np.repeat(always, batch, axis=0)), ids], 1)
    if batch > 1:  # one long row: SCATTER_ND then takes plain places
        columns += tf.constant(np.arange(batch, dtype=np.int32)[:, None] * search.rows)
    places = tf.reshape(columns, [-1, 1])
    hidden = tf.zeros_like(tf.cast(tf.reshape(columns, [-1]), tf.float32)) - np.inf
    return scores + tf.reshape(tf.scatter_nd(places, hidden, [batch * search.rows]), [batch, search.rows])


def top_k(scores: Any, k: int, search: SearchPlan) -> tuple[Any, Any]:
    """Return scores float32 (B, k), best first, and their rows int32 (B, k), equal scores by lower row first."""
    block, n_blocks = search.block, search.rows // max(1, search.block)
    if not block or k * block > WORTHWHILE * search.rows:
        values, rows = tf.math.top_k(scores, k)
        return values, rows
    blocks = tf.reshape(scores, [-1, n_blocks, block])
    _, chosen = tf.math.top_k(tf.reduce_max(blocks, axis=-1), k)  # (B, k)
    chosen = -tf.math.top_k(-chosen, k)[0]
    candidates = tf.reshape(tf.gather(blocks, chosen, batch_dims=1), [-1, k * block])
    values, places = tf.math.top_k(candidates, k)
    nth = places // block
    return values, tf.gather(chosen, nth, batch_dims=1) * block + (places - nth * block)
