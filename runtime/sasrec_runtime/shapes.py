"""Requests of any size on a variant of fixed sizes: what is too small is filled up, what is too large is split."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime import session as session_module
from sasrec_runtime.errors import RequestError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.session import Session
from sasrec_runtime.signature import PAD_ID

__all__ = ["FittedSession", "fit_session", "is_fixed"]

ANY: Final = 0
"""What the manifest's `fixed_…` fields say where a size is open."""


def is_fixed(variant: Variant) -> bool:
    """Return whether a call of the variant's graph must have sizes of its own."""
    return any((variant.fixed_history, variant.fixed_batch, variant.fixed_exclude, variant.fixed_candidates))


def fit_session(session: Session, variant: Variant) -> Session:
    """Return a session that takes requests of any size, on one that takes the variant's sizes only."""
    return FittedSession(session, variant) if is_fixed(variant) else session


class FittedSession:
    """Cuts requests to a variant's fixed sizes. Safe to call from several threads where the inner session is."""

    def __init__(self, session: Session, variant: Variant) -> None:
        self._session = session
        self._variant = variant

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, k) and scores (B, k); see `Session`.

        Raises:
            RequestError: More ids are excluded than the variant has room for.
        """
        session_module.check_ids("history", history)
        session_module.check_ids("exclude", exclude, len(history))
        history = self._history(history)
        exclude = self._exclude(exclude)
        answers = [
            self._session.recommend(_filled(history[rows], size), _filled(exclude[rows], size), k)
            for rows, size in self._batches(len(history))
        ]
        if not answers:
            return np.empty((0, k), np.int32), np.empty((0, k), np.float32)
        items, scores = (np.concatenate(parts)[: len(history)] for parts in zip(*answers, strict=True))
        return items, scores

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`."""
        session_module.check_ids("history", history)
        session_module.check_ids("candidates", candidates, len(history))
        history = self._history(history)
        wanted = candidates.shape[1]
        width = self._variant.fixed_candidates or max(wanted, 1)
        columns = [_widened(candidates[:, start : start + width], width) for start in range(0, max(wanted, 1), width)]
        scores = np.empty((len(history), len(columns) * width), np.float32)
        for place, part in enumerate(columns):
            for rows, size in self._batches(len(history)):
                answer = self._session.score(_filled(history[rows], size), _filled(part[rows], size))
                scores[rows, place * width : (place + 1) * width] = answer[: len(history[rows])]
        return scores[:, :wanted]

    def _history(self, history: NDArray[np.int32]) -> NDArray[np.int32]:
        fixed = self._variant.fixed_history
        return history_module.fit(history, fixed) if fixed else history

    def _exclude(self, exclude: NDArray[np.int32]) -> NDArray[np.int32]:
        width = self._variant.fixed_exclude
        if width == ANY:
            return exclude
        if exclude.shape[1] > width:
            exclude = _without_repeats(exclude)
        if exclude.shape[1] > width:
            raise RequestError(
                f"exclude holds {exclude.shape[1]} different items, variant {self._variant.name} has room for {width}. "
                "Exclude fewer, recommend with exclude_seen=False, or take a variant of open shapes."
            )
        return _widened(exclude, width)

    def _batches(self, rows: int) -> Iterator[tuple[slice, int]]:
        """Yield the rows of each call and how many it must have."""
        size = self._variant.fixed_batch or max(rows, 1)
        return ((slice(start, start + size), size) for start in range(0, rows, size))


def _filled(array: NDArray[np.int32], rows: int) -> NDArray[np.int32]:
    """Return `array` with rows of padding below."""
    return array if len(array) == rows else np.pad(array, ((0, rows - len(array)), (0, 0)), constant_values=PAD_ID)


def _widened(array: NDArray[np.int32], columns: int) -> NDArray[np.int32]:
    """Return `array` with padding on the right, which is never excluded and whose score is dropped."""
    missing = columns - array.shape[1]
    return np.pad(array, ((0, 0), (0, missing)), constant_values=PAD_ID) if missing else array


def _without_repeats(exclude: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each row's different ids; as wide as the row with the most."""
    rows = [np.unique(row[row > PAD_ID]) for row in exclude]
    distinct = np.full((len(rows), max(map(len, rows), default=0)), PAD_ID, np.int32)
    for row, ids in zip(distinct, rows, strict=True):
        row[: len(ids)] = ids
    return distinct
