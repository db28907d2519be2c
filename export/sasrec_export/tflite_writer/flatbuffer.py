"""Reading and writing TFLite files as objects of the published schema: equal data once, constants aligned.

The schema's classes come from `ai_edge_litert`. Its `tools.flatbuffer_utils` is not used: its reader turns arrays into
lists, so that the law of `dump` below fails (files grow by a kilobyte) and a large table takes 1.7 times as long to
load; its writer neither merges equal buffers nor aligns constants.
"""

import hashlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sasrec_export.errors import ConversionError

__all__ = [
    "Model",
    "add_buffer",
    "add_constant",
    "add_tensor",
    "builtin_name",
    "constant",
    "dump",
    "load",
    "operator_code",
    "operators",
    "per_row",
    "quantize_inputs",
    "tensor_data",
]

Model: TypeAlias = schema.ModelT
"""A TFLite model as objects of the schema."""

FILE_IDENTIFIER = b"TFL3"
ALIGNMENT_BYTES = 16
"""What TFLite's kernels expect of constant data; the schema's own Pack does not align."""

DTYPES: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
    schema.TensorType.INT64: np.dtype(np.int64),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.BOOL: np.dtype(np.bool_),
}

_BUILTIN_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def load(data: bytes) -> Model:
    """Return the ModelT of a TFLite file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # data behind the flatbuffer, as in files over 2 GB
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def dump(model: Model) -> bytes:
    """Return the TFLite file of a ModelT: equal buffers and equal scales once, constant data aligned.

    Law: ``dump(load(dump(m))) == dump(m)``.

    Raises:
        ConversionError: It does not fit into a flatbuffer.
    """
    for graph in model.subgraphs:
        _drop_unused_tensors(model, graph)
    _merge_equal_buffers(model)
    builder = _Builder(1 << 16)
    try:
        builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    except flatbuffers.builder.BuilderSizeError as error:
        size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
        raise ConversionError(
            f"TFLite model: its constants take {size:,} bytes, expected at most 2 GB in all. "
            "Choose a recipe with fewer bits (--recipe wi8), or --runtime onnx."
        ) from error
    return bytes(builder.Output())


def operators(model: Model) -> Iterator[tuple[Any, Any, str]]:
    """Yield (subgraph, operator, builtin name) for every operator."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            yield graph, operator, builtin_name(model.operatorCodes[operator.opcodeIndex])


def builtin_name(code: Any) -> str:
    """Return the name of an OperatorCodeT, such as `FULLY_CONNECTED`."""
    return str(_BUILTIN_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)])


def operator_code(model: Model, name: str, version: int) -> int:
    """Return the index of the operator code of that name and version, adding it where the model has none."""
    for index, code in enumerate(model.operatorCodes):
        if builtin_name(code) == name and (code.version or 1) == version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)  # old readers know 7 bits of codes
    code.version = version
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def tensor_data(model: Model, tensor: Any) -> NDArray[np.uint8] | None:
    """Return the constant bytes of a TensorT, or None where it is computed."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or len(data) == 0 else np.asarray(data, np.uint8)


def constant(model: Model, tensor: Any) -> NDArray[Any] | None:
    """Return the values of a constant TensorT of whole bytes, in its shape, or None where it is computed."""
    data = tensor_data(model, tensor)
    return None if data is None else data.view(DTYPES[tensor.type]).reshape(tensor.shape)


def add_buffer(model: Model, values: NDArray[Any]) -> int:
    """Return the index of a new buffer that holds `values`; their bytes are not copied."""
    buffer = schema.BufferT()
    buffer.data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    buffer.offset = buffer.size = 0
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def add_tensor(graph: Any, name: str, shape: Any, dtype: int, *, buffer: int = 0, quantization: Any = None) -> int:
    """Return the index of a new tensor in `graph`; without a buffer it is computed.

    Args:
        graph: A SubGraphT.
        name: Of the tensor.
        shape: Its sizes, one per dimension.
        dtype: A value of schema.TensorType.
        buffer: Index of the buffer that holds its constant data; 0: none.
        quantization: A QuantizationParametersT; None for a float tensor.
    """
    tensor = schema.TensorT()
    tensor.name = name.encode()
    tensor.shape = np.asarray(shape, np.int32)
    tensor.type = dtype
    tensor.buffer = buffer
    tensor.quantization = quantization
    tensor.hasRank = True
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def add_constant(model: Model, graph: Any, name: str, values: NDArray[Any], quantization: Any = None) -> int:
    """Return the index of a new constant tensor in `graph`."""
    (dtype,) = [key for key, value in DTYPES.items() if value == values.dtype]
    return add_tensor(graph, name, values.shape, dtype, buffer=add_buffer(model, values), quantization=quantization)


def per_row(scales: NDArray[np.float32], zero_points: NDArray[np.int64] | None = None) -> Any:
    """Return the QuantizationParametersT of one scale per row, or of one for the whole tensor."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = scales
    # The loader wants one zero point per scale.
    parameters.zeroPoint = np.zeros(len(scales), np.int64) if zero_points is None else zero_points
    parameters.quantizedDimension = 0
    parameters.detailsType = 0
    return parameters


