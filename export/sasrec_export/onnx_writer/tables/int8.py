"""The item table in int8 with one scale per item, and three operators that score it.

All three read the same bytes, those of MatMulNBits, so the files of a variant hold the table once.
"""

import numpy as np
import onnx_ir as ir

from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.onnx_writer.tables.fp32 import trimmed
from sasrec_export.onnx_writer.tables.nbits import NBitsTable
from sasrec_export.table.quantized_table import QuantizedTable
from sasrec_export.table.user_rounding import USER_QMAX

__all__ = ["Int8BatchTable", "Int8FloatTable", "Int8Table"]

ZERO_POINT = 128
"""MatMulNBits stores unsigned bytes: q + 128."""


class Int8Table(NBitsTable):
    """Scored in integers by MatMulNBits.

    Args: see NBitsTable.
    """

    def __init__(self, table: QuantizedTable, *, rows: int):
        super().__init__(table, rows=rows, bits=8)

    def lookup(self, builder: GraphBuilder, ids: ir.Value) -> ir.Value:
        """See Table."""
        values, scales = self._constants(builder)
        rows = self._centred(builder, builder.op("Gather", [values, ids], axis=0))
        row_scales = builder.op("Gather", [scales, ids], axis=0)
        row_scales = builder.op("Unsqueeze", [row_scales, builder.constant("last_axis", np.array([-1]))])
        return self._rows(builder, builder.op("Mul", [rows, row_scales]))

    def _centred(self, builder: GraphBuilder, values: ir.Value) -> ir.Value:
        as_float = builder.op("Cast", [values], to=ir.DataType.FLOAT)
        return builder.op("Sub", [as_float, builder.constant("zero_point", np.float32(ZERO_POINT))])

    def _flat(self, builder: GraphBuilder) -> ir.Value:
        """The bytes as (rows, D); computed from a constant, so the engine does it once, when it loads."""
        shape = builder.constant("table_shape", np.array([len(self._values), self._width]))
        return trimmed(builder, builder.op("Reshape", [self._constants(builder)[0], shape]), self._dim, self._width)

    def _row_scales(self, builder: GraphBuilder) -> ir.Value:
        """(rows,): the scale of each item."""
        if self._blocks == 1:
            return builder.op("Reshape", [self._constants(builder)[1], builder.constant("one_row", np.array([-1]))])
        first = builder.constant("first_block", np.int64(0))
        return builder.op("Gather", [self._constants(builder)[1], first], axis=1)


class Int8BatchTable(Int8Table):
    """Scored by one integer product for many rows: from eight on it overtakes MatMulNBits.

    ``u ≈ step · q`` with ``step = max|u| / 127`` per user (dynamic quantization by row, as in MatMulNBits), so an
    answer does not depend on the other rows. The bytes of users and table are both unsigned: the kernels for signed
    ones saturate at 16 bits on processors without VNNI.
    """

    def score(self, builder: GraphBuilder, user: ir.Value) -> tuple[ir.Value, ir.Value | None]:
        """See Table."""
        least = builder.constant("least_step", np.float32(np.finfo(np.float32).tiny))
        peak = builder.op("Abs", [user])
        peak, _ = builder.ops("TopK", [peak, builder.constant("one_item", np.array([1]))], outputs=2, axis=-1)  # (B, 1)
        step = builder.op("Mul", [peak, builder.constant("per_level", np.float32(1 / USER_QMAX))])
        step = builder.op("Max", [step, least])
        levels = builder.op("Round", [builder.op("Div", [user, step])])
        levels = builder.op("Add", [levels, builder.constant("zero_point", np.float32(ZERO_POINT))])
        levels = builder.op("Cast", [levels], to=ir.DataType.UINT8)
        columns = builder.op("Transpose", [self._flat(builder)], perm=[1, 0])  # (D, rows)
        zero_point = builder.constant("byte_zero_point", np.uint8(ZERO_POINT))
        scores = builder.op(
            "MatMulIntegerToFloat",
            [
                levels,
                columns,
                builder.constant("user_scale", np.float32(1)),
                self._row_scales(builder),
                zero_point,
                zero_point,
            ],
            domain="com.microsoft",
        )
        return scores, step


class Int8FloatTable(Int8Table):
    """Stored in int8, computed in float32: the same answer on every processor, whatever else is in the batch.

    The float32 table is computed from constants, so the engine makes it once, when it loads.
    """

    def lookup(self, builder: GraphBuilder, ids: ir.Value) -> ir.Value:
        """See Table."""
        return builder.op("Gather", [self._table(builder), ids], axis=0)

    def score(self, builder: GraphBuilder, user: ir.Value) -> tuple[ir.Value, None]:
        """See Table."""
        return builder.op("Gemm", [user, self._table(builder)], transB=1), None

    def _table(self, builder: GraphBuilder) -> ir.Value:
        """(rows, D) float32."""

        def record() -> ir.Value:
            last_axis = builder.constant("last_axis", np.array([-1]))
            scales = builder.op("Unsqueeze", [self._row_scales(builder), last_axis])
            return builder.op("Mul", [self._centred(builder, self._flat(builder)), scales])

        return builder.once("float table", record)
