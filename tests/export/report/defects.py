"""Bundles with a planted defect: what a report exists to find."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx_ir as ir
from onnx_ir import external_data

from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import FileEntry

TABLE, SCALES, MASK = "item_table", "item_scales", "masked"


def plant(bundle: Bundle, variant: str, edit: Callable[[ir.Model], ir.Model | None], out: Path) -> Bundle:
    """Return a copy of the bundle in `out`, every model file of an ONNX variant edited and its manifest set right.

    Args:
        bundle: The sound one.
        variant: Name of the variant to damage.
        edit: Changes a model in place, or returns another.
        out: The folder to write.
    """
    shutil.copytree(bundle.path, out)
    damaged = bundle.variant(variant)
    sizes: dict[str, FileEntry] = {}
    for relative_path in set(damaged.entries.values()):
        path = out / relative_path
        model = ir.load(path)
        external_data.load_to_model(model)
        ir.save(edit(model) or model, path)
        data = path.read_bytes()
        sizes[relative_path] = FileEntry(path=relative_path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    files = [sizes.get(file.path, file) for file in damaged.files]
    variants = [
        msgspec.structs.replace(other, files=files) if other.name == variant else other
        for other in bundle.manifest.variants
    ]
    manifest = msgspec.structs.replace(bundle.manifest, variants=variants)
    (out / "manifest.json").write_bytes(manifest_module.encode(manifest))
    return Bundle.open(out)


def set_rows(model: ir.Model, name: str, change: Callable[[Any], Any]) -> None:
    """Replace an initializer by what `change` makes of a copy of it."""
    value = model.graph.initializers[name]
    array = value.const_value.numpy().copy()
    value.const_value = ir.tensor(np.ascontiguousarray(change(array), array.dtype), name=name)
