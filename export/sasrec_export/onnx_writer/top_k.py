"""Exclusion and exact top-k over a row of scores, in ONNX, as a `SearchPlan` says."""

import numpy as np
import onnx_ir as ir

from sasrec_export.export_options import ExportOptions
from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.search_plan import SearchPlan

__all__ = ["exclude", "top_k"]


def exclude(builder: GraphBuilder, scores: ir.Value, history: ir.Value, ids: ir.Value, search: SearchPlan) -> ir.Value:
    """Return the scores with -inf for `ids` and for the rows that are always excluded (ScatterElements).

    Args:
        builder: Records the graph.
        scores: float32 (B, rows).
        history: int32 (B, T), for the number of rows of the batch.
        ids: int32 (B, E), each in 0…n_items.
        search: How the rows are searched.
    """
    always = np.array([search.always_excluded], np.int32)
    if always.size == 1:
        columns = builder.op(
            "Pad", [ids, builder.constant("one_before", np.array([0, 1, 0, 0]))]
        )  # filled with 0 = PAD_ID
    else:
        one = builder.constant("history_axis", np.array([1]))
        filler = builder.op(
            "Expand",
            [
                builder.constant("always_excluded", always),
                builder.op("Concat", [builder.rows_of(history), one], axis=0),
            ],
        )
        columns = builder.op("Concat", [filler, ids], axis=1)
    minus_infinity = builder.op(
        "ConstantOfShape", [builder.op("Shape", [columns])], value=ir.tensor(np.array([-np.inf], np.float32))
    )
    return builder.op("ScatterElements", [scores, columns, minus_infinity], axis=1)


def top_k(
    builder: GraphBuilder,
    scores: ir.Value,
    k: ir.Value,
    search: SearchPlan,
    options: ExportOptions,
    *,
    factor: ir.Value | None = None,
) -> tuple[ir.Value, ir.Value]:
    """Return scores float32 (B, k), best first, and their rows int64 (B, k), equal scores by lower row first.

    Args:
        builder: Records the graph.
        scores: float32 (B, rows).
        k: int64 (1).
        search: How the rows are searched.
        options: Say the opset.
        factor: float32 (B, 1), positive: what is ranked and returned is `scores` times it; None: `scores`. Scores that
            differ can be equal once their product is rounded, so a ranking always sees the products. Rounding keeps
            the order, so the best of a block stays its best: two stages multiply only what they rank.
    """
    if not search.block:
        return _best(builder, _times(builder, scores, factor), k)
    n_blocks = search.rows // search.block
    blocks = builder.op("Reshape", [scores, builder.constant("blocks", np.array([-1, n_blocks, search.block]))])
    peaks = builder.reduce("ReduceMax", blocks, axis=-1, keepdims=0, opset=options.opset)  # (B, blocks)
    chosen_k = builder.op("Min", [k, builder.constant("n_blocks", np.array([n_blocks]))])
    _, chosen = _best(builder, _times(builder, peaks, factor), chosen_k)
    # In the order of ids, so that ties among the candidates go to the lower id.
    chosen, _ = builder.ops("TopK", [chosen, chosen_k], outputs=2, axis=-1, largest=0, sorted=1)  # (B, c)
    index = builder.op("Unsqueeze", [chosen, builder.constant("last_axis", np.array([-1]))])
    candidates = builder.op("GatherND", [blocks, index], batch_dims=1)  # (B, c, block)
    flat = builder.op("Reshape", [candidates, builder.constant("flat", np.array([0, -1]))])
    values, places = _best(builder, _times(builder, flat, factor), k)
    size = builder.constant("block_size", np.int64(search.block))
    block = builder.op("GatherElements", [chosen, builder.op("Div", [places, size])], axis=1)
    within = builder.op("Mod", [places, size])
    return values, builder.op("Add", [builder.op("Mul", [block, size]), within])


def _times(builder: GraphBuilder, scores: ir.Value, factor: ir.Value | None) -> ir.Value:
    return scores if factor is None else builder.op("Mul", [scores, factor])


def _best(builder: GraphBuilder, scores: ir.Value, k: ir.Value) -> tuple[ir.Value, ir.Value]:
    values, indices = builder.ops("TopK", [scores, k], outputs=2, axis=-1, largest=1, sorted=1)
    return values, indices
