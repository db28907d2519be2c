"""Symmetric quantization of the item table, one scale per item: to the nearest, or so that scores change least."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_export.table import transform as basis_module

__all__ = ["INT4_MAX", "INT8_MAX", "QuantizedTable", "quantize_for_scores", "quantize_rows"]

INT8_MAX = 127  # Narrow range: -128 has no counterpart, and some kernels assume it never comes.
INT4_MAX = 7  # The same for -8.

CHUNK_ROWS = 1 << 12
"""Rows rounded at once: their columns then stay in the processor's cache."""

RIDGE = 1e-3
"""Share of the mean cost added to every direction, so that one in which no user was seen still counts."""

WIDTHS = {INT8_MAX: (1.0,), INT4_MAX: (0.55, 0.65, 0.75, 0.85, 0.95)}
"""Scales tried, as a share of the one that holds the row's largest magnitude: few bits are better spent on most entries
than on the largest."""

SWEEPS = {INT8_MAX: 2, INT4_MAX: 4}
"""How often every entry is looked at again."""

TRIED_ROWS = 1 << 19
"""Rows times widths up to which each row has its own; beyond, all have the one that is best on a sample."""

SAMPLE_ROWS = 1 << 13

TOGETHER = 8
"""Columns whose changes reach the others in one product."""


@dataclass(frozen=True, slots=True)
class QuantizedTable:
    """An item table in few bits: ``real = times(values * scales[:, None], basis)``."""

    values: NDArray[np.int8]
    """(V, D), each in [-levels, levels]: 127 in 8 bits, 7 in 4."""
    scales: NDArray[np.float32]
    """(V,), each positive."""
    basis: NDArray[np.float32]
    """(D,) or (D, D), see `basis`. A variant that reads the integers has user vectors times it."""

    def dequantize(self) -> NDArray[np.float32]:
        """Return the table that the variants really use, (V, D)."""
        return basis_module.times(self.values.astype(np.float32) * self.scales[:, None], self.basis)


def quantize_rows(table: NDArray[np.float32], levels: int = INT8_MAX) -> QuantizedTable:
    """Return `table` (V, D) rounded to the nearest, with the scale of each row at its largest magnitude.

    Laws: ``abs(table - dequantize()) <= scales / 2``; a zero row stays exactly zero.
    """
    scales = _widest(table, levels)
    values = np.empty(table.shape, np.int8)
    for rows in _chunks(len(table)):
        values[rows] = np.clip(np.rint(table[rows] / scales[rows, None]), -levels, levels)
    return QuantizedTable(values, scales, np.ones(table.shape[1], np.float32))


def quantize_for_scores(
    table: NDArray[np.float32], cost: NDArray[np.float64], levels: int = INT8_MAX
) -> QuantizedTable:
    """Return `table` (V, D) rounded so that scores change least, in two steps.

    1. Column after column, what one lost is made up for in those to come.
    2. Entry after entry moves to where the cost is least while the others stay, then the scale does, in turns.

    Args:
        table: float32 (V, D).
        cost: (D, D), symmetric: a row's error e costs ``e' cost e``.
        levels: Largest integer, on both sides of zero.

    Law: a zero row stays exactly zero.

    Source: the first step is GPTQ (Frantar et al. 2022) with users for a layer's inputs.
    """
    rounding = _Rounding.of(cost, levels)
    if rounding is None:
        return quantize_rows(table, levels)
    widths: Sequence[float] = WIDTHS[levels]
    if len(widths) * len(table) > TRIED_ROWS:
        sample = table[:: -(-len(table) // SAMPLE_ROWS)]
        widths = [min(widths, key=lambda width: rounding.rounded(sample, width)[2].sum())]
    values, scales = np.empty(table.shape, np.int8), np.empty(len(table), np.float32)
    for rows in _chunks(len(table)):
        values[rows], scales[rows], least = rounding.rounded(table[rows], widths[0])
        for width in widths[1:]:
            found, its_scales, costs = rounding.rounded(table[rows], width)
            better = costs < least
            values[rows][better], scales[rows][better], least[better] = found[better], its_scales[better], costs[better]
    return QuantizedTable(values, scales, np.ones(table.shape[1], np.float32))


@dataclass(frozen=True, slots=True)
class _Rounding:
    """Rounding under one cost. Rows stand as columns in here: each step then works on contiguous memory."""

    levels: int
    cost: NDArray[np.float32]
    order: NDArray[np.intp]
    """Columns, the costliest first, while there is most to make up with."""
    passed_on: NDArray[np.float32]
    """What the rounding of column i, in that order, adds to those to come."""

    @classmethod
    def of(cls, cost: NDArray[np.float64], levels: int) -> "_Rounding | None":
        mean = np.trace(cost) / len(cost)
        if not mean > 0:
            return None
        cost = cost / mean + RIDGE * np.eye(len(cost))
        order = np.argsort(-np.diag(cost), kind="stable")
        passed_on = np.linalg.cholesky(np.linalg.inv(cost[np.ix_(order, order)])).T
        return cls(levels, cost.astype(np.float32), order, passed_on.astype(np.float32))

    def rounded(
        self, table: NDArray[np.float32], width: float
    ) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
        """Return values (rows, D), scales (rows,) and costs (rows,)."""
        scales = _widest(table, self.levels) * np.float32(width)
        wanted = np.ascontiguousarray((table / scales[:, None]).T)  # (D, rows), in steps of each row's scale
        values = self._in_turn(wanted)
        for _ in range(SWEEPS[self.levels]):
            self._improve(values, wanted)
            along = self.cost @ values
            ours = (along * values).sum(axis=0)
            factor = np.divide((along * wanted).sum(axis=0), ours, out=np.ones_like(ours), where=ours > 0)
            factor[factor <= 0] = 1.0
            wanted /= factor
            scales *= factor
        lost = values - wanted
        costs = (self.cost @ lost * lost).sum(axis=0) * np.square(scales)
        return values.T.astype(np.int8), scales, costs

    def _in_turn(self, wanted: NDArray[np.float32]) -> NDArray[np.float32]:
        left = wanted[self.order]
        for place in range(len(left)):
            rounded = np.clip(np.rint(left[place]), -self.levels, self.levels)
            lost = (left[place] - rounded) / self.passed_on[place, place]
            left[place + 1 :] -= self.passed_on[place, place + 1 :, None] * lost
            left[place] = rounded
        values = np.empty_like(left)
        values[self.order] = left
        return values

    def _improve(self, values: NDArray[np.float32], wanted: NDArray[np.float32]) -> None:
        slope = self.cost @ (values - wanted)
        for start in range(0, len(values), TOGETHER):
            block = slice(start, start + TOGETHER)
            near, before = slope[block].copy(), values[block].copy()
            for place, column in enumerate(range(start, start + len(near))):
                least = values[column] - near[place] / self.cost[column, column]
                values[column] = np.clip(np.rint(least), -self.levels, self.levels)
                near += self.cost[block, column, None] * (values[column] - before[place])
            slope += self.cost[:, block] @ (values[block] - before)


def _widest(table: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """(V,): the scale that holds the row's largest magnitude; 1 for a zero row."""
    peak = np.maximum(table.max(axis=1), -table.min(axis=1))
    return np.where(peak > 0, peak / levels, 1.0).astype(np.float32)


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS))
