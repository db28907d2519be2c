"""Softmax cross-entropy over the whole catalogue, in pieces of bounded memory.

``loss = Σ_p (log Σ_i exp(h_p · v_i) - h_p · v_target)``, with the gradients ``softmax V - v_target`` for h and
``softmaxᵀ H - onehotᵀ H`` for V. That logits are never stored is also the idea of Cut Cross-Entropy (Wijmans et al.
2024, arXiv 2411.09009), which computes them again for the gradient; here both are taken from one piece.
"""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.training.losses.inputs import LossInputs

__all__ = ["cross_entropy", "summed"]

MAX_LOGITS = 2**20  # Logits held at once: 4 MiB stay in the processor's cache.
MIN_ROWS = 64  # Positions taken at once, however large the catalogue: fewer would make the products slow.


def summed(inputs: LossInputs) -> Any:
    """Return softmax cross-entropy over the whole catalogue, summed over positions."""
    return cross_entropy(inputs.hidden, inputs.table, inputs.targets)


def cross_entropy(hidden: Any, table: Any, targets: Any, max_logits: int = MAX_LOGITS) -> Any:
    """Return the summed softmax cross-entropy over the whole catalogue, without the padding row.

    The logits (P, n_items) never exist at once: positions are taken a few at a time, and the gradients are computed
    on the way, so memory does not grow with the batch and nothing is computed twice.

    Args:
        hidden: float32 (P, D), hidden states at the trained positions.
        table: float32 (V, D), the item table; row 0 is padding.
        targets: int32 (P,), item ids in [1, n_items].
        max_logits: How many logits may be held at once; at least MIN_ROWS positions are taken.

    Returns:
        float32 scalar.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator] # TensorFlow has no types
    def summed(hidden: Any, items: Any) -> tuple[Any, Any]:
        chosen = targets - 1  # `items` starts at id 1
        log_sums, pull, push = _softmax_in_pieces(hidden, items, max_logits)
        target_rows = tf.gather(items, chosen)
        loss = tf.reduce_sum(log_sums) - tf.reduce_sum(hidden * target_rows)
        hidden_gradient = pull - target_rows
        items_gradient = push - tf.math.unsorted_segment_sum(hidden, chosen, tf.shape(items)[0])
        return loss, lambda upstream: (upstream * hidden_gradient, upstream * items_gradient)

    return summed(hidden, table[1:])


def _softmax_in_pieces(hidden: Any, items: Any, max_logits: int) -> tuple[Any, Any, Any]:
    """Return log Σ exp(logits) (P,), softmax @ items (P, D) and softmaxᵀ @ hidden (N, D)."""
    total, dim = tf.shape(hidden)[0], hidden.shape[-1]
    rows = tf.maximum(MIN_ROWS, max_logits // tf.shape(items)[0])

    def piece(i: Any, log_sums: Any, pull: Any, push: Any) -> tuple[Any, ...]:
        part = hidden[i * rows : (i + 1) * rows]
        logits = tf.matmul(part, items, transpose_b=True)  # (rows, N)
        log_sum = tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
        softmax = tf.exp(logits - log_sum)
        log_sums = log_sums.write(i, log_sum[:, 0])
        pull = pull.write(i, tf.matmul(softmax, items))
        return i + 1, log_sums, pull, push + tf.matmul(softmax, part, transpose_a=True)

    pieces = tf.maximum(1, -(-total // rows))  # a worker may have no position in a step
    empty = tf.TensorArray(hidden.dtype, size=pieces, infer_shape=False, element_shape=[None])
    empty_rows = tf.TensorArray(hidden.dtype, size=pieces, infer_shape=False, element_shape=[None, dim])
    _, log_sums, pull, push = tf.while_loop(
        lambda i, *_: i < pieces,
        piece,
        (tf.constant(0), empty, empty_rows, tf.zeros_like(items)),
        parallel_iterations=1,
    )
    return log_sums.concat(), pull.concat(), push
