"""Variants by runtime: who writes the files of one, how the manifest describes it, and on which table it computes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sasrec_export.encoder.export_model import HeldTable, Trained, Written
from sasrec_export.onnx_writer import writer
from sasrec_export.recipes import VariantPlan
from sasrec_export.tflite_writer import writer
from sasrec_runtime.manifest import FileEntry, Variant

__all__ = ["describe", "entry_of", "held_table", "write"]

WRITERS: dict[str, Callable[[Trained, VariantPlan, Path], Written]] = {
    "onnx": writer.write,
    "tflite": writer.write,
}
TABLES: dict[str, Callable[[Trained, VariantPlan], HeldTable]] = {
    "onnx": writer.held_table,
    "tflite": writer.held_table,
}


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the files of one variant into `folder`, an existing empty one."""
    return WRITERS[plan.runtime](trained, plan, folder)


def held_table(trained: Trained, plan: VariantPlan) -> HeldTable:
    """Return the table that a variant computes with."""
    return TABLES[plan.runtime](trained, plan)


def describe(trained: Trained, plan: VariantPlan, bundle: Path) -> Variant:
    """Write the files of one variant into its place in the folder `bundle`; return what the manifest says of it."""
    place = bundle / plan.runtime / plan.recipe.name
    place.mkdir(parents=True)
    written = write(trained, plan, place)
    fixed: dict[str, Any] = {}
    shape = plan.shape
    if shape.fixed:
        fixed = {
            "fixed_k": trained.top_k,
            "fixed_history": shape.history,
            "fixed_batch": shape.batch,
            "fixed_exclude": shape.exclude,
            "fixed_candidates": shape.candidates,
        }
    elif plan.runtime == "tflite":
        fixed = {"fixed_k": trained.top_k, "fixed_batch": 1}
    return Variant(
        name=plan.name,
        runtime=plan.runtime,
        recipe=plan.recipe.name,
        entries={entry: path.relative_to(bundle).as_posix() for entry, path in written.entries.items()},
        files=[entry_of(bundle, path) for path in written.files],
        min_runtime_version=plan.min_version,
        atol=0.0,
        **fixed,
    )


def entry_of(bundle: Path, path: Path) -> FileEntry:
    """Return the description of a file inside the folder `bundle`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(path=path.relative_to(bundle).as_posix(), bytes=path.stat().st_size, sha256=digest)
