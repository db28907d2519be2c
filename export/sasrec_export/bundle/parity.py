"""Parity check: the exported files against the Keras model, run through the runtime.

Quantization has a cost, which the report measures; parity is about the graph. So a variant is compared with the Keras
model *on the dequantized table of the variant*. What then differs is float rounding and, where a recipe scores in
integers, the rounding of the user vector, whose largest effect is known. For a quantized encoder such a bound is not
known; its recipe states which difference still counts as rounding and not as a fault.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_export.encoder.export_model import ItemTable
from sasrec_export.errors import ParityError
from sasrec_export.recipes import VariantPlan
from sasrec_export.table import transform as transforms
from sasrec_export.table.transform import Matrix
from sasrec_export.table.user_rounding import user_steps
from sasrec_runtime import history as history_module
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.signature import PAD_ID
from sasrec_train.log.interactions import Histories

__all__ = ["FLOAT_TOLERANCE", "OneByOne", "Reference", "check", "reference"]

FLOAT_TOLERANCE = 1e-5
"""Float rounding allowed, as a share of a row's largest score (at least of 1)."""

MAX_SCORES = 1 << 25
"""Reference scores held at once: 128 MiB."""
MAX_HISTORIES = 256
"""Histories compared at most."""
UNCALIBRATED = 2.0  # See reference.
CANDIDATES = 50
"""Candidates of a `score` request."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the Keras model says about some histories."""

    history: NDArray[np.int32]
    """(R, T), left-padded, as long as the longest history: the variants must cut it, or fill it up, themselves."""
    exclude: NDArray[np.int32]
    """(R, E), item ids to exclude: the newest E of `history`, E what the variant can take."""
    candidates: NDArray[np.int32]
    """(R, C), item ids."""
    scores: NDArray[np.float32]
    """(R, V), scores of every id."""
    float_atol: NDArray[np.float32]
    """(R,), largest difference that float rounding, and the encoder where it is quantized, explains."""
    scoring_atol: NDArray[np.float32]
    """(R,), largest difference of the recipe's scoring, float rounding included."""


