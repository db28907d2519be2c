"""Symmetric int8 quantization of the item table, one scale per item."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["QuantizedTable", "quantize_rows"]

INT8_MAX = 127  # Narrow range: -128 has no counterpart, and some kernels assume it never comes.


@dataclass(frozen=True, slots=True)
class QuantizedTable:
    """An item table in 8 bits: ``real = values * scales[:, None]``."""

    values: NDArray[np.int8]
    """(V, D), each in [-127, 127]."""
    scales: NDArray[np.float32]
    """(V,), each positive."""

    def dequantize(self) -> NDArray[np.float32]:
        """Return the table that the variants really use, (V, D)."""
        return self.values.astype(np.float32) * self.scales[:, None]


def quantize_rows(table: NDArray[np.float32]) -> QuantizedTable:
    """Return `table` (V, D) in int8 with the scale of each row at its largest magnitude.

    Laws: ``abs(table - dequantize()) <= scales / 2``; a zero row stays exactly zero.
    """
    peak = np.abs(table).max(axis=1)
    scales = np.where(peak > 0, peak / INT8_MAX, 1.0).astype(np.float32)
    values = np.clip(np.rint(table / scales[:, None]), -INT8_MAX, INT8_MAX).astype(np.int8)
    return QuantizedTable(values=values, scales=scales)
