"""What stands in a variant's files: bytes of the item table and of the rest, operators, scales of the rows.

The writers name the tensors of the item table: `item_table` for its entries and, where the scales have a tensor of
their own, `item_scales`. A TFLite table can also carry its scales as quantization parameters.
"""

import collections
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND

__all__ = ["FileContents", "read"]

ITEM_TABLE: Final = "item_table"
"""Name of the tensor that holds the entries of the table, in every file of both writers."""
ITEM_SCALES: Final = "item_scales"
"""Name of the tensor that holds the scales of its rows."""
HALF: Final = "_half"
"""Ending of the name where a tensor is stored in half precision and widened by a DEQUANTIZE."""

NEEDED: Final = {"onnx": ("onnx", "onnx_ir"), "tflite": ("ai_edge_litert", "flatbuffers")}
"""Runtime → the modules that read its files."""


@dataclass(frozen=True, slots=True)
class FileContents:
    """What the files of one variant hold."""

    table_bytes: int | None
    """Bytes of the item table with its scales, each stored array once; None where no tensor has its name, as in TFLite
    files of the first bundle format."""
    operators: dict[str, int]
    """Operator → how often it stands in `recommend`, the most frequent first."""
    row_scales: NDArray[np.float32] | None
    """(n_items,) or (n_items · blocks,), the positive scales of the items; None where the table is float."""


@dataclass(frozen=True, slots=True)
class _StoredArray:
    """One stored array of the item table."""

    name: str
    """ITEM_TABLE or ITEM_SCALES."""
    position: object
    """Equal for arrays that are the same bytes of a file."""
    size_bytes: int
    """As stored."""
    values: Callable[[], NDArray[Any]]
    """Reads the numbers."""


def read(bundle: Bundle, variant: Variant) -> FileContents | None:
    """Return what the files of a variant hold; None where the library that reads them is not installed."""
    if any(importlib.util.find_spec(module) is None for module in NEEDED[variant.runtime]):
        return None
    arrays, operators = (_onnx if variant.runtime == "onnx" else _tflite)(bundle, variant)
    stored = list({array.position: array for array in arrays}.values())
    scales = next((array.values() for array in stored if array.name == ITEM_SCALES), None)
    return FileContents(
        table_bytes=sum(array.size_bytes for array in stored) if stored else None,
        operators=dict(collections.Counter(operators).most_common()),
        row_scales=None if scales is None else _of_items(scales, bundle.manifest.model.n_items),
    )


def _of_items(scales: NDArray[Any], n_items: int) -> NDArray[np.float32]:
    """Return the scales (rows,) or (rows, blocks) without those of padding and of rows that fill a block of rows."""
    rows = np.asarray(scales, np.float32).reshape(len(scales), -1)[1 : n_items + 1].reshape(-1)
    return rows[rows > 0]


def _onnx(bundle: Bundle, variant: Variant) -> tuple[list[_StoredArray], list[str]]:
    import onnx_ir as ir  # noqa: PLC0415 - an extra

    arrays, operators = [], []
    for entry, path in variant.entries.items():
        model = ir.load(bundle.file(path))
        if entry == RECOMMEND:
            operators = [node.op_type for node in model.graph if node.op_type != "Constant"]
        for name in (ITEM_TABLE, ITEM_SCALES):
            value = model.graph.initializers.get(name)
            tensor = None if value is None else value.const_value
            if tensor is None:
                continue
            external = isinstance(tensor, ir.ExternalTensor)
            position = (tensor.location, tensor.offset) if isinstance(tensor, ir.ExternalTensor) else (path, name)
            arrays.append(_StoredArray(name, (external, *position), tensor.nbytes, tensor.numpy))
    return arrays, operators


def _tflite(bundle: Bundle, variant: Variant) -> tuple[list[_StoredArray], list[str]]:
    from sasrec_export.tflite_writer import flatbuffer  # noqa: PLC0415 - an extra

    model = flatbuffer.load(bundle.file(variant.entries[RECOMMEND]).read_bytes())
    arrays = [array for graph in model.subgraphs for tensor in graph.tensors for array in _arrays(model, tensor)]
    signatures = {bytes(signature.signatureKey).decode(): signature for signature in model.signatureDefs or []}
    chosen = model.subgraphs[signatures[RECOMMEND].subgraphIndex if RECOMMEND in signatures else 0]
    return arrays, [name for graph, _, name in flatbuffer.operators(model) if graph is chosen]


def _arrays(model: Any, tensor: Any) -> Iterator[_StoredArray]:
    """Give the arrays of the item table that a TensorT holds: its constant data, and its scales per row."""
    from sasrec_export.tflite_writer import flatbuffer  # noqa: PLC0415 - an extra

    name = bytes(tensor.name or b"").decode(errors="replace").removesuffix(HALF)
    data = flatbuffer.tensor_data(model, tensor)
    if name not in {ITEM_TABLE, ITEM_SCALES} or data is None:
        return
    shape = tuple(int(size) for size in tensor.shape)
    yield _StoredArray(name, tensor.buffer, len(data), lambda: data.view(np.float16).reshape(shape))
    scale = getattr(tensor.quantization, "scale", None)
    if scale is not None and len(scale) > 1:
        scales = np.asarray(scale, np.float32)
        zero_points = tensor.quantization.zeroPoint
        size_bytes = scales.nbytes + 8 * (0 if zero_points is None else len(zero_points))
        yield _StoredArray(ITEM_SCALES, scales.tobytes(), size_bytes, lambda: scales)
