"""Symmetric quantization of the item table, one scale per item: to the nearest, or so that scores change least."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["INT4_MAX", "INT8_MAX", "QuantizedTable", "quantize_for_users", "quantize_rows"]

INT8_MAX = 127  # Narrow range: -128 has no counterpart, and some kernels assume it never comes.
INT4_MAX = 7  # The same for -8.

CHUNK_ROWS = 1 << 14
"""Rows rounded at once: their columns then stay in the processor's cache."""

DAMPING = 0.2
"""Share of the mean second moment added to its diagonal, so that directions no user has still count: the lookup reads
the table too."""

SCALE_FACTORS = np.linspace(0.5, 1.0, 21, dtype=np.float32)
"""Scales tried for few bits, as a share of the one that holds the row's largest magnitude."""


@dataclass(frozen=True, slots=True)
class QuantizedTable:
    """An item table in few bits: ``real = values * scales[:, None] / stretch``."""

    values: NDArray[np.int8]
    """(V, D), each in [-levels, levels]: 127 in 8 bits, 7 in 4."""
    scales: NDArray[np.float32]
    """(V,), each positive."""
    stretch: NDArray[np.float32]
    """(D,), each positive; a variant that reads the integers divides user vectors by it. Ones but in stretch.py."""

    def dequantize(self) -> NDArray[np.float32]:
        """Return the table that the variants really use, (V, D)."""
        return self.values.astype(np.float32) * self.scales[:, None] / self.stretch


def quantize_rows(table: NDArray[np.float32], levels: int = INT8_MAX) -> QuantizedTable:
    """Return `table` (V, D) rounded to the nearest, with the scale of each row at its largest magnitude.

    Laws: ``abs(table - dequantize()) <= scales / 2``; a zero row stays exactly zero.
    """
    scales = _scales(table, levels)
    values = np.empty(table.shape, np.int8)
    for rows in _chunks(len(table)):
        values[rows] = _nearest(table[rows], scales[rows], levels)
    return QuantizedTable(values, scales, np.ones(table.shape[1], np.float32))


def quantize_for_users(
    table: NDArray[np.float32], moment: NDArray[np.float64], levels: int = INT8_MAX
) -> QuantizedTable:
    """Return `table` (V, D) rounded so that the scores of real users change least.

    A score is ``user · item``, so an item's error e costs ``e' M e`` on average, where M is the users' second moment:
    errors in directions that users share cost much, others little. The columns are rounded one after the other, and
    what one lost is made up for in those to come (the solution of least squares under M).

    Args:
        table: float32 (V, D).
        moment: (D, D), the mean of ``outer(user, user)`` over real users.
        levels: Largest integer, on both sides of zero.

    Law: a zero row stays exactly zero.

    Source: GPTQ (Frantar et al. 2022), with users for the layer's inputs.
    """
    width = table.shape[1]
    damped = moment + DAMPING * np.trace(moment) / width * np.eye(width)
    if not np.trace(moment) > 0:
        return quantize_rows(table, levels)
    order = np.argsort(-np.diag(damped), kind="stable")  # the costliest first, while there is most to make up with
    passed_on = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T.astype(np.float32)
    scales = _scales(table, levels) if levels == INT8_MAX else _best_scales(table, levels)
    values = np.empty(table.shape, np.int8)
    for rows in _chunks(len(table)):
        values[rows] = _rounded_in_turn(table[rows], scales[rows], levels, order, passed_on)
    return QuantizedTable(values, scales, np.ones(table.shape[1], np.float32))


def _rounded_in_turn(
    table: NDArray[np.float32],
    scales: NDArray[np.float32],
    levels: int,
    order: NDArray[np.intp],
    passed_on: NDArray[np.float32],
) -> NDArray[np.int8]:
    left = np.ascontiguousarray((table / scales[:, None]).T[order])  # (D, rows), in steps of each row's scale
    for place in range(len(left)):
        rounded = np.clip(np.rint(left[place]), -levels, levels)
        lost = (left[place] - rounded) / passed_on[place, place]
        left[place + 1 :] -= passed_on[place, place + 1 :, None] * lost
        left[place] = rounded
    values = np.empty((table.shape[1], len(table)), np.int8)
    values[order] = left
    by_row: NDArray[np.int8] = values.T
    by_row[~table.any(axis=1)] = 0
    return by_row


def _nearest(table: NDArray[np.float32], scales: NDArray[np.float32], levels: int) -> NDArray[np.int8]:
    nearest: NDArray[np.int8] = np.clip(np.rint(table / scales[:, None]), -levels, levels).astype(np.int8)
    return nearest


def _scales(table: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """(V,): the scale that holds the row's largest magnitude; 1 for a zero row."""
    peak = np.maximum(table.max(axis=1), -table.min(axis=1))
    return np.where(peak > 0, peak / levels, 1.0).astype(np.float32)


def _best_scales(table: NDArray[np.float32], levels: int) -> NDArray[np.float32]:
    """(V,): the scale with the smallest squared error; with few levels it cuts the largest entries off."""
    best = _scales(table, levels)
    for rows in _chunks(len(table)):
        part, widest = table[rows], best[rows].copy()
        smallest = np.full(len(part), np.inf, np.float32)
        for factor in SCALE_FACTORS:
            scales = widest * factor
            error = np.square(_nearest(part, scales, levels) * scales[:, None] - part).sum(axis=1)
            best[rows] = np.where(error < smallest, scales, best[rows])
            smallest = np.minimum(error, smallest)
    return best


def _chunks(rows: int) -> Iterator[slice]:
    return (slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS))
