"""Variants by runtime: who writes the files of one, and on which item table it then computes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sasrec_export import onnx_variants, tflite_variants
from sasrec_export.recipe import VariantPlan
from sasrec_export.trained import Trained, Written

__all__ = ["held_table", "write"]

WRITERS: dict[str, Callable[[Trained, VariantPlan, Path], Written]] = {
    "onnx": onnx_variants.write,
    "tflite": tflite_variants.write,
}
TABLES: dict[str, Callable[[Trained, VariantPlan], NDArray[np.float32]]] = {
    "onnx": onnx_variants.held_table,
    "tflite": tflite_variants.held_table,
}


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the files of one variant into `folder`, an existing empty one."""
    return WRITERS[plan.runtime](trained, plan, folder)


def held_table(trained: Trained, plan: VariantPlan) -> NDArray[np.float32]:
    """Return the table that a variant computes with, float32 (V, D)."""
    return TABLES[plan.runtime](trained, plan)
