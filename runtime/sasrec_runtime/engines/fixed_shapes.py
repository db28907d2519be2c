"""Requests of any shape over a model of fixed shapes: padded, cut, split over calls, and put together again.

Laws, for a session `s` of the variant's exact shapes and ``f = FittedSession(s, …)``:

- `s` only sees the shapes its variant fixes, whatever `f` is asked.
- ``f.recommend`` and ``f.score`` answer each row and each candidate as if it had been asked alone.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime.engines import contract
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.errors import RequestError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import PAD_ID

__all__ = ["FittedSession", "has_fixed_shapes", "pad_right", "round_up"]

MIN_COLUMNS: Final = 16
"""Columns of `exclude` and `candidates` at least, where they are rounded up."""


class FittedSession:
    """A session that takes any request the contract allows, around one that takes its variant's shapes only.

    Args:
        session: Runs one call; its `recommend` returns fixed_k items where the variant fixes k, whatever k it is given.
        variant: Says which shapes are fixed.
        n_items: Items of the catalogue.
        rounded: Columns that are not fixed are rounded up to powers of two: for a runtime that plans its memory anew at
            every new shape. `exclude` and `candidates` then always have a column.
        history_columns: Columns that `history` always has where the variant does not fix them, max_len of the model;
            0: as many as the request has.
    """

    def __init__(
        self, session: Session, variant: Variant, n_items: int, *, rounded: bool = False, history_columns: int = 0
    ) -> None:
        self._session = session
        self._variant = variant
        self._n_items = n_items
        self._rounded = rounded
        self._history_columns = variant.fixed_history or history_columns

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, k) and scores (B, k); see `Session`.

        Raises:
            RequestError: A row excludes more distinct items than the variant has columns for.
        """
        contract.check_k(k, self._variant, self._n_items)
        contract.check_ids("history", history)
        contract.check_ids("exclude", exclude, len(history))
        history, exclude = self._history(history), self._exclude(exclude)
        if len(history) == self._variant.fixed_batch:  # the usual call: nothing to split
            all_items, all_scores = self._session.recommend(history, exclude, self._variant.fixed_k or k)
            return all_items[:, :k], all_scores[:, :k]
        items = np.empty((len(history), k), np.int32)
        scores = np.empty((len(history), k), np.float32)
        run_k = self._variant.fixed_k or k
        for rows in self._row_groups(len(history)):
            part, part_scores = self._session.recommend(self._rows(history[rows]), self._rows(exclude[rows]), run_k)
            used = rows.stop - rows.start  # the others are padding
            items[rows], scores[rows] = part[:used, :k], part_scores[:used, :k]
        return items, scores

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`."""
        contract.check_ids("history", history)
        contract.check_ids("candidates", candidates, len(history))
        history = self._history(history)
        scores = np.empty(candidates.shape, np.float32)
        width = self._variant.fixed_candidates or self._columns(candidates.shape[1])
        for rows in self._row_groups(len(history)):
            fitted = self._rows(history[rows])
            for start in range(0, candidates.shape[1], width or 1):
                part = pad_right(candidates[rows, start : start + width], width)
                part_scores = self._session.score(fitted, self._rows(part))
                scores[rows, start : start + width] = part_scores[
                    : rows.stop - rows.start, : min(width, candidates.shape[1] - start)
                ]
        return scores

    def _history(self, history: NDArray[np.int32]) -> NDArray[np.int32]:
        columns = self._history_columns or max(history.shape[1], 1)
        return history_module.fit(history, columns) if columns != history.shape[1] else history

    def _exclude(self, exclude: NDArray[np.int32]) -> NDArray[np.int32]:
        fixed = self._variant.fixed_exclude
        if fixed and exclude.shape[1] > fixed:
            return self._compact(exclude, fixed)
        return pad_right(exclude, fixed or self._columns(exclude.shape[1]))

    def _compact(self, exclude: NDArray[np.int32], columns: int) -> NDArray[np.int32]:
        """Return the distinct items of each row in `columns` columns, without padding and repetitions."""
        compact = np.full((len(exclude), columns), PAD_ID, np.int32)
        for row, item_ids in enumerate(exclude):
            distinct = np.unique(item_ids[(item_ids > PAD_ID) & (item_ids <= self._n_items)])
            if len(distinct) > columns:
                raise RequestError(
                    f"row {row} excludes {len(distinct)} items, expected at most {columns}. Variant "
                    f"{self._variant.name} has a fixed number of places for them: exclude fewer (seen items count: "
                    "exclude_seen=False, --keep-seen), take a variant of any shape, or export it with more."
                )
            compact[row, : len(distinct)] = distinct
        return compact

    def _columns(self, columns: int) -> int:
        return round_up(columns) if self._rounded else columns

    def _row_groups(self, rows: int) -> list[slice]:
        """Return which rows run together: as many as the variant fixes, all where it fixes none."""
        step = self._variant.fixed_batch or max(rows, 1)
        return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]

    def _rows(self, array: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the array with rows of padding below, where the variant fixes their number."""
        missing = self._variant.fixed_batch - len(array)
        if missing <= 0:
            return array
        return np.concatenate([array, np.full((missing, array.shape[1]), PAD_ID, np.int32)])


def has_fixed_shapes(variant: Variant) -> bool:
    """Say whether anything about the shapes of a variant is fixed."""
    return bool(
        variant.fixed_k
        or variant.fixed_history
        or variant.fixed_batch
        or variant.fixed_exclude
        or variant.fixed_candidates
    )


def round_up(columns: int) -> int:
    """Return the next power of two, at least MIN_COLUMNS: a handful of shapes serve every request."""
    return max(MIN_COLUMNS, 1 << max(columns - 1, 0).bit_length())


def pad_right(item_ids: NDArray[np.int32], columns: int) -> NDArray[np.int32]:
    """Return ids (B, columns) with padding on the right; padding is never excluded, and its score is dropped."""
    if item_ids.shape[1] == columns:
        return item_ids
    padded = np.full((len(item_ids), columns), PAD_ID, np.int32)
    padded[:, : item_ids.shape[1]] = item_ids
    return padded
