"""Writing the files of an ONNX variant: one model for `recommend`, one for `score`, on shared weights."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sasrec_export import graph, onnx_files, to_onnx
from sasrec_export.recipe import VariantPlan
from sasrec_export.table import Fp32Table, Int8Table, Table
from sasrec_export.trained import Trained, Written
from sasrec_runtime.signature import ENTRIES, RECOMMEND, SCORE

__all__ = ["held_table", "write"]

WEIGHTS = "weights.bin"


def held_table(trained: Trained, plan: VariantPlan) -> NDArray[np.float32]:
    """Return the table that a variant computes with, float32 (V, D)."""
    return trained.int8_table.dequantize() if plan.recipe.table_bits == 8 else trained.table


def write(trained: Trained, plan: VariantPlan, folder: Path) -> Written:
    """Write the files of one variant into `folder`, an existing empty one."""
    table: Table = Int8Table(trained.int8_table) if plan.recipe.table_bits == 8 else Fp32Table(trained.table)
    build = {RECOMMEND: graph.recommend_graph, SCORE: graph.score_graph}
    models = {
        f"{entry}.onnx": build[entry](to_onnx.encoder_to_onnx(trained.model), table, trained.model.config)
        for entry in ENTRIES
    }
    if plan.shape.single_file:
        files = onnx_files.save_single_files(models, folder)
    else:
        files = onnx_files.save_sharing_weights(models, folder, WEIGHTS)
    return Written(files=files, entries={entry: folder / f"{entry}.onnx" for entry in ENTRIES})
