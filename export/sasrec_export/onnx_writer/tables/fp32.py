"""The item table inside an ONNX graph: stored once, read by the lookup and by the scoring."""

from typing import Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from sasrec_export.onnx_writer.graph_builder import GraphBuilder

__all__ = ["Fp32Table", "Table", "fill_rows", "trimmed"]


class Table(Protocol):
    """One way to store an item table and compute with it: V rows for the ids, then those that fill a block."""

    transform: NDArray[np.float32] | None
    """What stored rows and user vectors are multiplied with, see `table.transform`; None: nothing."""

    def lookup(self, builder: GraphBuilder, ids: ir.Value) -> ir.Value:
        """Return the stored rows of `ids` int (B, T), float32 (B, T, D)."""

    def score(self, builder: GraphBuilder, user: ir.Value) -> tuple[ir.Value, ir.Value | None]:
        """Return the dot products of `user` float32 (B, D), transformed, with every stored row, float32 (B, rows).

        Where the second value is not None, each row of the first is still to be multiplied with it, positive (B, 1), by
        who ranks them: that is cheaper for those that can be among the best than for all.
        """


class Fp32Table:
    """The table in float32.

    Args:
        table: float32 (V, D).
        rows: At least V; zeros fill up.
    """

    transform: NDArray[np.float32] | None = None

    def __init__(self, table: NDArray[np.float32], *, rows: int):
        self._table = fill_rows(table, rows)

    def lookup(self, builder: GraphBuilder, ids: ir.Value) -> ir.Value:
        """See Table."""
        return builder.op("Gather", [builder.constant("item_table", self._table), ids], axis=0)

    def score(self, builder: GraphBuilder, user: ir.Value) -> tuple[ir.Value, None]:
        """See Table."""
        return builder.op("Gemm", [user, builder.constant("item_table", self._table)], transB=1), None


def fill_rows(array: NDArray[np.generic], rows: int, value: int = 0) -> NDArray[np.generic]:
    """Return `array` with as many rows as asked for, those added holding `value`; itself where it has them."""
    if len(array) == rows:
        return array
    filled = np.full((rows, *array.shape[1:]), value, array.dtype)
    filled[: len(array)] = array
    return filled


def trimmed(builder: GraphBuilder, rows: ir.Value, dim: int, width: int) -> ir.Value:
    """Return the first `dim` entries of rows (…, width), which whole blocks have made wider."""
    if width == dim:
        return rows
    bounds = (np.array([0]), np.array([dim]), np.array([-1]))
    names = ("row_start", "row_end", "last_axis")
    return builder.op("Slice", [rows, *(builder.constant(n, b) for n, b in zip(names, bounds, strict=True))])
