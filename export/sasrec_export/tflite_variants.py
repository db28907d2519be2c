"""Writing the file of a TFLite variant: both entries as signatures on one item table."""

from pathlib import Path

from sasrec_export import flatbuffer, tflite_table, to_tflite
from sasrec_export.recipe import VariantPlan
from sasrec_export.trained import HeldTable, Trained, Written
from sasrec_runtime.signature import ENTRIES

__all__ = ["held_table", "write"]

MODEL = "model.tflite"


def held_table(trained: Trained, plan: VariantPlan) -> HeldTable:
    """Return the table that a variant computes with."""
    levels = plan.recipe.table_levels
    return HeldTable(trained.quantized(levels).dequantize() if levels else trained.table)


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the file of one variant into `folder`, an existing empty one."""
    path = folder / MODEL
    model = flatbuffer.load(trained.once("tflite", lambda: _float32(trained)))
    if plan.recipe.table_bits == 8:
        tflite_table.quantize_table(model, trained.quantized(plan.recipe.table_levels))
    path.write_bytes(flatbuffer.dump(model))
    return Written(files=[path], entries=dict.fromkeys(ENTRIES, path))


def _float32(trained: Trained) -> bytes:
    """The float32 file that every TFLite variant starts from."""
    return flatbuffer.dump(to_tflite.convert(trained.model, trained.table, top_k=trained.top_k))
