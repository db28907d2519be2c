"""One int8 item table in a TFLite file: the lookup reads the very tensor that the scoring multiplies with.

The converter leaves the lookup as GATHER, which has no per-row int8 kernel. EMBEDDING_LOOKUP has one, and takes the
weights of FULLY_CONNECTED as they are: int8, one scale per row.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sasrec_export import flatbuffer
from sasrec_export.errors import ConversionError
from sasrec_export.quantize import QuantizedTable

__all__ = ["quantize_table"]

# Operator versions that have the per-row int8 kernels.
EMBEDDING_LOOKUP_VERSION = 3
FULLY_CONNECTED_VERSION = 9


def quantize_table(model: Any, table: QuantizedTable) -> None:
    """Replace the float32 item table of a ModelT by `table`, in place, for lookup and scoring alike.

    Raises:
        ConversionError: The model has no tensor of that shape, or something else reads it.
    """
    holders = [_quantize_tensor(model, graph, table) for graph in model.subgraphs]
    if not any(holders):
        raise ConversionError(
            f"TFLite model: no constant has the item table's shape {table.values.shape}. "
            "Install the versions in constraints.txt."
        )
    for graph, operator, name in list(flatbuffer.operators(model)):
        if not any(graph.tensors[index].type == schema.TensorType.INT8 for index in operator.inputs if index >= 0):
            continue
        if name == "GATHER":
            _gather_to_embedding_lookup(model, operator)
        elif name == "FULLY_CONNECTED":
            operator.builtinOptions.asymmetricQuantizeInputs = True  # activations in int8, one scale per row
            operator.opcodeIndex = flatbuffer.operator_code(model, name, FULLY_CONNECTED_VERSION)
        else:
            raise ConversionError(f"TFLite model: {name} reads the item table, expected GATHER or FULLY_CONNECTED.")


def _quantize_tensor(model: Any, graph: Any, table: QuantizedTable) -> bool:
    """Make every float32 constant of the table's shape in `graph` the int8 table; say whether there was one."""
    tensors = [
        tensor
        for tensor in graph.tensors
        if tensor.type == schema.TensorType.FLOAT32
        and tensor.shape is not None
        and tuple(tensor.shape) == table.values.shape
        and flatbuffer.tensor_data(model, tensor) is not None
    ]
    for tensor in tensors:
        buffer = schema.BufferT()
        buffer.data = table.values.reshape(-1).view(np.uint8)
        buffer.offset = buffer.size = 0
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
        tensor.type = schema.TensorType.INT8
        tensor.quantization = _per_row(table)
    return bool(tensors)


def _per_row(table: QuantizedTable) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale = table.scales
    parameters.zeroPoint = np.zeros(len(table.scales), np.int64)  # the loader wants one per row
    parameters.quantizedDimension = 0
    parameters.detailsType = 0
    return parameters


def _gather_to_embedding_lookup(model: Any, operator: Any) -> None:
    """GATHER(table, ids, axis 0) → EMBEDDING_LOOKUP(ids, table)."""
    operator.inputs = [operator.inputs[1], operator.inputs[0]]
    operator.opcodeIndex = flatbuffer.operator_code(model, "EMBEDDING_LOOKUP", EMBEDDING_LOOKUP_VERSION)
    operator.builtinOptions = None
    operator.builtinOptionsType = 0
