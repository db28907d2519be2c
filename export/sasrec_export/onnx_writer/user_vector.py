"""From a history of item ids to the user vector, in ONNX: what stands before and behind the converted blocks.

history ─ keep the last max_len ─ ids outside the catalogue → 0 ─ lookup ─ + positions ─ blocks ─ similarity
"""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from sasrec_export.encoder.inference_encoder import folds_projections
from sasrec_export.export_options import ExportOptions
from sasrec_export.onnx_writer.graph_builder import GraphBuilder
from sasrec_export.onnx_writer.tables.fp32 import Table
from sasrec_runtime.signature import PAD_ID
from sasrec_train.config import ModelConfig
from sasrec_train.network.layers import MASKED, UNIT_EPSILON

__all__ = ["Blocks", "user_vector", "valid_ids"]

INT64_MAX = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Blocks:
    """The converted blocks of a network, and what their inputs are made with."""

    model: ir.Model
    """From `convert_encoder.encoder_to_onnx`, perhaps quantized; `entries` takes it apart."""
    config: ModelConfig
    """The network."""
    positions: np.ndarray
    """float32 (max_len, D), position embeddings."""
    masked: float = MASKED
    """Added to the logits of masked keys: -1e9, or the value of `int8_mask` where the blocks are in int8."""

    def copy(self) -> "Blocks":
        """Return the same blocks for another graph."""
        return dataclasses.replace(self, model=self.model.clone())


def user_vector(
    builder: GraphBuilder, blocks: Blocks, table: Table, history: ir.Value, options: ExportOptions
) -> tuple[ir.Value, list[ir.Node]]:
    """Return the user vectors as the table wants them, float32 (B, D), and the nodes of the blocks that compute them.

    Args:
        builder: Records everything but the nodes of the blocks.
        blocks: The network between embeddings and similarity.
        table: The item table.
        history: int32 (B, T).
        options: Whether T is fixed.
    """
    config = blocks.config
    if not options.history or options.history > config.max_len:
        bounds = (np.array([-config.max_len]), np.array([INT64_MAX]), np.array([1]))
        names = ("history_start", "history_end", "history_axis")
        history = builder.op("Slice", [history, *(builder.constant(n, b) for n, b in zip(names, bounds, strict=True))])
    ids = valid_ids(builder, history, config)
    x = table.lookup(builder, ids)
    scale = np.float32(math.sqrt(config.hidden_dim) if config.scale_embeddings else 1)
    if table.transform is not None and table.transform.ndim == 1:
        x = builder.op("Mul", [x, builder.constant("scaled_transform", scale * table.transform)])
    else:
        x = x if table.transform is None else _times(builder, x, table.transform)
        x = builder.op("Mul", [x, builder.constant("embedding_scale", scale)]) if config.scale_embeddings else x
    x = builder.op("Add", [x, _positions(builder, blocks, history, options)])
    key_bias = _key_bias(builder, blocks, ids)
    inputs = {"x": x, "key_bias": key_bias}
    if config.num_blocks > 1:
        inputs["bias"] = _bias(builder, blocks, key_bias, history, options)
        inputs["rows"] = _rows(builder, config, history, options)

    nodes = list(blocks.model.graph)
    for value in blocks.model.graph.inputs:
        if not value.uses():
            continue  # of a single block
        ir.convenience.replace_all_uses_with(value, inputs[value.name or ""])
    hidden = blocks.model.graph.outputs[0]
    user = hidden if config.similarity == "dot" else _unit_over_temperature(builder, hidden, config, options)
    if table.transform is not None:
        user = _times(builder, user, table.transform)
    return user, nodes


def valid_ids(builder: GraphBuilder, ids: ir.Value, config: ModelConfig) -> ir.Value:
    """Return the ids with PAD_ID in place of every id that is not an item.

    ``clip(id, 0, n + 1) mod (n + 1)``: negative ids clip to 0, ids above n clip to n + 1 and become 0 by the modulus.
    """
    above = config.n_items + 1
    clipped = builder.op(
        "Clip", [ids, builder.constant("pad_id", np.int32(PAD_ID)), builder.constant("above", np.int32(above))]
    )
    return builder.op("Mod", [clipped, builder.constant("above", np.int32(above))])


