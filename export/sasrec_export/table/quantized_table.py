"""A table of integers with one scale per row, and rounding to the nearest.

Symmetric quantization: ``q = clip(round(x / s), -qmax, qmax)`` and ``x ≈ s · q``, zero point 0, s per row. With the
absmax scale ``s = max|x| / qmax`` nothing is clipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_export.table import transform as transforms
from sasrec_export.table.spec import INT8_QMAX
from sasrec_export.table.transform import Matrix

__all__ = ["QuantizedTable", "absmax_scales", "quantize_rows", "row_chunks"]

CHUNK_ROWS = 1 << 12
"""Rows rounded at once: their columns then stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class QuantizedTable:
    """Symmetric per-row quantization: ``real row = (values · scale) · transform``."""

    values: NDArray[np.int8]
    """(V, D), each in [-qmax, qmax]."""
    scales: NDArray[np.float32]
    """(V,), each positive."""
    transform: Matrix | None = None
    """(D,) or (D, D), see `transform`; None: the identity. A variant multiplies user vectors with it before scoring."""
    half_scales: bool = False
    """Whether every scale is exact in half precision and may be stored so."""

    def dequantize(self) -> NDArray[np.float32]:
        """Return the table that a variant computes with, float32 (V, D)."""
        return transforms.apply(self.values.astype(np.float32) * self.scales[:, None], self.transform)


def quantize_rows(table: NDArray[np.float32], qmax: int = INT8_QMAX) -> QuantizedTable:
    """Return `table` (V, D) rounded to the nearest, the scale of each row at its largest magnitude (absmax).

    Args:
        table: float32 (V, D).
        qmax: Largest integer, on both sides of zero.

    Laws: ``abs(table - dequantize()) <= scales / 2``; a zero row stays exactly zero.
    """
    scales = absmax_scales(table, qmax)
    values = np.empty(table.shape, np.int8)
    for rows in row_chunks(len(table)):
        values[rows] = np.clip(np.rint(table[rows] / scales[rows, None]), -qmax, qmax)
    return QuantizedTable(values, scales)


def absmax_scales(table: NDArray[np.float32], qmax: int) -> NDArray[np.float32]:
    """Return the scale (V,) that maps each row's largest magnitude to qmax; 1 for a zero row."""
    peak = np.maximum(table.max(axis=1), -table.min(axis=1))  # abs(table) would need a copy of it
    return np.where(peak > 0, peak / qmax, 1.0).astype(np.float32)


def row_chunks(rows: int) -> Iterator[slice]:
    """Yield slices of CHUNK_ROWS that cover `rows` rows."""
    return (slice(start, start + CHUNK_ROWS) for start in range(0, rows, CHUNK_ROWS))
