"""The graph contract in ONNX: `recommend` and `score` around the blocks of a network.

- recommend: history ─ user vector ─ score every row ─ padding and `exclude` → -inf ─ top-k ─ items, scores
- score: history ─ user vector ─ dot product with the rows of `candidates` ─ scores
"""

import numpy as np
import onnx_ir as ir

from sasrec_export import top_k as top_k_module
from sasrec_export.recipe import Shape
from sasrec_export.table import Table
from sasrec_export.tape import GraphTape
from sasrec_export.top_k import Stages
from sasrec_export.user_vector import Blocks, user_vector, valid_ids
from sasrec_runtime.signature import PAD_ID

__all__ = ["recommend_graph", "score_graph"]

PRODUCER = "sasrec-edge"


def recommend_graph(blocks: Blocks, table: Table, shape: Shape, *, top_k: int) -> ir.Model:
    """Return `recommend`: history (B, T), exclude (B, E), k (1) → items (B, k), scores (B, k).

    Args:
        blocks: The network; it is taken apart.
        table: The item table, row 0 for padding, with the rows of ``Stages.of(n_items)``.
        shape: Which sizes are fixed. Where they are, so is k, and there is no input `k`.
        top_k: That k.
    """
    tape = GraphTape()
    stages = Stages.of(blocks.config.n_items)
    history = _input("history", ir.DataType.INT32, [shape.batch or "batch", shape.history or "history_len"])
    exclude = _input("exclude", ir.DataType.INT32, [shape.batch or "batch", shape.exclude or "exclude_len"])
    k = tape.constant("k", np.array([top_k])) if shape.fixed else _input("k", ir.DataType.INT64, [1])

    user, nodes = user_vector(tape, blocks, table, history, shape)
    excluded = valid_ids(tape, exclude, blocks.config)  # what is no item excludes padding, which is excluded anyway
    scores, factor = table.score(tape, user)
    scores = top_k_module.exclude(tape, scores, history, excluded, stages)
    values, rows = top_k_module.top_k(tape, scores, k, stages, shape, factor=factor)
    # A place that no item can take holds PAD_ID: its score is -inf, and only its.
    is_item = tape.op("Greater", [values, tape.constant("lowest", np.float32(np.finfo(np.float32).min))])
    items = tape.op("Cast", [rows], to=ir.DataType.INT32)
    items = tape.op("Where", [is_item, items, tape.constant("pad_id", np.int32(PAD_ID))])
    sizes: list[int | str] = [shape.batch or "batch", top_k if shape.fixed else "k"]
    _output(items, "items", ir.DataType.INT32, sizes)
    _output(values, "scores", ir.DataType.FLOAT, sizes)
    inputs = [history, exclude] if shape.fixed else [history, exclude, k]
    return _model("recommend", blocks, nodes, tape, inputs, [items, values], shape)


def score_graph(blocks: Blocks, table: Table, shape: Shape) -> ir.Model:
    """Return `score`: history (B, T), candidates (B, C) → scores (B, C), -inf for what is no item.

    Args: see recommend_graph.
    """
    tape = GraphTape()
    history = _input("history", ir.DataType.INT32, [shape.batch or "batch", shape.history or "history_len"])
    candidates = _input("candidates", ir.DataType.INT32, [shape.batch or "batch", shape.candidates or "candidates_len"])

    user, nodes = user_vector(tape, blocks, table, history, shape)
    ids = valid_ids(tape, candidates, blocks.config)
    is_item = tape.op("Cast", [ids], to=ir.DataType.BOOL)
    last_axis = tape.constant("last_axis", np.array([-1]))
    column = tape.op("Unsqueeze", [user, last_axis])  # (B, D, 1)
    products = tape.op("Squeeze", [tape.op("MatMul", [table.lookup(tape, ids), column]), last_axis])
    scores = tape.op("Where", [is_item, products, tape.constant("minus_infinity", np.float32(-np.inf))])
    _output(scores, "scores", ir.DataType.FLOAT, [shape.batch or "batch", shape.candidates or "candidates_len"])
    return _model("score", blocks, nodes, tape, [history, candidates], [scores], shape)


def _model(
    name: str,
    blocks: Blocks,
    block_nodes: list[ir.Node],
    tape: GraphTape,
    inputs: list[ir.Value],
    outputs: list[ir.Value],
    shape: Shape,
) -> ir.Model:
    """Return the nodes of the blocks and of the tape as one model."""
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
        nodes=[*block_nodes, *tape.nodes],
        initializers=[*constants, *tape.initializers],
        opset_imports={"": shape.opset, "com.microsoft": 1},
        name=name,
    )
    graph.sort()
    return ir.Model(graph, ir_version=blocks.model.ir_version, producer_name=PRODUCER)


def _input(name: str, dtype: ir.DataType, shape: list[int | str]) -> ir.Value:
    return ir.val(name, dtype, shape)


def _output(value: ir.Value, name: str, dtype: ir.DataType, shape: list[int | str]) -> None:
    value.name, value.dtype, value.shape = name, dtype, ir.Shape(shape)
