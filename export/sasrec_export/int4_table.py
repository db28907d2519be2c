"""The item table in 4 bits with one scale per item, two entries to a byte.

The bytes are those of MatMulNBits: (rows, blocks, block_size / 2) uint8 with zero point 8, the earlier entry in the
lower half; lookup and scoring read the very same ones.
"""

import numpy as np
import onnx_ir as ir

from sasrec_export.int8_table import block_size
from sasrec_export.quantize import QuantizedTable
from sasrec_export.table import fill_rows, trimmed
from sasrec_export.tape import GraphTape

__all__ = ["Int4Table"]

ZERO_POINT = 8


class Int4Table:
    """Scored by MatMulNBits in integers.

    Args:
        table: The quantized table, V rows, values in [-7, 7].
        rows: At least V; zeros fill up.
    """

    def __init__(self, table: QuantizedTable, *, rows: int):
        self.stretch = None if (table.stretch == 1).all() else table.stretch
        ids, self._dim = table.values.shape
        self._block = block_size(self._dim)
        self._blocks = -(-self._dim // self._block)
        values = np.full((rows, self._blocks * self._block), ZERO_POINT, np.uint8)
        np.add(table.values, ZERO_POINT, out=values[:ids, : self._dim], casting="unsafe")
        packed = values[:, 0::2] | (values[:, 1::2] << 4)
        self._values = packed.reshape(rows, self._blocks, self._block // 2)
        self._scales = np.repeat(fill_rows(table.scales, rows, 1)[:, None], self._blocks, axis=1)  # (rows, blocks)

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """See Table."""
        values, scales = self._constants(tape)
        per_block = tape.op("Unsqueeze", [scales, tape.constant("last_axis", np.array([-1]))])
        rows = tape.op(
            "GatherBlockQuantized",
            [values, ids, per_block],
            domain="com.microsoft",
            bits=4,
            block_size=self._block,
            gather_axis=0,
            quantize_axis=2,
        )
        rows = tape.op("Reshape", [rows, tape.constant("row_shape", np.array([0, 0, self._blocks * self._block]))])
        return trimmed(tape, rows, self._dim, self._blocks * self._block)

    def score(self, tape: GraphTape, user: ir.Value) -> tuple[ir.Value, None]:
        """See Table."""
        scores = tape.op(
            "MatMulNBits",
            [user, *self._constants(tape)],
            domain="com.microsoft",
            K=self._dim,
            N=len(self._values),
            bits=4,
            block_size=self._block,
            accuracy_level=4,  # int8 activations, one scale per row and block: rows stay independent
        )
        return scores, None

    def _constants(self, tape: GraphTape) -> tuple[ir.Value, ir.Value]:
        return tape.constant("item_table", self._values), tape.constant("item_scales", self._scales)
