"""Widths of the dimensions in which user vectors and items meet, so that rounding both loses least.

A score is ``(user / s) · (item · s)`` for any positive s. User vectors have a few large dimensions and many small ones,
and one step for all; dividing by s evens them out, at the price of the same unevenness in the items. How far to go is
measured.
"""

import numpy as np
from numpy.typing import NDArray

from sasrec_export import quantize
from sasrec_export.quantize import QuantizedTable

__all__ = ["quantize_stretched"]

EXPONENTS = (0.0, 0.15, 0.3, 0.5)
"""How far the users' spread is evened out: not at all, …, 1 would be wholly."""
USER_LEVELS = 127
ITEMS, USERS, K = 8192, 512, 10
"""Sample that the exponents are compared on, and the list whose overlap counts."""


def quantize_stretched(
    table: NDArray[np.float32], users: NDArray[np.float32], levels: int, *, seed: int = 0
) -> QuantizedTable:
    """Return `table` in integers, stretched as keeps most of the users' top lists when user vectors are rounded too.

    Args:
        table: float32 (V, D).
        users: float32 (R, D), real user vectors.
        levels: Largest integer of an entry.
        seed: Of the sample.

    Source: SmoothQuant (Xiao et al. 2023), for the two sides of a score.
    """
    rng = np.random.default_rng(seed)
    items = table[np.sort(rng.choice(len(table), min(ITEMS, len(table)), replace=False))]
    some = users[:USERS]
    exact = _top(some @ items.T)
    kept = []
    for exponent in EXPONENTS:
        rounded = _quantize(items, users, levels, exponent)
        kept.append(
            _overlap(exact, _top(_rounded(some / rounded.stretch) @ (rounded.dequantize() * rounded.stretch).T))
        )
    return _quantize(table, users, levels, EXPONENTS[int(np.argmax(kept))])


def _quantize(table: NDArray[np.float32], users: NDArray[np.float32], levels: int, exponent: float) -> QuantizedTable:
    moment = users.astype(np.float64).T @ users / len(users)
    spread = np.maximum(np.diag(moment), 1e-6 * max(np.trace(moment), 1e-30) / len(moment)) ** (exponent / 2)
    stretch = (spread / np.exp(np.log(spread).mean())).astype(np.float32)
    plain = quantize.quantize_for_users(table * stretch, moment / np.outer(stretch, stretch), levels)
    return QuantizedTable(plain.values, plain.scales, stretch)


def _rounded(users: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return user vectors as integer scoring sees them: USER_LEVELS on each side of zero."""
    step = np.maximum(np.abs(users).max(axis=1, keepdims=True) / USER_LEVELS, np.finfo(np.float32).tiny)
    rounded: NDArray[np.float32] = np.rint(users / step) * step
    return rounded


def _top(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def _overlap(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> float:
    return float((ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean())
