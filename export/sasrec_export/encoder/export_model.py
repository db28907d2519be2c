"""A trained model made ready for the writers of variants: its encoder compiled, its item table quantized."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - compiles the model's own encoder
from numpy.typing import NDArray

from sasrec_export.errors import ExportError
from sasrec_export.table.gptq import quantize_for_scores
from sasrec_export.table.quantized_table import QuantizedTable
from sasrec_export.table.score_hessian import score_hessian
from sasrec_export.table.spec import TableSpec, Transform
from sasrec_export.table.transform import Matrix
from sasrec_export.table.transform_search import TransformSearch, quantize_under
from sasrec_runtime.signature import PAD_ID
from sasrec_train.network.model import SASRec

__all__ = ["ExportModel", "ItemTable", "check_weights"]

BATCH_ROWS = 256
HALF_SCALES_WIDTH = 32
"""LiteRT's kernels with scales in half precision exist for widths that are multiples of it."""


@dataclass(frozen=True, slots=True)
class ItemTable:
    """The item table as a variant holds it."""

    spec: TableSpec
    """How it is stored."""
    trained: NDArray[np.float32]
    """(V, D), as trained, the padding row zero."""
    quantized: QuantizedTable | None
    """The integers; None for a table of floats."""

    @property
    def transform(self) -> Matrix | None:
        """What user vectors are multiplied with before scoring, see `table.transform`."""
        return self.quantized.transform if self.quantized else None

    def effective(self) -> NDArray[np.float32]:
        """Return the table that the variant computes with, float32 (V, D), in the units of the trained one."""
        if self.quantized is not None:
            return self.quantized.dequantize()
        return self.trained.astype(np.float16).astype(np.float32) if self.spec.dtype == "float16" else self.trained


def check_weights(model: SASRec) -> None:
    """Refuse a network with weights that are not finite: it cannot answer, or answers every history alike.

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


class ExportModel:
    """One trained model, from which any number of variants is written.

    Args:
        model: The trained model.
        calibration: int32 (R, max_len), real histories, left-padded: activations, user vectors and the Hessian of the
            score error are measured on them.
        top_k: Items that a `recommend` of fixed k returns.
        parts: How many items were trained, then how many each `add-items` added; None: all were trained. Whatever is
            chosen for the table is chosen by the trained items alone, and each part is rounded by itself, so that the
            rows of a RUN are bit for bit those of a RUN with more items.
    """

    def __init__(
        self, model: SASRec, *, calibration: NDArray[np.int32], top_k: int, parts: Sequence[int] | None = None
    ):
        self.model = model
        self.calibration = calibration
        self.top_k = top_k
        self._quantized: dict[tuple[int, Transform], QuantizedTable] = {}
        ends = (np.cumsum(parts)[:-1] + 1).tolist() if parts else []
        # Part by part: a sum over a row may round otherwise in a table of another size.
        rows = np.split(np.asarray(model.item_embedding.embeddings), ends)
        self._trained, *self._added = (np.array(model.item_vectors(part)) for part in rows)
        self._trained[PAD_ID] = 0.0
        self.table: NDArray[np.float32] = np.concatenate([self._trained, *self._added])
        """The item table, float32 (V, D); the padding row is zero, as the model reads it."""

    @cached_property
    def encode(self) -> Callable[..., Any]:
        """The trained model from item vectors on, compiled: float32 (B, T, D), int32 (B, T) → user vectors (B, D)."""

        def newest(embedded: Any, segments: Any) -> Any:
            return self.model.transform(embedded, segments, training=False)[:, -1]

        # Any batch and any length: one compilation serves whatever is measured.
        width = self.model.config.hidden_dim
        signature = [tf.TensorSpec((None, None, width), tf.float32), tf.TensorSpec((None, None), tf.int32)]
        compiled: Callable[..., Any] = tf.function(newest, input_signature=signature)
        return compiled

    def item_table(self, spec: TableSpec) -> ItemTable:
        """Return the item table as `spec` stores it; specs with the same qmax and transform share the rounding."""
        if not spec.is_integer:
            return ItemTable(spec, self.table, None)
        quantized = self.quantized(spec.qmax, spec.transform)
        return ItemTable(spec, self.table, _with_half_scales(quantized) if spec.half_scales else quantized)

    def quantized(self, qmax: int, transform: Transform = "none") -> QuantizedTable:
        """Return the item table in [-qmax, qmax] under that transform, rounded so that scores change least."""
        key = qmax, transform  # what rounding depends on: half-precision scales come after it
        if key not in self._quantized:
            if transform == "none":
                trained = quantize_for_scores(self._trained, self.hessian, qmax)
            else:
                search = self._search
                trained = search.smoothed(qmax) if transform == "smooth" else search.whitened(qmax)
            added = [quantize_under(trained.transform, part, self.hessian, qmax) for part in self._added]
            self._quantized[key] = QuantizedTable(
                np.concatenate([part.values for part in (trained, *added)]),
                np.concatenate([part.scales for part in (trained, *added)]),
                trained.transform,
            )
        return self._quantized[key]

    @cached_property
    def users(self) -> NDArray[np.float32]:
        """User vectors of the calibration histories, float32 (R, D)."""
        return self._users_of(self._trained, self.calibration)

    @cached_property
    def hessian(self) -> NDArray[np.float64]:
        """Hessian of the score error of a row, float64 (D, D), see `score_hessian`."""
        return score_hessian(self.encode, self._trained, self.calibration, self.users)

    @cached_property
    def _search(self) -> TransformSearch:
        return TransformSearch(self._trained, self.calibration, self._users_of, self.hessian)

    def _users_of(self, table: NDArray[np.float32], histories: NDArray[np.int32]) -> NDArray[np.float32]:
        """User vectors of a model with that table, (R, D)."""
        rows = (histories[start : start + BATCH_ROWS] for start in range(0, len(histories), BATCH_ROWS))
        return np.concatenate([np.asarray(self.encode(table[ids], (ids > PAD_ID).astype(np.int32))) for ids in rows])


def _with_half_scales(table: QuantizedTable) -> QuantizedTable:
    """Return the table with scales in half precision, or as it is where the width or a scale does not allow it."""
    # Below the smallest normal number of half precision, 2^-14, a scale would lose digits.
    if table.values.shape[1] % HALF_SCALES_WIDTH or table.scales.min() < np.finfo(np.float16).tiny:
        return table
    scales = table.scales.astype(np.float16).astype(np.float32)
    return QuantizedTable(table.values, scales, table.transform, half_scales=True)
