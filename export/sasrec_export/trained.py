"""A trained model made ready for the writers of variants: what several of them need is computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - compiles the model's own encoder
from numpy.typing import NDArray

from sasrec_export import quantize
from sasrec_export.quantize import QuantizedTable
from sasrec_runtime.signature import PAD_ID
from sasrec_train.model import SASRec

__all__ = ["Trained", "Written"]


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one variant."""

    files: list[Path]
    """All of them."""
    entries: dict[str, Path]
    """Contract entry → its model file."""


class Trained:
    """One trained model, from which any number of variants is written.

    Args:
        model: The trained model.
        calibration: int32 (R, max_len), real histories to calibrate activations on, left-padded.
        top_k: Items that a `recommend` of fixed k returns.
    """

    def __init__(self, model: SASRec, *, calibration: NDArray[np.int32], top_k: int):
        self.model = model
        self.calibration = calibration
        self.top_k = top_k
        self._made: dict[str, Any] = {}
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
    def int8_table(self) -> QuantizedTable:
        """The item table in int8."""
        return quantize.quantize_rows(self.table)

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what `make` returned when `name` was first asked for: conversions that several variants start from."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]
