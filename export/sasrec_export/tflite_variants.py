"""Writing the file of a TFLite variant: both entries as signatures on one item table."""

from pathlib import Path

import numpy as np

from sasrec_export import (
    flatbuffer,
    tflite_check,
    tflite_metadata,
    tflite_static,
    tflite_table,
    tflite_weights,
    to_tflite,
)
from sasrec_export.recipe import VariantPlan
from sasrec_export.trained import HeldTable, Trained, Written
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
    return HeldTable(tflite_table.held(trained.quantized(plan.recipe.table_levels), bits=bits))


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the file of one variant into `folder`, an existing empty one."""
    path = folder / MODEL
    model = flatbuffer.load(_converted(trained, plan))
    recipe = plan.recipe
    if recipe.name == "wi8_ai8":
        tflite_table.put_float(model, held_table(trained, plan).values)
        tflite_static.quantize_activations(model, trained.calibration, strict=plan.shape.strict_int8)
    if recipe.table_levels:
        tflite_weights.quantize_linears(model)
        tflite_table.put_quantized(model, trained.quantized(recipe.table_levels), bits=recipe.table_bits)
    else:
        tflite_table.put_float(model, trained.table)
    if recipe.table_bits == 16:
        tflite_weights.halve(model)
    tflite_metadata.describe(model, plan, trained.model.config, top_k=trained.top_k)
    path.write_bytes(flatbuffer.dump(model))
    tflite_check.check(path, recipe, rows=len(trained.table))
    return Written(files=[path], entries=dict.fromkeys(ENTRIES, path))


def _converted(trained: Trained, plan: VariantPlan) -> bytes:
    """The float32 file without a table that every TFLite variant of these shapes starts from."""
    shape = plan.shape
    return trained.once(
        f"tflite {shape.batch}x{shape.history}",
        lambda: to_tflite.convert(trained.model, top_k=trained.top_k, shape=shape),
    )