def quantize_inputs(model: Model, operator: Any, version: int) -> None:
    """Make a FULLY_CONNECTED with integer weights quantize its input at run time, one scale per row."""
    operator.builtinOptions.asymmetricQuantizeInputs = True
    operator.opcodeIndex = operator_code(model, "FULLY_CONNECTED", version)


class _Builder(flatbuffers.Builder):  # type: ignore[misc] # flatbuffers has no types
    """A builder that writes equal arrays once and aligns constant data."""

    def __init__(self, initial_bytes: int):
        super().__init__(initial_bytes)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - flatbuffers' name
        """Write an array, or point to an equal one: the scales of a table stand once for all signatures."""
        key = (x.dtype.str, hashlib.sha256(np.ascontiguousarray(x).data).digest())
        if key not in self._written:
            self._written[key] = int(super().CreateNumpyVector(x))
        return self._written[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        """Begin a vector; those of bytes, which hold constant data, are aligned to ALIGNMENT_BYTES."""
        aligned = ALIGNMENT_BYTES if elemSize == 1 and numElems >= ALIGNMENT_BYTES else alignment
        return int(super().StartVector(elemSize, numElems, aligned))


def _drop_unused_tensors(model: Model, graph: Any) -> None:
    """Remove the tensors that no operator names any more, and renumber the others.

    Indices of tensors stand in operators, in inputs and outputs of the graph, in signatures, and in the blockwise
    quantization of a tensor whose scales are a tensor of their own. -1 stands for an optional input that is absent.
    """
    definitions = [d for d in model.signatureDefs or [] if model.subgraphs[d.subgraphIndex] is graph]
    entries = [entry for d in definitions for entry in (*d.inputs, *d.outputs)]
    used = {index for operator in graph.operators for index in (*operator.inputs, *operator.outputs)}
    used |= {*graph.inputs, *graph.outputs, *(entry.tensorIndex for entry in entries)}
    used |= {tensor.quantization.details.scales for tensor in graph.tensors if _is_blockwise(tensor)}
    place = {old: new for new, old in enumerate(sorted(used - {-1}))} | {-1: -1}
    graph.tensors = [graph.tensors[old] for old in place if old >= 0]
    for operator in graph.operators:
        operator.inputs = [place[index] for index in operator.inputs]
        operator.outputs = [place[index] for index in operator.outputs]
    graph.inputs, graph.outputs = [place[i] for i in graph.inputs], [place[i] for i in graph.outputs]
    for entry in entries:
        entry.tensorIndex = place[entry.tensorIndex]
    for tensor in graph.tensors:
        if _is_blockwise(tensor):
            tensor.quantization.details.scales = place[tensor.quantization.details.scales]


def _is_blockwise(tensor: Any) -> bool:
    """Whether the scales of a TensorT stand in another tensor."""
    blockwise = schema.QuantizationDetails.BlockwiseQuantization
    return tensor.quantization is not None and tensor.quantization.detailsType == blockwise


def _merge_equal_buffers(model: Model) -> None:
    """Let tensors of equal constant data use one buffer, and drop unused buffers.

    Equal is decided by SHA-256. Buffer 0 is the empty one by convention of the schema.
    """
    first: dict[bytes, int] = {}
    digests: dict[int, bytes] = {}
    used: dict[int, int] = {0: 0}  # old index → new index; buffer 0 is the empty one by convention
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = tensor_data(model, tensor)
        if data is not None:
            if tensor.buffer not in digests:
                digests[tensor.buffer] = hashlib.sha256(np.ascontiguousarray(data).data).digest()
            tensor.buffer = first.setdefault(digests[tensor.buffer], tensor.buffer)
        used.setdefault(tensor.buffer, len(used))
    for metadata in model.metadata or []:
        used.setdefault(metadata.buffer, len(used))
    model.buffers = [model.buffers[old] for old in used]
    for holder in [*(t for graph in model.subgraphs for t in graph.tensors), *(model.metadata or [])]:
        holder.buffer = used[holder.buffer]