def _times(builder: GraphBuilder, rows: ir.Value, transform: NDArray[np.float32]) -> ir.Value:
    """Rows (…, D) times the transform, see `table.transform.apply`."""
    return builder.op("Mul" if transform.ndim == 1 else "MatMul", [rows, builder.constant("transform", transform)])


def _length(builder: GraphBuilder, history: ir.Value) -> ir.Value:
    """(1,): T."""
    return builder.once("length", lambda: builder.op("Shape", [history], start=1, end=2))


def _positions(builder: GraphBuilder, blocks: Blocks, history: ir.Value, options: ExportOptions) -> ir.Value:
    """Return the last T of the position embeddings, (T, D): positions count from the newest item."""
    if options.history:
        return builder.constant("positions", blocks.positions[-options.history :])
    start = builder.op("Neg", [_length(builder, history)])
    end, axis = builder.constant("history_end", np.array([INT64_MAX])), builder.constant("axis_0", np.array([0]))
    return builder.op("Slice", [builder.constant("positions", blocks.positions), start, end, axis])


def _key_bias(builder: GraphBuilder, blocks: Blocks, ids: ir.Value) -> ir.Value:
    """(B, 1, T): 0 where the history holds an item, `masked` elsewhere."""
    is_item = builder.op("Cast", [ids], to=ir.DataType.BOOL)
    zero, masked = builder.constant("zero", np.float32(0)), builder.constant("masked", np.float32(blocks.masked))
    return builder.op(
        "Unsqueeze", [builder.op("Where", [is_item, zero, masked]), builder.constant("history_axis", np.array([1]))]
    )


def _bias(
    builder: GraphBuilder, blocks: Blocks, key_bias: ir.Value, history: ir.Value, options: ExportOptions
) -> ir.Value:
    """Join key_bias with the causal mask, in the layout that InferenceEncoder names."""
    config = blocks.config
    repeats = config.num_heads if folds_projections(config) else 1
    if not folds_projections(config):
        key_bias = builder.op("Unsqueeze", [key_bias, builder.constant("history_axis", np.array([1]))])  # (B, 1, 1, T)
    if not config.causal:
        return key_bias
    later = np.triu(np.full((config.max_len, config.max_len), blocks.masked, np.float32), 1)
    causal = np.repeat(later, repeats, axis=0)  # (T·H, T), a row per position and head
    if options.history:
        return builder.op(
            "Min", [key_bias, builder.constant("causal", causal[: options.history * repeats, : options.history])]
        )
    ends = builder.op("Mul", [_length(builder, history), builder.constant("rows_and_keys", np.array([repeats, 1]))])
    start = builder.constant("origin", np.array([0, 0]))
    return builder.op("Min", [key_bias, builder.op("Slice", [builder.constant("causal", causal), start, ends])])


def _rows(builder: GraphBuilder, config: ModelConfig, history: ir.Value, options: ExportOptions) -> ir.Value:
    """(3,): [B, -1, D]."""
    if options.batch:
        return builder.constant("rows", np.array([options.batch, -1, config.hidden_dim]))
    return builder.op(
        "Concat", [builder.rows_of(history), builder.constant("rest", np.array([-1, config.hidden_dim]))], axis=0
    )


def _unit_over_temperature(builder: GraphBuilder, x: ir.Value, config: ModelConfig, options: ExportOptions) -> ir.Value:
    """Return ``x / (max(|x|, √ε) · temperature)``: vectors of length 1 / temperature; a zero vector stays zero."""
    length = builder.reduce("ReduceL2", x, axis=-1, keepdims=1, opset=options.opset)
    least = builder.constant("least_length", np.float32(math.sqrt(UNIT_EPSILON)))
    length = builder.op(
        "Mul", [builder.op("Max", [length, least]), builder.constant("temperature", np.float32(config.temperature))]
    )
    return builder.op("Div", [x, length])
