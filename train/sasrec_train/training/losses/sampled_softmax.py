"""Softmax cross-entropy over each target and its sampled negatives, corrected for how they are drawn (logQ).

``loss = -log(exp(s⁺) / (exp(s⁺) + Σ exp(s⁻)))`` with ``s = logit - log q``, q the chance of the item in one draw.
"""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.training.losses.inputs import LossInputs

__all__ = ["sampled_softmax", "summed"]


def summed(inputs: LossInputs) -> Any:
    """Return sampled softmax summed over positions; log q is subtracted from the logits where draws are shared."""
    positive, negative = inputs.target_logits(), inputs.negative_logits()
    if inputs.log_probabilities is not None:
        positive -= tf.gather(inputs.log_probabilities, inputs.targets)
        negative -= tf.gather(inputs.log_probabilities, inputs.negatives)
    return sampled_softmax(positive, negative)


def sampled_softmax(positive: Any, negative: Any) -> Any:
    """Return the summed softmax cross-entropy of each target among its negatives.

    Where negatives are not drawn uniformly, log q of each id must be subtracted from its logit first (logQ): the
    expected sum over the negatives is then that over the whole catalogue.

    Args:
        positive: float32 (P,), logits of the targets.
        negative: float32 (P, S), logits of the negatives, see to_negatives.

    Returns:
        float32 scalar.

    Source: Bengio & Senécal 2008; Yi et al. 2019 (logQ).
    """
    # The largest logit is taken out before the exponential, so that it cannot overflow; it cancels in the gradient.
    highest = tf.stop_gradient(tf.maximum(positive, tf.reduce_max(negative, axis=-1)))
    others = tf.reduce_sum(tf.exp(negative - highest[:, None]), axis=-1)
    return tf.reduce_sum(tf.math.log(tf.exp(positive - highest) + others) + highest - positive)
