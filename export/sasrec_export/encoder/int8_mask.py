"""The mask of attention where logits are int8.

The float mask of -1e9 among logits of size ten would leave one step of int8 for all of them. Instead a masked key gets
a value just below the range of the logits, far enough that a softmax gives it nothing.
"""

import math
from typing import Final

__all__ = ["masking_value"]

# An int8 softmax has the scale 1/256, so 1/512 is half a step and rounds to nothing.
SOFTMAX_STEPS: Final = 512
"""A masked key keeps less than this share of the smallest visible one's weight: below half a step of int8."""


def masking_value(lowest: float, highest: float) -> float:
    """Return what to add to the logit of a masked key: ``-(highest - lowest + ln 512)``.

    The exponential of the largest masked logit is then at most 1/512 of that of the lowest visible one.

    Args:
        lowest: Smallest logit that was measured, without the mask.
        highest: Largest logit that was measured, without the mask.
    """
    return -(highest - lowest + math.log(SOFTMAX_STEPS))
