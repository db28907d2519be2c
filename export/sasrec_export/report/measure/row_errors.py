"""Which items a variant scores differently from the reference: rounding moves all a little, corruption one a lot.

The error of an item is the root mean square, over sampled users, of its score in the variant minus that in the
reference. An item is an outlier by a fixed threshold and by a multiple of the median, which outliers do not move.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime.engines.contract import Session
from sasrec_train.split import HeldOut

__all__ = ["RowErrors", "compare", "score_all"]

USERS = 64
"""Users whose scores are compared: each gives the error of a row in the direction of one user vector."""

MAX_SCORES = 1 << 23
"""Scores of the whole catalogue held at once: 32 MiB."""

MIN_USERS = 4
"""Users at least, however large the catalogue is."""

CHUNK_ITEMS = 1 << 14
"""Candidates of one call: what a score graph gathers of a table stays some megabytes."""

OUTLIER_SHARE = 0.3
"""A row is an outlier if its error is at least this share of its scores. Rounding to 8 bits costs
about 1 %, to 4 bits about 10 %."""

OUTLIER_TIMES = 5.0
"""… and this many times the share of the median item, so that a variant that is poor everywhere has no outliers."""


@dataclass(frozen=True, slots=True)
class RowErrors:
    """The error of every item's scores."""

    error: NDArray[np.float64]
    """(n_items,), of item ids 1…n_items: root mean square over the users."""
    relative: NDArray[np.float64]
    """(n_items,), as a share of the root mean square of the reference's scores."""

    @property
    def is_outlier(self) -> NDArray[np.bool_]:
        """(n_items,). Rows that are corrupted rather than rounded."""
        median = float(np.median(self.relative)) if self.relative.size else 0.0
        outliers: NDArray[np.bool_] = (self.relative >= OUTLIER_SHARE) & (self.relative >= OUTLIER_TIMES * median)
        return outliers


def score_all(session: Session, held_out: HeldOut, *, n_items: int, max_len: int, seed: int) -> NDArray[np.float32]:
    """Return the scores of the whole catalogue, float32 (users, n_items), for a sample of users bounded in memory.

    Args:
        session: The loaded variant.
        held_out: The users to draw from.
        n_items: Size of the catalogue.
        max_len: Items of a history that the network sees.
        seed: Seed of the draw; equal seeds give equal users for every variant.
    """
    sample = held_out.sample(max(MIN_USERS, min(USERS, MAX_SCORES // n_items)), seed)
    scores = np.empty((len(sample.targets), n_items), np.float32)
    ids = np.arange(1, n_items + 1, dtype=np.int32)
    for row, history in enumerate(sample.histories):
        encoded = history_module.encode_batch([history.tolist()], max_len=max_len)
        for start in range(0, n_items, CHUNK_ITEMS):
            part = ids[start : start + CHUNK_ITEMS]
            scores[row, start : start + part.size] = session.score(encoded, part[np.newaxis])[0]
    return scores


def compare(scores: NDArray[np.float32], reference: NDArray[np.float32]) -> RowErrors:
    """Return how far the scores of each item are from the reference's: the root mean square error.

    Args:
        scores: float32 (users, n_items), from `score_all`.
        reference: float32 (users, n_items), of the same users.
    """
    # A score that is not a number must count as an error, and the largest one.
    difference = np.nan_to_num(scores.astype(np.float64) - reference, nan=np.inf)
    error = np.sqrt((difference**2).mean(axis=0))
    magnitude = np.sqrt((reference.astype(np.float64) ** 2).mean(axis=0))
    # Rounding an item whose scores are nearly 0 gives any relative error, so the divisor has a floor: a tenth of the
    # root mean square of all scores.
    floor = 0.1 * np.sqrt((magnitude**2).mean())
    return RowErrors(error=error, relative=error / np.maximum(magnitude, max(float(floor), 1e-12)))
