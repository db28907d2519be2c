"""The losses, summed over the positions that hold a target: from hidden states and rows of the item table."""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

__all__ = ["binary_cross_entropy", "cross_entropy", "gbce_power", "sampled_softmax", "target_logits", "to_negatives"]

MASKED = -1e9  # Logit of a negative that counts for nothing.
MAX_LOGITS = 2**20  # Logits held at once by cross_entropy: 4 MiB stay in the processor's cache.
MIN_ROWS = 64  # Positions taken at once, however large the catalogue: fewer would make the products slow.


def target_logits(hidden: Any, target_rows: Any) -> Any:
    """Return float32 (P,) from hidden states and the targets' rows of the item table, both float32 (P, D)."""
    return tf.reduce_sum(hidden * target_rows, axis=-1)


def to_negatives(hidden: Any, rows: Any, negatives: Any, targets: Any) -> Any:
    """Return the logits of negatives, MASKED where one is no negative.

    Args:
        hidden: float32 (P, D), hidden states at the trained positions.
        rows: float32 (S, D) or (P, S, D), the negatives' rows of the item table.
        negatives: int32 (S,) or (P, S), item ids; 0 counts for nothing.
        targets: int32 (P,), item ids. A negative equal to its position's target is an accidental hit.

    Returns:
        float32 (P, S).
    """
    shared = negatives.shape.rank == 1
    logits = tf.matmul(hidden, rows, transpose_b=True) if shared else tf.einsum("pd,psd->ps", hidden, rows)
    wrong = (negatives == 0) | (negatives == targets[:, None])
    return tf.where(wrong, MASKED, logits)


def binary_cross_entropy(positive: Any, negative: Any, power: float = 1.0, *, mean: bool = True) -> Any:
    """Return the summed loss of telling each target from its negatives.

    Args:
        positive: float32 (P,), logits of the targets.
        negative: float32 (P, S), logits of the negatives, see to_negatives.
        power: The exponent β of generalised BCE, see gbce_power; 1 for plain BCE.
        mean: Whether the negatives of a position weigh as much as its target together, or each.

    Returns:
        float32 scalar: -β log σ(target), and -log(1 - σ(negative)) over the negatives, both by softplus, which stays
        finite.

    Source: Kang & McAuley 2018, equation 6; Petrov & Macdonald 2023, equation 12 (gBCE).
    """
    pushed = tf.reduce_sum(tf.nn.softplus(negative), axis=-1)
    if mean:
        pushed /= tf.maximum(tf.reduce_sum(tf.cast(negative > MASKED, negative.dtype), axis=-1), 1.0)
    return power * tf.reduce_sum(tf.nn.softplus(-positive)) + tf.reduce_sum(pushed)


def gbce_power(calibration: float, num_negatives: int, n_items: int) -> float:
    """Return the exponent β that undoes the overconfidence of sampled negatives.

    Args:
        calibration: t in [0, 1]: 0 gives plain BCE (β = 1), 1 probabilities as calibrated as full softmax.
        num_negatives: Negatives per position.
        n_items: Catalogue size without the padding id.

    Source: Petrov & Macdonald, "gSASRec", RecSys 2023, equation 15.
    """
    rate = min(1.0, num_negatives / max(1, n_items - 1))
    return rate * (calibration * (1 - 1 / rate) + 1 / rate)


def sampled_softmax(positive: Any, negative: Any) -> Any:
    """Return the summed softmax cross-entropy of each target among its negatives.

    Where the negatives are not drawn uniformly, the log of each id's chance must be taken off all logits first
    (logQ): the sum then estimates the one over the whole catalogue.

    Args:
        positive: float32 (P,), logits of the targets.
        negative: float32 (P, S), logits of the negatives, see to_negatives.

    Source: Bengio & Senécal 2008; Yi et al. 2019 (logQ).
    """
    highest = tf.stop_gradient(tf.maximum(positive, tf.reduce_max(negative, axis=-1)))
    others = tf.reduce_sum(tf.exp(negative - highest[:, None]), axis=-1)
    return tf.reduce_sum(tf.math.log(tf.exp(positive - highest) + others) + highest - positive)


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
