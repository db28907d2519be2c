"""What a loss gets: hidden states, targets and negatives of one step, and the logits that most losses start from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf  # noqa: TID251 - the training graph is built here

from sasrec_train.config import TrainConfig

__all__ = ["MASKED", "LossInputs", "target_logits", "to_negatives"]

MASKED = -1e9  # Logit of a masked negative.


@dataclass(frozen=True, slots=True)
class LossInputs:
    """Tensors of one step at its P trained positions. V is n_items + 1, D the width, S negatives are drawn."""

    hidden: Any
    """float32 (P, D), hidden states."""
    targets: Any
    """int32 (P,), the item ids that follow, each in [1, n_items]."""
    negatives: Any
    """int32 (S,) shared by all positions, or (P, S), item ids; 0 stands for none. Losses that do not sample: (0,)."""
    item_vectors: Callable[[Any], Any]
    """Item vectors by id: int32 of any shape (…) to float32 (…, D). Without `table` only ids of this step are known."""
    table: Any | None
    """float32 (V, D), all item vectors, row 0 is padding; None unless the loss reads the whole table."""
    log_probabilities: Any | None
    """float32 (V,), log of the chance q of each id per shared draw (logQ); None where positions draw their own."""
    n_items: int
    """Catalogue size without the padding id."""
    config: TrainConfig
    """The training configuration."""

    def target_logits(self) -> Any:
        """Return the logits of the targets, float32 (P,)."""
        return target_logits(self.hidden, self.item_vectors(self.targets))

    def negative_logits(self) -> Any:
        """Return the logits of the negatives, float32 (P, S), MASKED where there is none or it equals the target."""
        return to_negatives(self.hidden, self.item_vectors(self.negatives), self.negatives, self.targets)


def target_logits(hidden: Any, target_rows: Any) -> Any:
    """Return float32 (P,) from hidden states and the targets' rows of the item table, both float32 (P, D)."""
    return tf.reduce_sum(hidden * target_rows, axis=-1)


def to_negatives(hidden: Any, rows: Any, negatives: Any, targets: Any) -> Any:
    """Return the logits of negatives, MASKED where there is no negative.

    Args:
        hidden: float32 (P, D), hidden states at the trained positions.
        rows: float32 (S, D) or (P, S, D), the negatives' rows of the item table.
        negatives: int32 (S,) or (P, S), item ids; 0 stands for none.
        targets: int32 (P,), item ids. A negative equal to its position's target is an accidental hit.

    Returns:
        float32 (P, S).
    """
    shared = negatives.shape.rank == 1  # one product for all positions, where they share their negatives
    logits = tf.matmul(hidden, rows, transpose_b=True) if shared else tf.einsum("pd,psd->ps", hidden, rows)
    # Accidental hits: a target must not be pushed down as its own negative.
    wrong = (negatives == 0) | (negatives == targets[:, None])
    return tf.where(wrong, MASKED, logits)
