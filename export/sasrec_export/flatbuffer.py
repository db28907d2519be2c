"""Reading and writing TFLite files as objects of the published schema, small and aligned."""

import hashlib
from collections.abc import Iterator
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

__all__ = ["builtin_name", "dump", "load", "operator_code", "operators", "tensor_data"]

FILE_IDENTIFIER = b"TFL3"
ALIGNMENT_BYTES = 16
"""What TFLite's kernels expect of constant data; the schema's own Pack does not align."""

_BUILTIN_NAMES = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def load(data: bytes) -> Any:
    """Return the ModelT of a TFLite file."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for buffer in model.buffers:
        if buffer.offset > 1:  # data behind the flatbuffer, as in files over 2 GB
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def dump(model: Any) -> bytes:
    """Return the TFLite file of a ModelT: equal buffers and equal scales once, constant data aligned.

    Law: ``dump(load(dump(m))) == dump(m)``.
    """
    _merge_equal_buffers(model)
    builder = _Builder(1 << 16)
    builder.Finish(model.Pack(builder), FILE_IDENTIFIER)
    return bytes(builder.Output())


def operators(model: Any) -> Iterator[tuple[Any, Any, str]]:
    """Yield (subgraph, operator, builtin name) for every operator."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            yield graph, operator, builtin_name(model.operatorCodes[operator.opcodeIndex])


def builtin_name(code: Any) -> str:
    """Return the name of an OperatorCodeT, such as `FULLY_CONNECTED`."""
    return str(_BUILTIN_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)])


def operator_code(model: Any, name: str, version: int) -> int:
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


def tensor_data(model: Any, tensor: Any) -> NDArray[np.uint8] | None:
    """Return the constant bytes of a TensorT, or None where it is computed."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or len(data) == 0 else np.asarray(data, np.uint8)


class _Builder(flatbuffers.Builder):  # type: ignore[misc] # flatbuffers has no types
    """A builder that writes equal arrays once and aligns constant data."""

    def __init__(self, initial_bytes: int):
        super().__init__(initial_bytes)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 - flatbuffers' name
        """Write an array, or point to an equal one: the scales of a table stand once for all signatures."""
        key = (x.dtype.str, hashlib.sha256(x.tobytes()).digest())
        if key not in self._written:
            self._written[key] = int(super().CreateNumpyVector(x))
        return self._written[key]

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
        """Begin a vector; those of bytes, which hold constant data, are aligned to ALIGNMENT_BYTES."""
        aligned = ALIGNMENT_BYTES if elemSize == 1 and numElems >= ALIGNMENT_BYTES else alignment
        return int(super().StartVector(elemSize, numElems, aligned))


def _merge_equal_buffers(model: Any) -> None:
    """Let tensors of equal constant data use one buffer, and drop the buffers that nobody uses."""
    first: dict[bytes, int] = {}
    used: dict[int, int] = {0: 0}  # old index → new index; buffer 0 is the empty one by convention
    for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
        data = tensor_data(model, tensor)
        if data is not None:
            tensor.buffer = first.setdefault(data.tobytes(), tensor.buffer)
        used.setdefault(tensor.buffer, len(used))
    for metadata in model.metadata or []:
        used.setdefault(metadata.buffer, len(used))
    model.buffers = [model.buffers[old] for old in used]
    for holder in [*(t for graph in model.subgraphs for t in graph.tensors), *(model.metadata or [])]:
        holder.buffer = used[holder.buffer]
