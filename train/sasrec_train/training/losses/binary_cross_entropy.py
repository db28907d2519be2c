"""Binary cross-entropy of each target against its sampled negatives, plain and generalised (gBCE)."""

from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.training.losses.inputs import MASKED, LossInputs

__all__ = ["binary_cross_entropy", "gbce_power", "summed", "summed_gbce"]


def summed(inputs: LossInputs) -> Any:
    """Return binary cross-entropy summed over positions; a position's negatives weigh as much as its target."""
    return binary_cross_entropy(inputs.target_logits(), inputs.negative_logits())


def summed_gbce(inputs: LossInputs) -> Any:
    """Return gBCE summed over positions, each divided by its 1 + S terms.

    gBCE (generalised binary cross-entropy): ``-log(σ(s⁺)^β) - Σ log(1 - σ(s⁻))``.
    """
    config = inputs.config
    power = gbce_power(config.gbce_calibration, config.num_negatives, inputs.n_items)
    loss = binary_cross_entropy(inputs.target_logits(), inputs.negative_logits(), power, mean=False)
    return loss / (config.num_negatives + 1)


def binary_cross_entropy(positive: Any, negative: Any, power: float = 1.0, *, mean: bool = True) -> Any:
    """Return binary cross-entropy summed over positions.

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
    # -log(1 - σ(x)) = softplus(x). A masked logit of -1e9 gives exactly 0.
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
    # ``β = α (t (1 - 1/α) + 1/α)``, α the share of the other items that is drawn.
    rate = min(1.0, num_negatives / max(1, n_items - 1))
    return rate * (calibration * (1 - 1 / rate) + 1 / rate)
