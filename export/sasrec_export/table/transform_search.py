"""Quantizing the item table in the basis that keeps most of the users' top lists.

Two reasons to leave the basis that the network was trained in:

- Where user vectors are rounded too, they have a few large dimensions and many small ones, and one step for all.
  Stretching evens them out, at the price of the same unevenness in the items.
- With few bits a step is large beside the directions in which items hardly differ, and these decide many a place.
  Turning and stretching so that items spread alike in all directions gives each its share of the levels, at the price
  of a product with a (D, D) matrix for every item looked up and every user.

How far to go is measured on a sample.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from sasrec_export.table import gptq
from sasrec_export.table import transform as basis_module
from sasrec_export.table.gptq import QuantizedTable
from sasrec_runtime.signature import PAD_ID

__all__ = ["BestBasis"]

STRETCHES = (0.0, 0.15, 0.3, 0.5)
"""How far the users' spread is evened out: not at all, …, 1 would be wholly."""
TURNS = ((0.75, 0.0), (1.0, 0.0), (0.75, 0.15), (1.0, 0.15))
"""How far the items' spread is evened out, and how far the users'."""
USER_LEVELS = 127
ITEMS, HISTORIES, K = 8192, 512, 10
"""Sample that the bases are compared on, and the list whose overlap counts."""


class BestBasis:
    """Quantizes one table.

    Args:
        table: float32 (V, D).
        histories: int32 (R, T), real ones, left-padded.
        users_of: A table (V, D) and histories → float32 (R, D), the user vectors that a model with that table has.
        cost: (D, D), of a row's error, see quantize_for_scores.
    """

    def __init__(
        self,
        table: NDArray[np.float32],
        histories: NDArray[np.int32],
        users_of: Callable[[NDArray[np.float32], NDArray[np.int32]], NDArray[np.float32]],
        cost: NDArray[np.float64],
    ) -> None:
        self._table = table
        self._cost = cost
        self._users_of = users_of
        self._histories = histories[:HISTORIES]
        spread_out = np.arange(PAD_ID, len(table), -(-len(table) // ITEMS))
        self._ids = np.union1d(self._histories, spread_out)
        self._users = users_of(table, self._histories)
        self._lists = _top(self._users @ table[self._ids].T)

    def stretched(self, levels: int) -> QuantizedTable:
        """Return the table in [-levels, levels], its dimensions stretched for users that are rounded too.

        Source: SmoothQuant (Xiao et al. 2023), for the two sides of a score.
        """
        spread = np.square(self._users, dtype=np.float64).mean(axis=0)
        return self._best(levels, (basis_module.power(spread, -share / 2) for share in STRETCHES))

    def turned(self, levels: int) -> QuantizedTable:
        """Return the table in [-levels, levels], turned and stretched so that rows and users spread more evenly."""
        items, users = ((rows.T @ rows).astype(np.float64) / len(rows) for rows in (self._table, self._users))
        return self._best(levels, (_balanced(items, users, *shares) for shares in TURNS))

    def _best(self, levels: int, bases: Iterable[NDArray[np.float32]]) -> QuantizedTable:
        return self._quantized(self._table, levels, max(bases, key=lambda basis: self._kept(levels, basis)))

    def _kept(self, levels: int, basis: NDArray[np.float32]) -> float:
        """Share of the best items of the sample's users that stay the best."""
        held = self._quantized(self._table[self._ids], levels, basis)
        read = self._table.copy()
        read[self._ids] = held.dequantize()
        users = _rounded(basis_module.times(self._users_of(read, self._histories), basis))
        return _overlap(self._lists, _top(users @ (held.values * held.scales[:, None]).T))

    def _quantized(self, table: NDArray[np.float32], levels: int, basis: NDArray[np.float32]) -> QuantizedTable:
        coordinates = basis_module.times(table, basis_module.inverse(basis))
        plain = gptq.quantize_for_scores(coordinates, basis_module.cost_in(basis, self._cost), levels)
        return QuantizedTable(plain.values, plain.scales, basis)


def _balanced(
    items: NDArray[np.float64], users: NDArray[np.float64], item_share: float, user_share: float
) -> NDArray[np.float32]:
    """Return the basis in which these moments, (D, D), are evened out by these shares."""
    half = basis_module.power(items, item_share / 4)
    both = half.astype(np.float64) @ basis_module.power(users, -user_share / 2) @ half
    return basis_module.symmetric(both).astype(np.float32)


def _rounded(users: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return user vectors as integer scoring sees them: USER_LEVELS on each side of zero."""
    step = np.maximum(np.abs(users).max(axis=1, keepdims=True) / USER_LEVELS, np.finfo(np.float32).tiny)
    rounded: NDArray[np.float32] = np.rint(users / step) * step
    return rounded


def _top(scores: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def _overlap(ours: NDArray[np.intp], theirs: NDArray[np.intp]) -> float:
    return float((ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean())
