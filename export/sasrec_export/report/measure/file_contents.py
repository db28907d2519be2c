"""What stands in a variant's files: bytes of the item table and of the rest, operators, scales of the rows."""

import collections
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND

__all__ = ["Parts", "read"]

FILL_ROWS = 128
"""Rows of a table are filled up to a multiple of at most this."""

NEEDED = {"onnx": ("onnx", "onnx_ir"), "tflite": ("ai_edge_litert", "flatbuffers")}
"""Runtime → what reads its files."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What one variant is made of."""

    table_bytes: int
    """Of the item table with its scales, each stored piece once."""
    operators: dict[str, int]
    """Operator → how often it stands in `recommend`, the most frequent first."""
    row_scales: NDArray[np.float32] | None
    """(V,) or (V · blocks,), of the items; None where the table is float."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """One stored array of numbers."""

    place: object
    """Equal for equal bytes of a file."""
    shape: tuple[int, ...]
    is_float: bool
    size_bytes: int
    values: Any
    """Called for the numbers."""


def read(bundle: Bundle, variant: Variant) -> Parts | None:
    """Return what the variant is made of; None where the library that reads its files is not installed."""
    if any(importlib.util.find_spec(module) is None for module in NEEDED[variant.runtime]):
        return None
    items = bundle.manifest.model.n_items
    pieces, operators = (_onnx if variant.runtime == "onnx" else _tflite)(bundle, variant)
    table = list({piece.place: piece for piece in pieces if _is_table(piece.shape, items + 1)}.values())
    return Parts(
        table_bytes=sum(piece.size_bytes for piece in table),
        operators=dict(collections.Counter(operators).most_common()),
        row_scales=_scales(table, items),
    )


def _is_table(shape: Sequence[int], rows: int) -> bool:
    """Whether an array has a row per item id: V rows, perhaps filled up to whole blocks, perhaps flat or transposed."""
    filled = -(-rows // FILL_ROWS) * FILL_ROWS
    return any(
        rows <= size <= filled or (len(shape) == 1 and size >= rows and (size % rows == 0 or size % filled == 0))
        for size in shape
    )


def _scales(table: list[_Piece], items: int) -> NDArray[np.float32] | None:
    """Return the positive scales beside an integer table, those of padding and filling left out."""
    integers = [piece for piece in table if not piece.is_float]
    if not integers:
        return None
    beside = sorted((piece for piece in table if piece.is_float), key=lambda piece: piece.size_bytes)
    if not beside:
        return None
    values = np.asarray(beside[0].values(), np.float32)
    if values.shape[-1] > items and values.ndim > 1 and values.shape[0] <= values.shape[-1]:
        values = values.T
    rows = values.reshape(items + 1, -1) if values.size % (items + 1) == 0 else values.reshape(len(values), -1)
    real = rows[1 : items + 1].reshape(-1)
    return real[real > 0]


def _onnx(bundle: Bundle, variant: Variant) -> tuple[list[_Piece], list[str]]:
    import onnx_ir as ir  # noqa: PLC0415 - an extra

    pieces, operators = [], []
    for entry, path in variant.entries.items():
        model = ir.load(bundle.file(path))
        if entry == RECOMMEND:
            operators = [node.op_type for node in model.graph if node.op_type != "Constant"]
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is None:
                continue
            external = isinstance(tensor, ir.ExternalTensor)
            place = (tensor.location, tensor.offset) if isinstance(tensor, ir.ExternalTensor) else (path, value.name)
            pieces.append(
                _Piece(
                    place=(external, *place),
                    shape=tuple(int(size) for size in tensor.shape.numpy()),
                    is_float=tensor.dtype.is_floating_point(),
                    size_bytes=tensor.nbytes,
                    values=tensor.numpy,
                )
            )
    return pieces, operators


def _tflite(bundle: Bundle, variant: Variant) -> tuple[list[_Piece], list[str]]:
    from sasrec_export.tflite_writer import flatbuffer  # noqa: PLC0415 - an extra

    model = flatbuffer.load(bundle.file(variant.entries[RECOMMEND]).read_bytes())
    pieces: list[_Piece] = []
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            pieces += _tflite_pieces(model, tensor)
    signatures = {bytes(signature.signatureKey).decode(): signature for signature in model.signatureDefs or []}
    chosen = model.subgraphs[signatures[RECOMMEND].subgraphIndex if RECOMMEND in signatures else 0]
    return pieces, [name for graph, _, name in flatbuffer.operators(model) if graph is chosen]


def _tflite_pieces(model: Any, tensor: Any) -> Iterator[_Piece]:
    """Give the constant data of a tensor, and its scales and zero points per row."""
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - an extra

    from sasrec_export.tflite_writer import flatbuffer  # noqa: PLC0415 - an extra

    data = flatbuffer.tensor_data(model, tensor)
    if data is None or tensor.shape is None:
        return
    shape = tuple(int(size) for size in tensor.shape)
    is_float = tensor.type in {schema.TensorType.FLOAT32, schema.TensorType.FLOAT16}
    dtype = np.float16 if tensor.type == schema.TensorType.FLOAT16 else np.float32
    size_bytes = len(data.tobytes())
    yield _Piece(
        place=tensor.buffer,
        shape=shape,
        is_float=is_float,
        size_bytes=size_bytes,
        values=lambda: np.frombuffer(data.tobytes(), dtype).reshape(shape),
    )
    scale = getattr(tensor.quantization, "scale", None)
    if scale is not None and len(scale) > 1 and shape:
        scales = np.asarray(scale, np.float32)
        zeros = 8 * len(tensor.quantization.zeroPoint if tensor.quantization.zeroPoint is not None else [])
        yield _Piece(
            place=scales.tobytes(), shape=scales.shape, is_float=True, size_bytes=scales.nbytes + zeros,
            values=lambda: scales,
        )  # fmt: skip