@dataclass(frozen=True, slots=True)
class OneByOne:
    """A session that gets each row alone and without padding, as from an app."""

    session: Session
    """The session that answers."""

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See Session."""
        rows = zip(history, exclude, strict=True)
        answers = [self.session.recommend(_bare(row), _bare(excluded), k) for row, excluded in rows]
        return np.concatenate([items for items, _ in answers]), np.concatenate([scores for _, scores in answers])

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """See Session."""
        rows = zip(history, candidates, strict=True)
        return np.concatenate([self.session.score(_bare(row), asked[None]) for row, asked in rows])


def _bare(row: NDArray[np.int32]) -> NDArray[np.int32]:
    found: NDArray[np.int32] = row[row != PAD_ID][None]
    return found


def reference(
    encode: Callable[..., Any],
    max_len: int,
    table: ItemTable,
    plan: VariantPlan,
    histories: Histories,
    *,
    calibrated: bool = True,
    seed: int = 0,
) -> Reference:
    """Return the Keras model's answers on that table for a sample of `histories`.

    Args:
        encode: The trained model from item vectors on, see ExportModel.encode.
        max_len: Newest items that the variant sees: its sequence length, or fewer where shapes are fixed.
        table: The item table as the variant holds it, (V, D).
        plan: The plan of the variant.
        histories: Real or synthetic ones; at most MAX_HISTORIES of them are used.
        calibrated: Whether they are of the kind that activations were calibrated on. Others leave the measured ranges
            and are clipped there, so a static int8 encoder may be off by UNCALIBRATED times as much.
        seed: Of the sample.
    """
    effective = table.effective()
    rng = np.random.default_rng(seed)
    rows = min(len(histories), MAX_HISTORIES, max(1, MAX_SCORES // len(effective)))
    sample = histories.take(np.sort(rng.choice(len(histories), rows, replace=False)))
    history = history_module.encode_batch([row.tolist() for row in sample], max_len=int(sample.lengths.max()))
    read = history_module.fit(history, max_len)
    user = np.asarray(encode(effective[read], (read > PAD_ID).astype(np.int32)))
    scores = user @ effective.T
    clipped = plan.engine.encoder == "static_int8" and not calibrated
    share = FLOAT_TOLERANCE + plan.engine.encoder_tolerance * (UNCALIBRATED if clipped else 1)
    is_integer = plan.engine.scoring == "integer"
    float_atol = share * np.maximum(1.0, np.abs(scores).max(axis=1))
    scoring_atol = float_atol + (_user_rounding(user, effective, table.transform) if is_integer else 0.0)
    return Reference(
        history=history,
        exclude=history[:, -plan.options.exclude :],  # as many of the newest as there are places; 0: any number
        candidates=rng.integers(1, len(effective), (rows, CANDIDATES), dtype=np.int32),
        scores=scores,
        float_atol=float_atol.astype(np.float32),
        scoring_atol=np.asarray(scoring_atol, np.float32),
    )


def _user_rounding(user: NDArray[np.float32], table: NDArray[np.float32], transform: Matrix | None) -> Any:
    """Return by how much rounding user vectors (R, D) for integer scoring can move a score of each row, (R,).

    With step s of the user vector, ``|Σ_d (u_d - round(u_d / s)·s)·w_d| ≤ s/2 · Σ_d |w_d|``, the L1 norm of a stored
    row w. The bound takes the row with the largest norm.
    """
    steps = user_steps(transforms.apply(user, transform))[:, 0]
    stored = transforms.apply(table, transforms.inverse(transform))
    return 0.5 * steps * np.abs(stored).sum(axis=1).max()


def check(name: str, session: Session, expected: Reference, *, k: int) -> dict[str, float]:
    """Compare a loaded variant with the reference and return the largest difference of each output.

    Args:
        name: Of the variant, for messages.
        session: The loaded variant.
        expected: The answers of the Keras model to R histories: scores (R, V), candidates (R, C).
        k: Items to ask for, at most those that the variant returns.

    Returns:
        `recommend.scores` and `score.scores`: largest difference of a score. `recommend.items`: by how much the best
        item that was not returned beats the last one returned; 0 where the top k are the true ones.

    Raises:
        ParityError: An output differs by more than its tolerance; the message lists all that do.
    """
    items, scores = session.recommend(expected.history, expected.exclude, k)
    candidate_scores = session.score(expected.history, expected.candidates)
    given = items != PAD_ID
    true_scores = np.take_along_axis(expected.scores, items, axis=1)
    wrong = np.where(given, np.abs(true_scores - scores), 0.0).max(axis=1)
    true_candidates = np.take_along_axis(expected.scores, expected.candidates, axis=1)
    measured = {
        "recommend.items": (_missed(expected, items, true_scores), 2 * expected.scoring_atol),
        "recommend.scores": (wrong, expected.scoring_atol),
        "score.scores": (np.abs(true_candidates - candidate_scores).max(axis=1), expected.float_atol),
    }
    failures = []
    for output, (difference, atol) in measured.items():
        row = int(np.argmax(difference - atol))  # the first NaN, where there is one
        if np.isnan(difference[row]):
            holder = "Keras" if np.isnan(expected.scores[row]).any() else "the variant"
            failures.append(f"{output} cannot be compared with Keras: {holder} answers history {row} with NaN")
        elif not difference[row] <= atol[row]:
            failures.append(f"{output} differs from Keras by {difference[row]:.3g}, expected at most {atol[row]:.3g}")
    forbidden = (items[:, :, None] == expected.exclude[:, None, :]) & given[:, :, None]
    if forbidden.any():
        failures.append(f"recommend.items holds the excluded item {items[forbidden.any(axis=2)][0]}")
    if failures:
        raise ParityError(f"{name}: {'; '.join(failures)}. No bundle was written; report this with your versions.")
    return {output: float(difference.max()) for output, (difference, _) in measured.items()}


def _missed(expected: Reference, items: NDArray[np.int32], true_scores: NDArray[np.float32]) -> Any:
    """(R,): true score of the best allowed item that was not returned, minus that of the worst returned; ≥ 0."""
    left = expected.scores.copy()
    for ids in (expected.exclude, items):
        np.put_along_axis(left, ids, -np.inf, axis=1)
    left[:, PAD_ID] = -np.inf
    worst = np.where(items == PAD_ID, -np.inf, true_scores).min(axis=1)
    best = left.max(axis=1)
    nothing_left = np.isneginf(best)
    best[nothing_left] = worst[nothing_left] = 0.0
    return np.maximum(best - worst, 0.0)
