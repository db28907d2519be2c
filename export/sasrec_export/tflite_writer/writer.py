"""Writing the file of a TFLite variant: both entries as signatures on one item table."""

from pathlib import Path

import numpy as np

from sasrec_export.encoder.export_model import HeldTable, Trained, Written
from sasrec_export.recipes import VariantPlan
from sasrec_export.table.gptq import QuantizedTable
from sasrec_export.tflite_writer import check, convert_entries, flatbuffer, metadata, static_int8, table, weights
from sasrec_runtime.signature import ENTRIES

__all__ = ["held_table", "write"]

MODEL = "model.tflite"


def held_table(trained: Trained, plan: VariantPlan) -> HeldTable:
    """Return the table that a variant computes with."""
    bits = plan.recipe.table_bits
    if bits == 32:
        return HeldTable(trained.table)
    if bits == 16:
        return HeldTable(trained.table.astype(np.float16).astype(np.float32))
    quantized = _quantized(trained, plan)
    return HeldTable(table.held(quantized, bits=bits), quantized.basis)


def _quantized(trained: Trained, plan: VariantPlan) -> QuantizedTable:
    levels = plan.recipe.table_levels
    return trained.turned(levels) if plan.recipe.table_bits == 4 else trained.quantized(levels)


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the file of one variant into `folder`, an existing empty one."""
    path = folder / MODEL
    model = flatbuffer.load(_converted(trained, plan))
    recipe = plan.recipe
    if recipe.name == "wi8_ai8":
        table.put_float(model, held_table(trained, plan).values)
        static_int8.quantize_activations(model, trained.calibration, strict=plan.shape.strict_int8)
    if recipe.table_levels:
        table = _quantized(trained, plan)
        weights.quantize_linears(model, but=table.basis if table.basis.ndim == 2 else None)
        table.put_quantized(model, table, bits=recipe.table_bits)
    else:
        table.put_float(model, trained.table)
    if recipe.table_bits == 16:
        weights.halve(model)
    metadata.describe(model, plan, trained.model.config, top_k=trained.top_k)
    path.write_bytes(flatbuffer.dump(model))
    check.check(path, recipe, rows=len(trained.table))
    return Written(files=[path], entries=dict.fromkeys(ENTRIES, path))


def _converted(trained: Trained, plan: VariantPlan) -> bytes:
    """The float32 file without a table that every TFLite variant of these shapes and this basis starts from."""
    shape = plan.shape
    if plan.recipe.table_bits == 4:
        basis = _quantized(trained, plan).basis
        return convert_entries.convert(trained.model, top_k=trained.top_k, shape=shape, basis=basis)
    return trained.once(
        f"tflite {shape.batch}x{shape.history}, {shape.exclude} excluded",
        lambda: convert_entries.convert(trained.model, top_k=trained.top_k, shape=shape),
    )
