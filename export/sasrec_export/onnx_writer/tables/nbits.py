"""What the integer tables of ONNX share: rows in whole blocks, one scale a row, scored by MatMulNBits."""

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.onnx_writer.tables.fp32 import fill_rows, trimmed
from sasrec_export.table.quantized_table import QuantizedTable

__all__ = ["NBitsTable"]

SMALLEST_BLOCK, LARGEST_BLOCK = 16, 256
"""Bounds of MatMulNBits' block_size, a power of two."""


class NBitsTable:
    """A table as the operand of MatMulNBits (com.microsoft), the fastest operator to score a few rows.

    ``row = scale · (byte - 2^(bits - 1))``: the bytes are unsigned, with the zero point in the middle of the range.
    Each row is filled with zeros to whole blocks, and each block repeats the scale of its row.

    Args:
        table: The quantized table, V rows.
        rows: At least V; zeros fill up.
        bits: Of an entry, 4 or 8.
    """

    def __init__(self, table: QuantizedTable, *, rows: int, bits: int):
        self.transform = table.transform
        ids, self._dim = table.values.shape
        self._bits = bits
        zero_point = 1 << (bits - 1)
        # The next power of two is the fastest.
        self._block: int = min(LARGEST_BLOCK, max(SMALLEST_BLOCK, 1 << (self._dim - 1).bit_length()))
        self._blocks: int = -(-self._dim // self._block)
        values = np.full((rows, self._width), zero_point, np.uint8)
        np.add(table.values, zero_point, out=values[:ids, : self._dim], dtype=np.int16, casting="unsafe")
        self._values = self._packed(values).reshape(rows, self._blocks, -1)
        self._scales = np.repeat(fill_rows(table.scales, rows, 1)[:, None], self._blocks, axis=1)  # (rows, blocks)

    @property
    def _width(self) -> int:
        """Entries of a row, those that fill its last block included."""
        return self._blocks * self._block

    def score(self, builder: GraphBuilder, user: ir.Value) -> tuple[ir.Value, ir.Value | None]:
        """See Table."""
        scores = builder.op(
            "MatMulNBits",
            [user, *self._constants(builder)],
            domain="com.microsoft",
            K=self._dim,
            N=len(self._values),
            bits=self._bits,
            block_size=self._block,
            accuracy_level=4,  # int8 activations, one scale per row and block: rows stay independent
        )
        return scores, None

    def _packed(self, values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the bytes of entries (rows, width): one each in 8 bits; two in 4, the earlier in the lower half."""
        if self._bits == 8:
            return values
        return np.bitwise_or(values[:, 0::2], np.left_shift(values[:, 1::2], np.uint8(4)))

    def _constants(self, builder: GraphBuilder) -> tuple[ir.Value, ir.Value]:
        return builder.constant("item_table", self._values), builder.constant("item_scales", self._scales)

    def _rows(self, builder: GraphBuilder, rows: ir.Value) -> ir.Value:
        """(B, T, blocks, block_size) → (B, T, D)."""
        rows = builder.op("Reshape", [rows, builder.constant("row_shape", np.array([0, 0, self._width]))])
        return trimmed(builder, rows, self._dim, self._width)
