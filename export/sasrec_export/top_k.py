"""Exclusion and exact top-k over a row of scores, in ONNX.

For large catalogues in two stages: the best of each block of rows, then the items of the k best blocks. Exact: an item
among the k best that lay in no chosen block would be beaten by the best of each of the k chosen ones.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from sasrec_export.recipe import Shape
from sasrec_export.tape import GraphTape
from sasrec_runtime.signature import PAD_ID

__all__ = ["Stages", "exclude", "top_k"]

TWO_STAGES_FROM = 20_000
"""Rows from which two stages are faster than one."""
LARGE_FROM = 200_000
"""Rows from which larger blocks are faster."""


@dataclass(frozen=True, slots=True)
class Stages:
    """How the table's rows are searched."""

    rows: int
    """Of the table, those that fill the last block included."""
    block: int
    """Rows of a block; 0: one stage."""
    ids: int
    """Rows that stand for an id: 1 + n_items."""

    @classmethod
    def of(cls, n_items: int) -> "Stages":
        """Return what is fastest for a catalogue."""
        ids = 1 + n_items
        if ids < TWO_STAGES_FROM:
            return cls(ids, 0, ids)
        block = 64 if ids < LARGE_FROM else 256
        return cls(-(-ids // block) * block, block, ids)


def exclude(tape: GraphTape, scores: ir.Value, history: ir.Value, ids: ir.Value, stages: Stages) -> ir.Value:
    """Set the scores (B, rows) of `ids` int32 (B, E), of padding and of rows that only fill a block to -inf."""
    nobody = np.array([[PAD_ID, *range(stages.ids, stages.rows)]], np.int32)
    if nobody.size == 1:
        columns = tape.op("Pad", [ids, tape.constant("one_before", np.array([0, 1, 0, 0]))])  # filled with 0 = PAD_ID
    else:
        one = tape.constant("history_axis", np.array([1]))
        filler = tape.op(
            "Expand", [tape.constant("nobody", nobody), tape.op("Concat", [tape.rows_of(history), one], axis=0)]
        )
        columns = tape.op("Concat", [filler, ids], axis=1)
    hidden = tape.op("ConstantOfShape", [tape.op("Shape", [columns])], value=ir.tensor(np.array([-np.inf], np.float32)))
    return tape.op("ScatterElements", [scores, columns, hidden], axis=1)


def top_k(
    tape: GraphTape, scores: ir.Value, k: ir.Value, stages: Stages, shape: Shape, *, factor: ir.Value | None = None
) -> tuple[ir.Value, ir.Value]:
    """Return scores float32 (B, k), best first, and their rows int64 (B, k), equal scores by lower row first.

    Args:
        tape: Records the graph.
        scores: float32 (B, rows).
        k: int64 (1).
        stages: How the rows are searched.
        shape: Says the opset.
        factor: float32 (B, 1), positive: what is ranked and returned is `scores` times it; None: `scores`. Scores that
            differ can be equal once their product is rounded, so a ranking always sees the products. Rounding keeps
            the order, so the best of a block stays its best: two stages multiply only what they rank.
    """
    if not stages.block:
        return _best(tape, _times(tape, scores, factor), k)
    n_blocks = stages.rows // stages.block
    blocks = tape.op("Reshape", [scores, tape.constant("blocks", np.array([-1, n_blocks, stages.block]))])
    peaks = tape.reduce("ReduceMax", blocks, axis=-1, keepdims=0, opset=shape.opset)  # (B, blocks)
    chosen_k = tape.op("Min", [k, tape.constant("n_blocks", np.array([n_blocks]))])
    _, chosen = _best(tape, _times(tape, peaks, factor), chosen_k)
    # In the order of ids, so that ties among the candidates go to the lower id.
    chosen, _ = tape.ops("TopK", [chosen, chosen_k], outputs=2, axis=-1, largest=0, sorted=1)  # (B, c)
    index = tape.op("Unsqueeze", [chosen, tape.constant("last_axis", np.array([-1]))])
    candidates = tape.op("GatherND", [blocks, index], batch_dims=1)  # (B, c, block)
    flat = tape.op("Reshape", [candidates, tape.constant("flat", np.array([0, -1]))])
    values, places = _best(tape, _times(tape, flat, factor), k)
    size = tape.constant("block_size", np.int64(stages.block))
    block = tape.op("GatherElements", [chosen, tape.op("Div", [places, size])], axis=1)
    within = tape.op("Mod", [places, size])
    return values, tape.op("Add", [tape.op("Mul", [block, size]), within])


def _times(tape: GraphTape, scores: ir.Value, factor: ir.Value | None) -> ir.Value:
    return scores if factor is None else tape.op("Mul", [scores, factor])


def _best(tape: GraphTape, scores: ir.Value, k: ir.Value) -> tuple[ir.Value, ir.Value]:
    values, indices = tape.ops("TopK", [scores, k], outputs=2, axis=-1, largest=1, sorted=1)
    return values, indices
