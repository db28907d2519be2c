"""The graph contract in ONNX: `recommend` and `score` around the blocks of a network.

- recommend: history ─ user vector ─ score every row ─ padding and `exclude` → -inf ─ top-k ─ items, scores
- score: history ─ user vector ─ dot product with the rows of `candidates` ─ scores
"""

import numpy as np
import onnx_ir as ir

from sasrec_export.export_options import ExportOptions
from sasrec_export.onnx_writer import top_k as top_k_module
from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.onnx_writer.tables.fp32 import Table
from sasrec_export.onnx_writer.user_vector import Blocks, user_vector, valid_ids
from sasrec_export.search_plan import SearchPlan
from sasrec_runtime.signature import PAD_ID

__all__ = ["recommend_graph", "score_graph"]

PRODUCER = "sasrec-edge"


def recommend_graph(blocks: Blocks, table: Table, options: ExportOptions, *, top_k: int) -> ir.Model:
    """Return `recommend`: history (B, T), exclude (B, E), k (1) → items (B, k), scores (B, k).

    Args:
        blocks: The network; it is taken apart.
        table: The item table, row 0 for padding, with the rows of ``SearchPlan.of(n_items)``.
        options: Which sizes are fixed. Where they are, so is k, and there is no input `k`.
        top_k: That k.
    """
    builder = GraphBuilder()
    search = SearchPlan.of(blocks.config.n_items)
    history = _input("history", ir.DataType.INT32, [options.batch or "batch", options.history or "history_len"])
    exclude = _input("exclude", ir.DataType.INT32, [options.batch or "batch", options.exclude or "exclude_len"])
    k = builder.constant("k", np.array([top_k])) if options.fixed else _input("k", ir.DataType.INT64, [1])

    user, nodes = user_vector(builder, blocks, table, history, options)
    excluded = valid_ids(
        builder, exclude, blocks.config
    )  # an id that is not an item becomes padding, which is always excluded
    scores, factor = table.score(builder, user)
    scores = top_k_module.exclude(builder, scores, history, excluded, search)
    values, rows = top_k_module.top_k(builder, scores, k, search, options, factor=factor)
    # Where no item is left, the score is -inf and the id becomes PAD_ID; no other score is -inf.
    is_item = builder.op("Greater", [values, builder.constant("lowest", np.float32(np.finfo(np.float32).min))])
    items = builder.op("Cast", [rows], to=ir.DataType.INT32)
    items = builder.op("Where", [is_item, items, builder.constant("pad_id", np.int32(PAD_ID))])
    sizes: list[int | str] = [options.batch or "batch", top_k if options.fixed else "k"]
    _output(items, "items", ir.DataType.INT32, sizes)
    _output(values, "scores", ir.DataType.FLOAT, sizes)
    inputs = [history, exclude] if options.fixed else [history, exclude, k]
    return _model("recommend", blocks, nodes, builder, inputs, [items, values], options)


def score_graph(blocks: Blocks, table: Table, options: ExportOptions) -> ir.Model:
    """Return `score`: history (B, T), candidates (B, C) → scores (B, C), -inf for ids that are not items.

    Args:
        blocks: The network; it is taken apart.
        table: The item table, row 0 for padding.
        options: Which sizes are fixed.
    """
    builder = GraphBuilder()
    history = _input("history", ir.DataType.INT32, [options.batch or "batch", options.history or "history_len"])
    candidates = _input(
        "candidates", ir.DataType.INT32, [options.batch or "batch", options.candidates or "candidates_len"]
    )

    user, nodes = user_vector(builder, blocks, table, history, options)
    ids = valid_ids(builder, candidates, blocks.config)
    is_item = builder.op("Cast", [ids], to=ir.DataType.BOOL)
    last_axis = builder.constant("last_axis", np.array([-1]))
    column = builder.op("Unsqueeze", [user, last_axis])  # (B, D, 1)
    products = builder.op("Squeeze", [builder.op("MatMul", [table.lookup(builder, ids), column]), last_axis])
    scores = builder.op("Where", [is_item, products, builder.constant("minus_infinity", np.float32(-np.inf))])
    _output(scores, "scores", ir.DataType.FLOAT, [options.batch or "batch", options.candidates or "candidates_len"])
    return _model("score", blocks, nodes, builder, [history, candidates], [scores], options)


def _model(
    name: str,
    blocks: Blocks,
    block_nodes: list[ir.Node],
    builder: GraphBuilder,
    inputs: list[ir.Value],
    outputs: list[ir.Value],
    options: ExportOptions,
) -> ir.Model:
    """Return the nodes of the blocks and of the builder as one model."""
    source = blocks.model.graph
    constants = list(source.initializers.values())
    source.remove(block_nodes)
    source.initializers.clear()
    source.outputs.clear()
    for number, value in enumerate(constants):
        value.name = f"encoder_{number}"
    for number, node in enumerate(block_nodes):
        node.name = f"encoder/{number}_{node.op_type}"
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=[*block_nodes, *builder.nodes],
        initializers=[*constants, *builder.initializers],
        opset_imports={"": options.opset, "com.microsoft": 1},
        name=name,
    )
    graph.sort()
    return ir.Model(graph, ir_version=blocks.model.ir_version, producer_name=PRODUCER)


def _input(name: str, dtype: ir.DataType, shape: list[int | str]) -> ir.Value:
    return ir.val(name, dtype, shape)


def _output(value: ir.Value, name: str, dtype: ir.DataType, shape: list[int | str]) -> None:
    value.name, value.dtype, value.shape = name, dtype, ir.Shape(shape)
