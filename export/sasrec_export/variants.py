"""Variants by runtime: who writes the files of one, and on which item table it then computes."""

from collections.abc import Callable
from pathlib import Path

from sasrec_export import onnx_variants, tflite_variants
from sasrec_export.recipe import VariantPlan
from sasrec_export.trained import HeldTable, Trained, Written

__all__ = ["held_table", "write"]

WRITERS: dict[str, Callable[[Trained, VariantPlan, Path], Written]] = {
    "onnx": onnx_variants.write,
    "tflite": tflite_variants.write,
}
TABLES: dict[str, Callable[[Trained, VariantPlan], HeldTable]] = {
    "onnx": onnx_variants.held_table,
    "tflite": tflite_variants.held_table,
}


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the files of one variant into `folder`, an existing empty one."""
    return WRITERS[plan.runtime](trained, plan, folder)


def held_table(trained: Trained, plan: VariantPlan) -> HeldTable:
    """Return the table that a variant computes with."""
    return TABLES[plan.runtime](trained, plan)
