"""The item table inside an ONNX graph: stored once, read by the lookup and by the scoring."""

from typing import Any, Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from sasrec_export.quantize import QuantizedTable
from sasrec_export.tape import GraphTape

__all__ = ["Fp32Table", "Int8Table", "Table"]

BLOCK_LIMIT = 256  # MatMulNBits' largest block_size; its smallest is 16.
ZERO_POINT = 128  # MatMulNBits stores unsigned bytes: q + 128.


class Table(Protocol):
    """One way to store an item table (V, D) and compute with it."""

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """Return the rows of `ids` int (…), float32 (…, D)."""

    def score(self, tape: GraphTape, user: ir.Value) -> ir.Value:
        """Return the dot products of `user` float32 (B, D) with every row, float32 (B, V)."""


class Fp32Table:
    """The table in float32."""

    def __init__(self, table: NDArray[np.float32]):
        self._table = table

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """See Table."""
        return tape.op("Gather", [tape.constant("item_table", self._table), ids], axis=0)

    def score(self, tape: GraphTape, user: ir.Value) -> ir.Value:
        """See Table."""
        return tape.op("Gemm", [user, tape.constant("item_table", self._table)], transB=1)


class Int8Table:
    """The table in int8 with one scale per item, scored in integers by MatMulNBits.

    The bytes are those of MatMulNBits: (V, blocks, block_size) uint8 with zero point 128, each row padded with
    zeros to whole blocks. The lookup reads the very same bytes, so the table stands in the file once.
    """

    def __init__(self, table: QuantizedTable):
        rows, self._dim = table.values.shape
        self._block = min(BLOCK_LIMIT, max(16, 1 << (self._dim - 1).bit_length()))
        blocks = -(-self._dim // self._block)
        values = np.full((rows, blocks * self._block), ZERO_POINT, np.uint8)
        values[:, : self._dim] = table.values.astype(np.int16) + ZERO_POINT
        self._values = values.reshape(rows, blocks, self._block)
        self._scales = np.repeat(table.scales[:, None], blocks, axis=1)  # (V, blocks)

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """See Table."""
        values, scales = self._constants(tape)
        quantized = tape.op("Cast", [tape.op("Gather", [values, ids], axis=0)], to=ir.DataType.FLOAT)
        centred = tape.op("Sub", [quantized, tape.constant("zero_point", np.float32(ZERO_POINT))])
        row_scales = tape.op("Gather", [scales, ids], axis=0)
        row_scales = tape.op("Unsqueeze", [row_scales, tape.constant("last_axis", np.array([-1]))])
        rows = tape.op("Mul", [centred, row_scales])  # (B, T, blocks, block_size)
        padded_dim = self._values.shape[1] * self._block
        rows = tape.op("Reshape", [rows, tape.constant("row_shape", np.array([0, 0, padded_dim]))])
        if padded_dim == self._dim:
            return rows
        bounds: list[Any] = [np.array([0]), np.array([self._dim]), np.array([-1])]
        names = ("row_start", "row_end", "row_axis")
        return tape.op("Slice", [rows, *(tape.constant(n, b) for n, b in zip(names, bounds, strict=True))])

    def score(self, tape: GraphTape, user: ir.Value) -> ir.Value:
        """See Table."""
        return tape.op(
            "MatMulNBits",
            [user, *self._constants(tape)],
            domain="com.microsoft",
            K=self._dim,
            N=self._values.shape[0],
            bits=8,
            block_size=self._block,
            accuracy_level=4,  # int8 activations, one scale per row and block: rows stay independent
        )

    def _constants(self, tape: GraphTape) -> tuple[ir.Value, ir.Value]:
        return tape.constant("item_table", self._values), tape.constant("item_scales", self._scales)
