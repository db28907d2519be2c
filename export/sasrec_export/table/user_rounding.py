"""How integer scoring rounds a user vector: symmetric int8, one scale per vector, found at run time (dynamic).

``s = max|u| / 127`` and ``u ≈ s · round(u / s)``, as the integer kernels of both runtimes do it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["USER_QMAX", "round_users", "user_steps"]

USER_QMAX: Final = 127
"""Largest integer of a user vector's entry, on both sides of zero, in every engine's integer kernels."""


def user_steps(users: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the step of each user vector (B, D), float32 (B, 1): its largest magnitude over USER_QMAX, never zero."""
    peak = np.abs(users).max(axis=1, keepdims=True)
    steps: NDArray[np.float32] = np.maximum(peak / USER_QMAX, np.finfo(np.float32).tiny)
    return steps


def round_users(users: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return user vectors (B, D) as integer scoring sees them, float32 (B, D), in their own units."""
    steps = user_steps(users)
    rounded: NDArray[np.float32] = np.rint(users / steps) * steps
    return rounded
