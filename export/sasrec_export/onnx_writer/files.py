"""Writing ONNX models whose large tensors lie in one weights file that they share and that a runtime can map."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir

__all__ = ["PAGE_BYTES", "save_sharing_weights", "save_single_files"]

PAGE_BYTES = 4096
"""Offsets are multiples of this, so that a runtime can map a tensor instead of reading it."""

INLINE_LIMIT_BYTES = 1024
"""Tensors up to this size stay in the .onnx file: shape inference wants them there, and a page each would be waste."""


def save_sharing_weights(models: Mapping[str, ir.Model], folder: Path, weights_name: str) -> list[Path]:
    """Write `models` (file name → model) into `folder`, their large tensors once in `weights_name`.

    Tensors of equal content, dtype and shape are stored once, whichever models use them.

    Returns:
        The files written.
    """
    weights_path = folder / weights_name
    written: dict[bytes, tuple[int, int]] = {}  # content digest → offset, length
    with weights_path.open("wb") as file:
        for model in models.values():
            for value in model.graph.initializers.values():
                tensor = value.const_value
                if tensor is None or tensor.nbytes <= INLINE_LIMIT_BYTES:
                    continue
                data = tensor.tobytes()
                digest = hashlib.sha256(data).digest()
                if digest not in written:
                    file.seek(-(-file.tell() // PAGE_BYTES) * PAGE_BYTES)
                    written[digest] = (file.tell(), file.write(data))
                offset, length = written[digest]
                value.const_value = ir.ExternalTensor(
                    weights_name,
                    offset,
                    length,
                    tensor.dtype,
                    shape=ir.Shape(tensor.shape.numpy()),
                    name=value.name or "",
                    base_dir=folder,
                )
    files = save_single_files(models, folder)
    if not written:  # a network so small that everything stays inline
        weights_path.unlink()
        return files
    return [*files, weights_path]


def save_single_files(models: Mapping[str, ir.Model], folder: Path) -> list[Path]:
    """Write `models` (file name → model) into `folder`, each with what it holds; return the files written."""
    paths = []
    for name, model in models.items():
        ir.save(model, folder / name)
        paths.append(folder / name)
    return paths
