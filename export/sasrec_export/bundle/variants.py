"""Variants by runtime: the writer of each runtime, and how the manifest describes a variant."""

import hashlib
from pathlib import Path
from typing import Any

from sasrec_export.encoder.export_model import ExportModel, ItemTable
from sasrec_export.recipes import Runtime, VariantPlan
from sasrec_export.written import Writer
from sasrec_runtime.manifest import FileEntry, Variant

__all__ = ["describe", "entry_of", "writers"]


def writers(model: ExportModel, runtimes: set[Runtime]) -> dict[Runtime, Writer]:
    """Return a writer for each of the runtimes; only their converters are imported."""
    found: dict[Runtime, Writer] = {}
    if "onnx" in runtimes:
        from sasrec_export.onnx_writer.writer import OnnxWriter  # noqa: PLC0415 - loads tf2onnx

        found["onnx"] = OnnxWriter(model)
    if "tflite" in runtimes:
        from sasrec_export.tflite_writer.writer import TfliteWriter  # noqa: PLC0415 - loads LiteRT

        found["tflite"] = TfliteWriter(model)
    return found


def describe(writer: Writer, plan: VariantPlan, table: ItemTable, bundle: Path, *, top_k: int) -> Variant:
    """Write the files of one variant into its place in the folder `bundle`; return what the manifest says of it.

    Args:
        writer: Of the plan's runtime.
        plan: The variant.
        table: The item table as the recipe stores it.
        bundle: The folder of the bundle.
        top_k: Items that a `recommend` of fixed k returns.
    """
    place = bundle / plan.runtime / plan.recipe.name
    place.mkdir(parents=True)
    written = writer.write(plan, table, place)
    fixed: dict[str, Any] = {}
    options = plan.options
    if options.fixed:
        fixed = {
            "fixed_k": top_k,
            "fixed_history": options.history,
            "fixed_batch": options.batch,
            "fixed_exclude": options.exclude,
            "fixed_candidates": options.candidates,
        }
    elif plan.runtime == "tflite":
        fixed = {"fixed_k": top_k, "fixed_batch": 1}
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
