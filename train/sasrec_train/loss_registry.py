"""The losses by name: what `--loss` and `TrainConfig.loss` can say. Importing this loads no TensorFlow.

To add a loss, write a function of LossInputs and put a Loss into LOSSES. Nothing else knows its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sasrec_train.training.losses.inputs import LossInputs

__all__ = ["AUTO", "LOSSES", "MAX_FULL_SOFTMAX", "Loss", "automatic", "names"]

AUTO = "auto"
MAX_FULL_SOFTMAX = 5000  # Items; beyond, softmax over the whole catalogue costs more than the network.


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, and what a training step must prepare for it."""

    summed: "Callable[[LossInputs], Any]"
    """The loss summed over the positions of a step: LossInputs to a float32 scalar, as TensorFlow operations. Called
    while the step is compiled."""
    help: str
    """What it is, in a few words, for `--help`."""
    samples: bool = False
    """Whether it reads negatives."""
    whole_table: bool = False
    """Whether it reads all item vectors. Otherwise a step reads those of its items only."""
    options: tuple[str, ...] = ()
    """Fields of TrainConfig that this loss alone reads."""


def _cross_entropy(inputs: "LossInputs") -> Any:
    from sasrec_train.training.losses import cross_entropy  # noqa: PLC0415 - TensorFlow

    return cross_entropy.summed(inputs)


def _sampled_softmax(inputs: "LossInputs") -> Any:
    from sasrec_train.training.losses import sampled_softmax  # noqa: PLC0415 - TensorFlow

    return sampled_softmax.summed(inputs)


def _binary_cross_entropy(inputs: "LossInputs") -> Any:
    from sasrec_train.training.losses import binary_cross_entropy  # noqa: PLC0415 - TensorFlow

    return binary_cross_entropy.summed(inputs)


def _gbce(inputs: "LossInputs") -> Any:
    from sasrec_train.training.losses import binary_cross_entropy  # noqa: PLC0415 - TensorFlow

    return binary_cross_entropy.summed_gbce(inputs)


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(_cross_entropy, "softmax over the whole catalogue", whole_table=True),
    "sampled_softmax": Loss(_sampled_softmax, "softmax over the target and sampled negatives, with logQ", samples=True),
    "binary_cross_entropy": Loss(_binary_cross_entropy, "each target against sampled negatives", samples=True),
    "gbce": Loss(_gbce, "the same, calibrated for the sampling rate", samples=True, options=("gbce_calibration",)),
}
"""The losses by name."""


def names() -> tuple[str, ...]:
    """Return what TrainConfig.loss can be: AUTO and the names of the losses."""
    return AUTO, *LOSSES


def automatic(n_items: int) -> str:
    """Return the loss that AUTO stands for on a catalogue of that size."""
    return "cross_entropy" if n_items <= MAX_FULL_SOFTMAX else "sampled_softmax"
