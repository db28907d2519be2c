"""The item table of a TFLite file: one constant for both signatures, which the lookup and the scoring both read.

The converter leaves the lookup as GATHER, which lacks a per-row integer kernel. EMBEDDING_LOOKUP has one, and reads
the weights of FULLY_CONNECTED unchanged: 8 or 4 bits, symmetric, one scale per row (per-channel, axis 0), so
``row = scale · q`` with zero point 0.

Scales are stored in one of two forms. Quantization parameters of the tensor (float32 scales, int64 zero points) take
12 bytes a row. Blockwise quantization with one block per row keeps them as float16 in a tensor of their own, 2 bytes a
row; `metadata` names the oldest interpreter that reads it.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sasrec_export.errors import ConversionError
from sasrec_export.table.quantized_table import QuantizedTable
from sasrec_export.table.spec import INT4_QMAX
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.convert_entries import TABLE
from sasrec_export.tflite_writer.flatbuffer import Model

__all__ = ["ITEM_TABLE", "put_float", "put_quantized"]

ITEM_TABLE = b"item_table"
"""Name of the table's tensor in every subgraph."""

# Bits of an entry → the operator version whose kernels read it (tensorflow/lite/tools/versioning/op_version.cc).
# Blockwise scales in half precision need one version more of FULLY_CONNECTED.
LOOKUP_VERSIONS = {8: 3, 4: 4}
SCORING_VERSIONS = {8: 9, 4: 12}


def put_float(model: Model, table: NDArray[np.float32]) -> None:
    """Make the float32 `table` (V, D) the constant that both signatures read, in place.

    Args:
        model: A ModelT in which the table is an input, or a float constant already.
        table: Its rows, row 0 for padding; rows that only fill the last block of a search are added.
    """
    for graph, tensor in _placeholders(model):
        tensor.buffer = flatbuffer.add_buffer(model, _padded(table, tensor)) if graph is model.subgraphs[0] else 0
    _share(model)


def put_quantized(model: Model, table: QuantizedTable, *, bits: int) -> None:
    """Make `table`, in `bits` bits (4 or 8), the constant that both signatures read, in place.

    Args:
        model: A ModelT in which the table is an input, or a float constant already.
        table: (V, D) integers with one scale per row.
        bits: Of an entry, 4 or 8.

    Raises:
        ConversionError: An operator other than the lookup and the scoring reads the table.
    """
    for graph, tensor in _placeholders(model):
        if graph is model.subgraphs[0]:
            values = _padded(table.values, tensor)
            tensor.buffer = flatbuffer.add_buffer(model, _nibbles(values) if bits == 4 else values)
        tensor.type = schema.TensorType.INT4 if bits == 4 else schema.TensorType.INT8
        scales = _padded(table.scales[:, None], tensor, fill=1.0)
        tensor.quantization = (
            _blockwise(model, graph, scales) if table.half_scales else flatbuffer.per_row(scales[:, 0])
        )
        _read(model, graph, graph.tensors.index(tensor), bits, SCORING_VERSIONS[bits] + bool(table.half_scales))
    _share(model)


def _placeholders(model: Model) -> list[tuple[Any, Any]]:
    """Return (subgraph, tensor) of the table in every signature, and take it from the inputs."""
    found = [(graph, tensor) for graph in model.subgraphs for tensor in graph.tensors if tensor.name == ITEM_TABLE]
    if found:  # a float table is there already
        return found
    for definition in model.signatureDefs:
        graph = model.subgraphs[definition.subgraphIndex]
        (entry,) = [entry for entry in definition.inputs if entry.name.decode() == TABLE]
        definition.inputs.remove(entry)
        graph.inputs = [index for index in graph.inputs if index != entry.tensorIndex]
        tensor = graph.tensors[entry.tensorIndex]
        tensor.name = ITEM_TABLE
        found.append((graph, tensor))
    return sorted(found, key=lambda pair: model.subgraphs.index(pair[0]))


def _share(model: Model) -> None:
    """Let the tables of all subgraphs use the first one's buffer."""
    tables = [tensor for graph in model.subgraphs for tensor in graph.tensors if tensor.name == ITEM_TABLE]
    for tensor in tables:
        tensor.buffer = tables[0].buffer


def _padded(values: Any, tensor: Any, fill: float = 0.0) -> Any:
    """Return `values` with as many rows as the tensor: the search never returns the added rows."""
    missing = int(tensor.shape[0]) - len(values)
    if not missing:
        return values
    return np.concatenate([values, np.full((missing, values.shape[1]), fill, values.dtype)])


def _read(model: Model, graph: Any, table: int, bits: int, scoring_version: int) -> None:
    """Replace the operators that read the table by those with integer kernels."""
    for operator in graph.operators:
        if table not in operator.inputs:
            continue
        name = flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex])
        if name == "GATHER":
            _gather_to_embedding_lookup(model, operator, LOOKUP_VERSIONS[bits])
        elif name == "FULLY_CONNECTED":
            flatbuffer.quantize_inputs(model, operator, scoring_version)
        else:
            raise ConversionError(f"TFLite model: {name} reads the item table, expected GATHER or FULLY_CONNECTED.")


def _gather_to_embedding_lookup(model: Model, operator: Any, version: int) -> None:
    """GATHER(table, ids, axis 0) → EMBEDDING_LOOKUP(ids, table)."""
    operator.inputs = [operator.inputs[1], operator.inputs[0]]
    operator.opcodeIndex = flatbuffer.operator_code(model, "EMBEDDING_LOOKUP", version)
    operator.builtinOptions = None
    operator.builtinOptionsType = 0


def _blockwise(model: Model, graph: Any, scales: NDArray[np.float32]) -> Any:
    """Return blockwise quantization with one block per row: float16 scales in a tensor, no zero points."""
    details = schema.BlockwiseQuantizationT()
    details.scales = flatbuffer.add_constant(model, graph, "item_scales", scales.astype(np.float16))
    details.zeroPoints = -1
    (tensor,) = [tensor for tensor in graph.tensors if tensor.name == ITEM_TABLE]
    details.blockSize = int(tensor.shape[1])
    parameters = schema.QuantizationParametersT()
    parameters.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    parameters.details = details
    return parameters


def _nibbles(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack two 4-bit entries into a byte, two's complement: ``(q₀ & 15) | (q₁ << 4)``."""
    flat = values.reshape(-1)
    if flat.min() < -INT4_QMAX:
        raise ConversionError("TFLite model: a 4-bit entry is -8, which kernels without XNNPACK misread.")
    if len(flat) % 2:
        flat = np.append(flat, np.int8(0))
    low, high = flat[0::2].view(np.uint8), flat[1::2].view(np.uint8)
    return np.asarray((low & 15) | (high << 4), np.uint8)
