"""The item table in 4 bits with one scale per item, two entries to a byte; lookup and scoring read the same bytes."""

import numpy as np
import onnx_ir as ir

from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.onnx_writer.tables.nbits import NBitsTable
from sasrec_export.table.quantized_table import QuantizedTable

__all__ = ["Int4Table"]


class Int4Table(NBitsTable):
    """Scored in integers by MatMulNBits.

    Args: see NBitsTable. Values lie in [-7, 7].
    """

    def __init__(self, table: QuantizedTable, *, rows: int):
        super().__init__(table, rows=rows, bits=4)

    def lookup(self, builder: GraphBuilder, ids: ir.Value) -> ir.Value:
        """See Table."""
        values, scales = self._constants(builder)
        rows = builder.op(
            "GatherBlockQuantized",
            [values, ids, builder.op("Unsqueeze", [scales, builder.constant("last_axis", np.array([-1]))])],
            domain="com.microsoft",
            bits=4,
            block_size=self._block,
            gather_axis=0,
            quantize_axis=2,
        )
        return self._rows(builder, rows)
