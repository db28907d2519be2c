"""The item table in int8 with one scale per item, and three ways to score it.

Every way reads the very same bytes, those of MatMulNBits, so the files of a variant hold the table once.
"""

import numpy as np
import onnx_ir as ir

from sasrec_export.onnx_writer.graph_builder import GraphTape
from sasrec_export.onnx_writer.tables.fp32 import trimmed
from sasrec_export.onnx_writer.tables.nbits import NBitsTable
from sasrec_export.table.gptq import QuantizedTable

__all__ = ["Int8BatchTable", "Int8FloatTable", "Int8Table"]

ZERO_POINT = 128  # MatMulNBits stores unsigned bytes: q + 128.
USER_LEVELS = 127


class Int8Table(NBitsTable):
    """Scored in integers by MatMulNBits.

    Args: see NBitsTable.
    """

    def __init__(self, table: QuantizedTable, *, rows: int):
        super().__init__(table, rows=rows, bits=8)

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """See Table."""
        values, scales = self._constants(tape)
        rows = self._centred(tape, tape.op("Gather", [values, ids], axis=0))
        row_scales = tape.op("Gather", [scales, ids], axis=0)
        row_scales = tape.op("Unsqueeze", [row_scales, tape.constant("last_axis", np.array([-1]))])
        return self._rows(tape, tape.op("Mul", [rows, row_scales]))

    def _centred(self, tape: GraphTape, values: ir.Value) -> ir.Value:
        as_float = tape.op("Cast", [values], to=ir.DataType.FLOAT)
        return tape.op("Sub", [as_float, tape.constant("zero_point", np.float32(ZERO_POINT))])

    def _flat(self, tape: GraphTape) -> ir.Value:
        """The bytes as (rows, D); computed from a constant, so the engine does it once, when it loads."""
        shape = tape.constant("table_shape", np.array([len(self._values), self._width]))
        return trimmed(tape, tape.op("Reshape", [self._constants(tape)[0], shape]), self._dim, self._width)

    def _row_scales(self, tape: GraphTape) -> ir.Value:
        """(rows,): the scale of each item."""
        if self._blocks == 1:
            return tape.op("Reshape", [self._constants(tape)[1], tape.constant("one_row", np.array([-1]))])
        first = tape.constant("first_block", np.int64(0))
        return tape.op("Gather", [self._constants(tape)[1], first], axis=1)


class Int8BatchTable(Int8Table):
    """Scored by one integer product for many rows: from eight on it overtakes MatMulNBits.

    Each user vector has a scale of its own, as in MatMulNBits, so its answer depends on no other row. The users' bytes
    and the table's are both unsigned: kernels for signed ones saturate on processors without VNNI.
    """

    def score(self, tape: GraphTape, user: ir.Value) -> tuple[ir.Value, ir.Value | None]:
        """See Table."""
        least = tape.constant("least_step", np.float32(np.finfo(np.float32).tiny))
        peak = tape.op("Abs", [user])
        peak, _ = tape.ops("TopK", [peak, tape.constant("one_item", np.array([1]))], outputs=2, axis=-1)  # (B, 1)
        step = tape.op("Mul", [peak, tape.constant("per_level", np.float32(1 / USER_LEVELS))])
        step = tape.op("Max", [step, least])
        levels = tape.op("Round", [tape.op("Div", [user, step])])
        levels = tape.op("Add", [levels, tape.constant("zero_point", np.float32(ZERO_POINT))])
        levels = tape.op("Cast", [levels], to=ir.DataType.UINT8)
        columns = tape.op("Transpose", [self._flat(tape)], perm=[1, 0])  # (D, rows)
        zero_point = tape.constant("byte_zero_point", np.uint8(ZERO_POINT))
        scores = tape.op(
            "MatMulIntegerToFloat",
            [
                levels,
                columns,
                tape.constant("user_scale", np.float32(1)),
                self._row_scales(tape),
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

    def lookup(self, tape: GraphTape, ids: ir.Value) -> ir.Value:
        """See Table."""
        return tape.op("Gather", [self._table(tape), ids], axis=0)

    def score(self, tape: GraphTape, user: ir.Value) -> tuple[ir.Value, None]:
        """See Table."""
        return tape.op("Gemm", [user, self._table(tape)], transB=1), None

    def _table(self, tape: GraphTape) -> ir.Value:
        """(rows, D) float32."""

        def record() -> ir.Value:
            last_axis = tape.constant("last_axis", np.array([-1]))
            scales = tape.op("Unsqueeze", [self._row_scales(tape), last_axis])
            return tape.op("Mul", [self._centred(tape, self._flat(tape)), scales])

        return tape.once("float table", record)
