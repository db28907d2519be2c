"""A trained model made ready for the writers of variants: what several of them need is computed once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf  # noqa: TID251 - compiles the model's own encoder
from numpy.typing import NDArray

from sasrec_export import quantize
from sasrec_export.best_basis import BestBasis
from sasrec_export.errors import ExportError
from sasrec_export.quantize import QuantizedTable
from sasrec_export.score_cost import score_cost
from sasrec_runtime.signature import PAD_ID
from sasrec_train.model import SASRec

__all__ = ["HeldTable", "Trained", "Written", "check_weights"]

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
    basis: NDArray[np.float32] | None = None
    """See QuantizedTable; None: none but that of the values."""


def check_weights(model: SASRec) -> None:
    """Refuse a network that cannot answer, or would answer alike to everybody.

    Raises:
        ExportError: A weight holds NaN or an infinite number.
    """
    for weight in model.weights:
        values = np.asarray(weight)
        strange = ~np.isfinite(values) if np.issubdtype(values.dtype, np.floating) else np.zeros(1, bool)
        if strange.any():
            place = np.argwhere(strange)[0].tolist()
            raise ExportError(
                f"model.keras: {weight.path}{place} is {values[tuple(place)]}, expected finite numbers; so are "
                f"{int(strange.sum()):,} of its {values.size:,} values. Train again, with a lower --learning-rate."
            )


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
        return self._users_of(self.table, self.calibration)

    def _users_of(self, table: NDArray[np.float32], histories: NDArray[np.int32]) -> NDArray[np.float32]:
        """User vectors of a model with that table, (R, D)."""
        rows = (histories[start : start + USERS_AT_ONCE] for start in range(0, len(histories), USERS_AT_ONCE))
        return np.concatenate([np.asarray(self.encode(table[ids], (ids > PAD_ID).astype(np.int32))) for ids in rows])

    @cached_property
    def cost(self) -> NDArray[np.float64]:
        """What an error in a row of the table costs, (D, D), see score_cost."""
        return score_cost(self.encode, self.table, self.calibration, self.users)

    def quantized(self, levels: int) -> QuantizedTable:
        """Return the item table in [-levels, levels], rounded so that scores change least."""
        return self.once(
            f"table of {levels} levels", lambda: quantize.quantize_for_scores(self.table, self.cost, levels)
        )

    def stretched(self, levels: int) -> QuantizedTable:
        """Return the same where user vectors are rounded too, its dimensions stretched for that."""
        return self.once(f"stretched table of {levels} levels", lambda: self._best_basis.stretched(levels))

    def turned(self, levels: int) -> QuantizedTable:
        """Return the same for few levels, its directions turned and stretched to share them."""
        return self.once(f"turned table of {levels} levels", lambda: self._best_basis.turned(levels))

    @cached_property
    def _best_basis(self) -> BestBasis:
        return BestBasis(self.table, self.calibration, self._users_of, self.cost)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returned when `name` was first asked for: conversions that several variants start from."""
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made
