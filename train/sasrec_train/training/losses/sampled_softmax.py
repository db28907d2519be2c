"""Softmax cross-entropy over each target and its sampled negatives, corrected for how they are drawn (logQ).

``loss = -log(exp(s⁺) / (exp(s⁺) + Σ exp(s⁻ - log(S q))))``, q the chance of the negative in one of S draws.
"""

import math
from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.training.losses.inputs import LossInputs

__all__ = ["sampled_softmax", "summed"]


def summed(inputs: LossInputs) -> Any:
    """Return sampled softmax summed over positions.

    Where all positions of a step share S draws from q, log(S q) is subtracted from the logit of each negative, so that
    the sum over them is in expectation that over all other items. The target is not drawn: it is always in the
    denominator, and its logit is left as it is.

    Source: Khrylchenko et al. 2025, "Correcting the LogQ Correction" (arXiv 2507.09331); their weight 1 - p(target) of
    a position is what the gradient of this form holds by itself.
    """
    positive, negative = inputs.target_logits(), inputs.negative_logits()
    if inputs.log_probabilities is not None:
        draws = math.log(inputs.config.num_negatives)
        negative -= tf.gather(inputs.log_probabilities, inputs.negatives) + draws
    return sampled_softmax(positive, negative)


def sampled_softmax(positive: Any, negative: Any) -> Any:
    """Return the summed softmax cross-entropy of each target among its negatives.

    Args:
        positive: float32 (P,), logits of the targets.
        negative: float32 (P, S), logits of the negatives, see to_negatives.

    Returns:
        float32 scalar.

    Source: Bengio & Senécal 2008.
    """
    # The largest logit is taken out before the exponential, so that it cannot overflow; it cancels in the gradient.
    highest = tf.stop_gradient(tf.maximum(positive, tf.reduce_max(negative, axis=-1)))
    others = tf.reduce_sum(tf.exp(negative - highest[:, None]), axis=-1)
    return tf.reduce_sum(tf.math.log(tf.exp(positive - highest) + others) + highest - positive)
