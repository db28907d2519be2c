"""Where a training begins that does not begin at random: weights, Adam's moments, and the table it stays near to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_STEP", "Moments", "Start", "names"]

MAX_STEP = 10**6  # Adam's bias corrections and the weight of an EMA are 1 in float32 long before.

Weights = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Moments:
    """State of Adam, for each trained weight of a network in the order of SASRec.trainable_variables."""

    step: int
    """Steps taken so far; 0 or more."""
    first: Weights
    """First moments, each of the weight's shape."""
    second: Weights
    """Second moments, of the same shapes; none is negative."""


@dataclass(frozen=True, slots=True)
class Start:
    """The state that training begins with."""

    weights: Weights
    """Of each trained weight, in the order of SASRec.trainable_variables."""
    moments: Moments | None = None
    """State of Adam; None: it begins anew. With it the EMA of the weights goes on too, from `weights`."""
    near: NDArray[np.float32] | None = None
    """(V, D). Item vectors that the table is pulled to; None: nothing is."""
    is_near: NDArray[np.bool_] | None = None
    """(V,). Rows of `near` that are pulled to it."""
    stay_near: float = 0.0
    """Weight of the squared distance of the rows that a step reads from those of `near`."""


def names(network: Any) -> list[str]:
    """Return the name of each trained weight, such as block_0/ffn_1/kernel, in the order of trainable_variables."""
    return [weight.path.partition("/")[2] for weight in network.trainable_variables]
