"""From a history of item ids to the user vector, in ONNX: what stands before and behind the converted blocks.

history ─ keep the last max_len ─ ids outside the catalogue → 0 ─ lookup ─ + positions ─ blocks ─ similarity
"""

import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from sasrec_export.encoder.inference_encoder import absorbs
from sasrec_export.onnx_writer.graph_builder import GraphTape
from sasrec_export.onnx_writer.tables.fp32 import Table
from sasrec_export.recipes import Shape
from sasrec_runtime.signature import PAD_ID
from sasrec_train.config import ModelConfig
from sasrec_train.layers import MASKED, UNIT_EPSILON

__all__ = ["Blocks", "user_vector", "valid_ids"]

INT64_MAX = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Blocks:
    """The converted blocks of a network, and what their inputs are made with."""

    model: ir.Model
    """From ``to_onnx.encoder_to_onnx``, perhaps quantized; splicing takes it apart."""
    config: ModelConfig
    """The network."""
    positions: np.ndarray
    """float32 (max_len, D), position embeddings."""
    masked: float = MASKED
    """Added to the logits of hidden keys; near their range where the blocks are in int8."""


def user_vector(
    tape: GraphTape, blocks: Blocks, table: Table, history: ir.Value, shape: Shape
) -> tuple[ir.Value, list[ir.Node]]:
    """Return the user vectors as the table wants them, float32 (B, D), and the nodes of the blocks that compute them.

    Args:
        tape: Records everything but the nodes of the blocks.
        blocks: The network between embeddings and similarity.
        table: The item table.
        history: int32 (B, T).
        shape: Whether T is fixed.
    """
    c = blocks.config
    if not shape.history or shape.history > c.max_len:
        bounds = (np.array([-c.max_len]), np.array([INT64_MAX]), np.array([1]))
        names = ("history_start", "history_end", "history_axis")
        history = tape.op("Slice", [history, *(tape.constant(n, b) for n, b in zip(names, bounds, strict=True))])
    ids = valid_ids(tape, history, c)
    x = table.lookup(tape, ids)
    scale = np.float32(math.sqrt(c.hidden_dim) if c.scale_embeddings else 1)
    if table.basis is not None and table.basis.ndim == 1:
        x = tape.op("Mul", [x, tape.constant("scaled_basis", scale * table.basis)])
    else:
        x = x if table.basis is None else _times(tape, x, table.basis)
        x = tape.op("Mul", [x, tape.constant("embedding_scale", scale)]) if c.scale_embeddings else x
    x = tape.op("Add", [x, _positions(tape, blocks, history, shape)])
    key_bias = _key_bias(tape, blocks, ids)
    inputs = {"x": x, "key_bias": key_bias}
    if c.num_blocks > 1:
        inputs["bias"] = _bias(tape, blocks, key_bias, history, shape)
        inputs["rows"] = _rows(tape, c, history, shape)

    nodes = list(blocks.model.graph)
    for value in blocks.model.graph.inputs:
        if not value.uses():
            continue  # of a single block
        ir.convenience.replace_all_uses_with(value, inputs[value.name or ""])
    hidden = blocks.model.graph.outputs[0]
    user = hidden if c.similarity == "dot" else _unit_over_temperature(tape, hidden, c, shape)
    if table.basis is not None:
        user = _times(tape, user, table.basis)
    return user, nodes


def valid_ids(tape: GraphTape, ids: ir.Value, config: ModelConfig) -> ir.Value:
    """Return the ids with everything that is no item as PAD_ID."""
    above = config.n_items + 1
    clipped = tape.op("Clip", [ids, tape.constant("pad_id", np.int32(PAD_ID)), tape.constant("above", np.int32(above))])
    return tape.op("Mod", [clipped, tape.constant("above", np.int32(above))])  # what was above becomes 0, PAD_ID


def _times(tape: GraphTape, rows: ir.Value, basis: NDArray[np.float32]) -> ir.Value:
    """See basis.times."""
    return tape.op("Mul" if basis.ndim == 1 else "MatMul", [rows, tape.constant("basis", basis)])


def _length(tape: GraphTape, history: ir.Value) -> ir.Value:
    """(1,): T."""
    return tape.once("length", lambda: tape.op("Shape", [history], start=1, end=2))


def _positions(tape: GraphTape, blocks: Blocks, history: ir.Value, shape: Shape) -> ir.Value:
    """The last T of the position embeddings, (T, D): they count from the newest item."""
    if shape.history:
        return tape.constant("positions", blocks.positions[-shape.history :])
    start = tape.op("Neg", [_length(tape, history)])
    end, axis = tape.constant("history_end", np.array([INT64_MAX])), tape.constant("axis_0", np.array([0]))
    return tape.op("Slice", [tape.constant("positions", blocks.positions), start, end, axis])


def _key_bias(tape: GraphTape, blocks: Blocks, ids: ir.Value) -> ir.Value:
    """(B, 1, T): 0 where the history holds an item, `masked` elsewhere."""
    is_item = tape.op("Cast", [ids], to=ir.DataType.BOOL)
    zero, masked = tape.constant("zero", np.float32(0)), tape.constant("masked", np.float32(blocks.masked))
    return tape.op(
        "Unsqueeze", [tape.op("Where", [is_item, zero, masked]), tape.constant("history_axis", np.array([1]))]
    )


def _bias(tape: GraphTape, blocks: Blocks, key_bias: ir.Value, history: ir.Value, shape: Shape) -> ir.Value:
    """Join key_bias with the causal mask, in the layout that OnnxEncoder names."""
    c = blocks.config
    repeats = c.num_heads if absorbs(c) else 1
    if not absorbs(c):
        key_bias = tape.op("Unsqueeze", [key_bias, tape.constant("history_axis", np.array([1]))])  # (B, 1, 1, T)
    if not c.causal:
        return key_bias
    later = np.triu(np.full((c.max_len, c.max_len), blocks.masked, np.float32), 1)
    causal = np.repeat(later, repeats, axis=0)  # (T·H, T), a row per position and head
    if shape.history:
        return tape.op("Min", [key_bias, tape.constant("causal", causal[: shape.history * repeats, : shape.history])])
    ends = tape.op("Mul", [_length(tape, history), tape.constant("rows_and_keys", np.array([repeats, 1]))])
    start = tape.constant("origin", np.array([0, 0]))
    return tape.op("Min", [key_bias, tape.op("Slice", [tape.constant("causal", causal), start, ends])])


def _rows(tape: GraphTape, c: ModelConfig, history: ir.Value, shape: Shape) -> ir.Value:
    """(3,): [B, -1, D]."""
    if shape.batch:
        return tape.constant("rows", np.array([shape.batch, -1, c.hidden_dim]))
    return tape.op("Concat", [tape.rows_of(history), tape.constant("rest", np.array([-1, c.hidden_dim]))], axis=0)


def _unit_over_temperature(tape: GraphTape, x: ir.Value, c: ModelConfig, shape: Shape) -> ir.Value:
    """Vectors of length 1 / temperature; a zero vector stays zero."""
    length = tape.reduce("ReduceL2", x, axis=-1, keepdims=1, opset=shape.opset)
    least = tape.constant("least_length", np.float32(math.sqrt(UNIT_EPSILON)))
    length = tape.op("Mul", [tape.op("Max", [length, least]), tape.constant("temperature", np.float32(c.temperature))])
    return tape.op("Div", [x, length])
