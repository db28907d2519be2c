"""A trained model made ready for the writers of variants: what several of them need is computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf  # noqa: TID251 - compiles the model's own encoder
from numpy.typing import NDArray

from sasrec_export import quantize, stretch
from sasrec_export.quantize import QuantizedTable
from sasrec_runtime.signature import PAD_ID
from sasrec_train.model import SASRec

__all__ = ["HeldTable", "Trained", "Written"]

USERS_AT_ONCE = 256
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Written:
    """The files of one variant."""

    files: list[Path]
    """All of them."""
    entries: dict[str, Path]
    """Contract entry → its model file."""


@dataclass(frozen=True, slots=True)
class HeldTable:
    """The item table that a variant computes with."""

    values: NDArray[np.float32]
    """(V, D), in the units of the trained table."""
    stretch: NDArray[np.float32] | float = 1.0
    """(D,), see QuantizedTable."""


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
    def users(self) -> NDArray[np.float32]:
        """User vectors of the calibration histories, (R, D)."""
        rows = (
            self.calibration[start : start + USERS_AT_ONCE] for start in range(0, len(self.calibration), USERS_AT_ONCE)
        )
        return np.concatenate([np.asarray(self.encode(self.table[x], (x > PAD_ID).astype(np.int32))) for x in rows])

    def quantized(self, levels: int) -> QuantizedTable:
        """Return the item table in [-levels, levels], rounded for the users of the calibration histories."""
        return self.once(f"table of {levels} levels", lambda: self._quantized(levels))

    def stretched(self, levels: int) -> QuantizedTable:
        """Return the same where user vectors are rounded too, its dimensions stretched for that."""
        return self.once(
            f"stretched table of {levels} levels", lambda: stretch.quantize_stretched(self.table, self.users, levels)
        )

    def _quantized(self, levels: int) -> QuantizedTable:
        users = self.users.astype(np.float64)
        return quantize.quantize_for_users(self.table, users.T @ users / len(users), levels)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returned when `name` was first asked for: conversions that several variants start from."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made
