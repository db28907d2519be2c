"""Writing the model files of each variant."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - compiles the model's own encoder
from numpy.typing import NDArray

from sasrec_export import flatbuffer, graph, onnx_files, quantize, tflite_table, to_onnx, to_tflite
from sasrec_export.quantize import QuantizedTable
from sasrec_export.recipe import VariantPlan
from sasrec_export.table import Fp32Table, Int8Table, Table
from sasrec_runtime.signature import ENTRIES, PAD_ID, RECOMMEND, SCORE
from sasrec_train.model import SASRec

__all__ = ["Writer", "Written"]

WEIGHTS = "weights.bin"


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one variant."""

    files: list[Path]
    """All of them."""
    entries: dict[str, Path]
    """Contract entry → its model file."""


class Writer:
    """Converts one trained model into any number of variants, doing shared work once.

    Args:
        model: The trained model.
        top_k: Items that a TFLite `recommend` returns.
        single_file: Keep the weights inside each .onnx file.
    """

    def __init__(self, model: SASRec, *, top_k: int, single_file: bool = False):
        self.model = model
        self.top_k = top_k
        self._single_file = single_file
        self.table: NDArray[np.float32] = np.array(model.item_table)
        """The item table, float32 (V, D); the padding row is zero, as the model reads it."""
        self.table[PAD_ID] = 0.0

    @cached_property
    def encode(self) -> Callable[..., Any]:
        """The trained model from item vectors on, compiled: float32 (B, T, D), int32 (B, T) → user vectors (B, D)."""

        def newest(embedded: Any, segments: Any) -> Any:
            return self.model.transform(embedded, segments, training=False)[:, -1]

        width = self.model.config.hidden_dim
        signature = [tf.TensorSpec((None, None, width), tf.float32), tf.TensorSpec((None, None), tf.int32)]
        compiled: Callable[..., Any] = tf.function(newest, input_signature=signature)
        return compiled

    @cached_property
    def quantized_table(self) -> QuantizedTable:
        """The item table in int8."""
        return quantize.quantize_rows(self.table)

    def held_table(self, plan: VariantPlan) -> NDArray[np.float32]:
        """Return the table that a variant computes with, float32 (V, D)."""
        return self.quantized_table.dequantize() if plan.recipe.table_bits == 8 else self.table

    def write(self, plan: VariantPlan, folder: Path) -> Written:
        """Write the files of one variant into `folder`, an existing empty one."""
        return (self._write_onnx if plan.runtime == "onnx" else self._write_tflite)(plan, folder)

    def _write_onnx(self, plan: VariantPlan, folder: Path) -> Written:
        table: Table = Int8Table(self.quantized_table) if plan.recipe.table_bits == 8 else Fp32Table(self.table)
        build = {RECOMMEND: graph.recommend_graph, SCORE: graph.score_graph}
        models = {
            f"{entry}.onnx": build[entry](to_onnx.encoder_to_onnx(self.model), table, self.model.config)
            for entry in ENTRIES
        }
        if self._single_file:
            files = onnx_files.save_single_files(models, folder)
        else:
            files = onnx_files.save_sharing_weights(models, folder, WEIGHTS)
        return Written(files=files, entries={entry: folder / f"{entry}.onnx" for entry in ENTRIES})

    def _write_tflite(self, plan: VariantPlan, folder: Path) -> Written:
        path = folder / "model.tflite"
        model = flatbuffer.load(self._tflite)
        if plan.recipe.table_bits == 8:
            tflite_table.quantize_table(model, self.quantized_table)
        path.write_bytes(flatbuffer.dump(model))
        return Written(files=[path], entries=dict.fromkeys(ENTRIES, path))

    @cached_property
    def _tflite(self) -> bytes:
        """The float32 TFLite file that every TFLite variant starts from."""
        return flatbuffer.dump(to_tflite.convert(self.model, self.table, top_k=self.top_k))
