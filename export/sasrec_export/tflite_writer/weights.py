"""The network's own weights in a TFLite file: int8 by row for integer kernels, or stored in half precision."""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sasrec_export.table.quantized_table import quantize_rows
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.flatbuffer import Model
from sasrec_export.tflite_writer.table import ITEM_TABLE, SCORING_VERSIONS

__all__ = ["halve", "quantize_linears"]

HALVED_FROM = 64
"""Entries of a constant from which half precision saves more bytes than its DEQUANTIZE takes."""


def quantize_linears(model: Model, *, but: NDArray[np.float32] | None = None) -> None:
    """Make the float32 weights of every FULLY_CONNECTED int8, in place: dynamic-range quantization.

    Weights are rounded symmetrically, one scale per output channel; inputs are quantized at run time, one scale per
    row. The converter writes weights as (out, in), so a row is an output channel.

    Args:
        model: A ModelT.
        but: Weights (D, D) that stay float32: the transform of user vectors, whose result is quantized for scoring.
            Rounding twice costs 0.005 of overlap@10 with 4 bits.
    """
    for graph in model.subgraphs:
        for operator in linears(model, graph):
            tensor = graph.tensors[operator.inputs[1]]
            weights = np.asarray(flatbuffer.constant(model, tensor), np.float32)
            if but is not None and np.array_equal(weights, but):
                continue
            rounded = quantize_rows(weights)
            tensor.buffer = flatbuffer.add_buffer(model, rounded.values)
            tensor.type = schema.TensorType.INT8
            tensor.quantization = flatbuffer.per_row(rounded.scales)
            flatbuffer.quantize_inputs(model, operator, SCORING_VERSIONS[8])


def linears(model: Model, graph: Any) -> list[Any]:
    """Return the FULLY_CONNECTED operators of `graph` that multiply with float32 constants, the scoring aside."""
    return [
        operator
        for operator in graph.operators
        if flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex]) == "FULLY_CONNECTED"
        and graph.tensors[operator.inputs[1]].type == schema.TensorType.FLOAT32
        and graph.tensors[operator.inputs[1]].name != ITEM_TABLE
        and flatbuffer.tensor_data(model, graph.tensors[operator.inputs[1]]) is not None
    ]


def halve(model: Model, *, table: bool, weights: bool) -> None:
    """Store float32 constants in half precision, in place; a DEQUANTIZE widens them when the model is loaded.

    Args:
        model: A ModelT.
        table: Whether to store the item table so.
        weights: Whether to store everything else so.
    """
    if not (table or weights):
        return
    halves: dict[int, int] = {}
    for graph in model.subgraphs:
        widened = []
        for index in range(len(graph.tensors)):
            tensor = graph.tensors[index]
            if tensor.type != schema.TensorType.FLOAT32 or flatbuffer.tensor_data(model, tensor) is None:
                continue
            values = flatbuffer.constant(model, tensor)
            if not (table if tensor.name == ITEM_TABLE else weights):
                continue
            if values is None or values.size < HALVED_FROM:
                continue
            if tensor.buffer not in halves:
                halves[tensor.buffer] = flatbuffer.add_buffer(model, _half(values))
            name = tensor.name.decode() + "_half"
            half = flatbuffer.add_tensor(
                graph, name, tensor.shape, schema.TensorType.FLOAT16, buffer=halves[tensor.buffer]
            )
            tensor.buffer = 0
            widened.append(_dequantize(model, half, index))
        graph.operators = widened + graph.operators


def _half(values: Any) -> Any:
    """Return `values` in half precision, clipped to its range of ±65504: a mask of -1e9 lies outside."""
    limit = np.finfo(np.float16).max
    return np.clip(values, -limit, limit).astype(np.float16)


def _dequantize(model: Model, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = flatbuffer.operator_code(model, "DEQUANTIZE", 3)
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptionsType = 0
    return operator
