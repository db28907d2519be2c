"""The graph contract in ONNX: what stands around the encoder to make `recommend` and `score` of it.

- history ─ keep the last max_len ─ ids outside the catalogue → 0 ─ lookup ─ encoder ─ user vector
- recommend: user vector ─ score every row ─ padding and `exclude` → -inf ─ top-k ─ items, scores
- score: user vector ─ dot product with the rows of `candidates` ─ scores
"""

import numpy as np
import onnx_ir as ir

from sasrec_export.table import Table
from sasrec_export.tape import GraphTape
from sasrec_runtime.signature import PAD_ID
from sasrec_train.config import ModelConfig

__all__ = ["recommend_graph", "score_graph"]

INT64_MAX = np.iinfo(np.int64).max
PRODUCER = "sasrec-edge"


def recommend_graph(encoder: ir.Model, table: Table, config: ModelConfig) -> ir.Model:
    """Return `recommend`: history (B, T), exclude (B, E), k (1) → items (B, k), scores (B, k).

    Args:
        encoder: From ``to_onnx.encoder_to_onnx``; it is taken apart.
        table: The item table, row 0 for padding.
        config: The network.
    """
    tape = GraphTape()
    history = _input("history", ir.DataType.INT32, ["batch", "history_len"])
    exclude = _input("exclude", ir.DataType.INT32, ["batch", "exclude_len"])
    k = _input("k", ir.DataType.INT64, [1])

    user, encoder_nodes = _user_vector(tape, encoder, table, history, config)
    scores = _exclude(tape, table.score(tape, user), history, exclude, config)
    values, indices = tape.ops("TopK", [scores, k], outputs=2, axis=-1, largest=1, sorted=1)
    # A place that no item can take holds PAD_ID: its score is -inf, and only its.
    is_item = tape.op("Greater", [values, tape.constant("lowest", np.float32(np.finfo(np.float32).min))])
    ids = tape.op("Where", [is_item, indices, tape.constant("no_item", np.int64(PAD_ID))])
    items = tape.op("Cast", [ids], to=ir.DataType.INT32)
    _output(items, "items", ir.DataType.INT32, ["batch", "k"])
    _output(values, "scores", ir.DataType.FLOAT, ["batch", "k"])
    return _model("recommend", encoder, encoder_nodes, tape, [history, exclude, k], [items, values])


def score_graph(encoder: ir.Model, table: Table, config: ModelConfig) -> ir.Model:
    """Return `score`: history (B, T), candidates (B, C) → scores (B, C), -inf for what is no item.

    Args: see recommend_graph.
    """
    tape = GraphTape()
    history = _input("history", ir.DataType.INT32, ["batch", "history_len"])
    candidates = _input("candidates", ir.DataType.INT32, ["batch", "candidates_len"])

    user, encoder_nodes = _user_vector(tape, encoder, table, history, config)
    is_item, ids = _valid_ids(tape, candidates, config)
    rows = table.lookup(tape, ids)  # (B, C, D)
    column = tape.op("Unsqueeze", [user, tape.constant("axis_2", np.array([2]))])  # (B, D, 1)
    products = tape.op("Squeeze", [tape.op("MatMul", [rows, column]), tape.constant("axis_2", np.array([2]))])
    scores = tape.op("Where", [is_item, products, tape.constant("minus_infinity", np.float32(-np.inf))])
    _output(scores, "scores", ir.DataType.FLOAT, ["batch", "candidates_len"])
    return _model("score", encoder, encoder_nodes, tape, [history, candidates], [scores])


def _user_vector(
    tape: GraphTape, encoder: ir.Model, table: Table, history: ir.Value, config: ModelConfig
) -> tuple[ir.Value, list[ir.Node]]:
    """Put truncation, validation and lookup before the encoder; return its output and its own nodes."""
    bounds = (np.array([-config.max_len]), np.array([INT64_MAX]), np.array([1]))
    names = ("history_start", "history_end", "history_axis")
    kept = tape.op("Slice", [history, *(tape.constant(n, b) for n, b in zip(names, bounds, strict=True))])
    is_item, ids = _valid_ids(tape, kept, config)
    embedded = table.lookup(tape, ids)

    nodes = list(encoder.graph)
    for value, replacement in zip(_named(encoder, ("embedded", "is_item")), (embedded, is_item), strict=True):
        ir.convenience.replace_all_uses_with(value, replacement)
    return encoder.graph.outputs[0], nodes


def _valid_ids(tape: GraphTape, ids: ir.Value, config: ModelConfig) -> tuple[ir.Value, ir.Value]:
    """Return which ids are items, and the ids with everything else as PAD_ID."""
    pad = tape.constant("pad_id", np.int32(PAD_ID))
    above = tape.op("Greater", [ids, pad])
    within = tape.op("LessOrEqual", [ids, tape.constant("n_items", np.int32(config.n_items))])
    is_item = tape.op("And", [above, within])
    return is_item, tape.op("Where", [is_item, ids, pad])


def _exclude(tape: GraphTape, scores: ir.Value, history: ir.Value, exclude: ir.Value, config: ModelConfig) -> ir.Value:
    """Set the scores (B, V) of padding and of the excluded ids to -inf."""
    _, ids = _valid_ids(tape, exclude, config)  # what is no item excludes padding, which is excluded anyway
    batch = tape.op("Shape", [history], start=0, end=1)
    one = tape.constant("one", np.array([1]))
    padding = tape.op("Expand", [tape.constant("pad_id", np.int32(PAD_ID)), tape.op("Concat", [batch, one], axis=0)])
    columns = tape.op("Concat", [padding, ids], axis=1)  # (B, 1 + E)
    infinity = tape.constant("minus_infinity", np.float32(-np.inf))
    updates = tape.op("Expand", [infinity, tape.op("Shape", [columns])])
    return tape.op("ScatterElements", [scores, columns, updates], axis=1)


def _model(
    name: str,
    encoder: ir.Model,
    encoder_nodes: list[ir.Node],
    tape: GraphTape,
    inputs: list[ir.Value],
    outputs: list[ir.Value],
) -> ir.Model:
    """Return the encoder's nodes and the tape's as one model."""
    constants = list(encoder.graph.initializers.values())
    encoder.graph.remove(encoder_nodes)
    encoder.graph.initializers.clear()
    encoder.graph.outputs.clear()
    for number, value in enumerate(constants):
        value.name = f"encoder_{number}"
    for number, node in enumerate(encoder_nodes):
        node.name = f"encoder/{number}_{node.op_type}"
    graph = ir.Graph(
        inputs,
        outputs,
        nodes=[*encoder_nodes, *tape.nodes],
        initializers=[*constants, *tape.initializers],
        opset_imports={"": encoder.opset_imports[""], "com.microsoft": 1},
        name=name,
    )
    graph.sort()
    return ir.Model(graph, ir_version=encoder.ir_version, producer_name=PRODUCER)


def _named(encoder: ir.Model, names: tuple[str, ...]) -> list[ir.Value]:
    by_name = {value.name: value for value in encoder.graph.inputs}
    return [by_name[name] for name in names]


def _input(name: str, dtype: ir.DataType, shape: list[int | str]) -> ir.Value:
    return ir.val(name, dtype, shape)


def _output(value: ir.Value, name: str, dtype: ir.DataType, shape: list[int | str]) -> None:
    value.name, value.dtype, value.shape = name, dtype, ir.Shape(shape)
