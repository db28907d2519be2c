"""The two losses, on logits, summed over the positions that hold a target."""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

__all__ = ["binary_cross_entropy", "cross_entropy"]

MAX_LOGITS = 2**20  # Logits held at once by cross_entropy: 4 MiB stay in the processor's cache.
MIN_ROWS = 64  # Positions taken at once, however large the catalogue: fewer would make the products slow.


def binary_cross_entropy(hidden: Any, table: Any, targets: Any, negatives: Any) -> Any:
    """Return the summed loss of telling each target from sampled negatives.

    Args:
        hidden: float32 (P, D), hidden states at the trained positions.
        table: float32 (V, D), the item table.
        targets: int32 (P,), item ids.
        negatives: int32 (P, S), item ids; 0 counts for nothing.

    Returns:
        float32 scalar: -log σ(target logit), and the mean over negatives of -log(1 - σ(logit)), both by softplus, which
        stays finite.

    Source: Kang & McAuley 2018, equation 6.
    """
    positive = tf.reduce_sum(hidden * tf.gather(table, targets), axis=-1)  # (P,)
    negative = tf.einsum("pd,psd->ps", hidden, tf.gather(table, negatives))
    weight = tf.cast(negatives > 0, negative.dtype)
    weight /= tf.maximum(tf.reduce_sum(weight, axis=-1, keepdims=True), 1.0)
    return tf.reduce_sum(tf.nn.softplus(-positive)) + tf.reduce_sum(weight * tf.nn.softplus(negative))


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
        chosen = targets - 1
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

    pieces = -(-total // rows)
    empty = tf.TensorArray(hidden.dtype, size=pieces, infer_shape=False, element_shape=[None])
    empty_rows = tf.TensorArray(hidden.dtype, size=pieces, infer_shape=False, element_shape=[None, dim])
    _, log_sums, pull, push = tf.while_loop(
        lambda i, *_: i < pieces,
        piece,
        (tf.constant(0), empty, empty_rows, tf.zeros_like(items)),
        parallel_iterations=1,
    )
    return log_sums.concat(), pull.concat(), push
