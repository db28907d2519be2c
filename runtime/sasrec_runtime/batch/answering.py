"""Answers rows in batches: a bad row does not fail its batch, a failure of the bundle or the engine ends the job."""

from collections.abc import Callable
from typing import Final, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.batch.rows import Answer, BadRow, Row
from sasrec_runtime.errors import HistoryError, RequestError
from sasrec_runtime.recommendations import Recommendations
from sasrec_runtime.recommender import Recommender
from sasrec_runtime.selection.allowed_set import AllowedSet
from sasrec_runtime.selection.limits import LimitNames

__all__ = ["Answering"]

T = TypeVar("T")

ERRORS_OF_ROWS: Final = (HistoryError, RequestError)
"""Errors that one row causes. Any other would fail for every row, and ends the job."""


class Answering:
    """Answers rows with one recommender.

    Args:
        recommender: Its rule for unknown keys holds; with "error", a row with an unknown key is a bad row.
        k: Items for each row without candidates.
        exclude_seen: Leave out the items of the history.
        batch_bytes: Memory for one call, as for `Recommender.recommend_batch`.
        among: The only items for rows without candidates; the set of a row narrows it. None: all items.
        limits: What holds for the groups of these items, as for `Recommender.recommend_batch`.
    """

    def __init__(
        self,
        recommender: Recommender,
        k: int,
        *,
        exclude_seen: bool,
        batch_bytes: int,
        among: AllowedSet | None = None,
        **limits: Unpack[LimitNames],
    ) -> None:
        recommender.recommend([], k, among=among, **limits)  # refuses what is impossible, which no row is to blame for
        self._recommender = recommender
        self._among = among
        self._limits = limits
        self._sets: dict[int, AllowedSet] = {}  # of the rows that are being answered, by number
        self._k = k
        self._exclude_seen = exclude_seen
        self._batch_bytes = batch_bytes

    def answer(self, rows: list[Row]) -> tuple[list[Answer], list[BadRow]]:
        """Return the answers, in the order of the rows, and the rows that have none."""
        self._sets.clear()
        answers: dict[int, Answer] = {}
        bad: list[BadRow] = []
        known = [row for row in rows if self._is_known(row, bad)]
        plain = [row for row in known if row.candidates is None]
        scored = [row for row in known if row.candidates is not None]
        for row, found in _answered(plain, self._recommend_all, self._recommend, bad):
            scores = None if found.is_fallback else [item.score or 0.0 for item in found]
            answers[row.number] = Answer(row.user, [item.key for item in found], scores, found.is_fallback)
        for row, given in _answered(scored, self._score_all, self._score, bad):
            answers[row.number] = Answer(row.user, row.candidates or [], given.tolist(), is_fallback=False)
        ordered = [answers[row.number] for row in rows if row.number in answers]
        return ordered, sorted(bad, key=lambda row: row.row)

    def _is_known(self, row: Row, bad: list[BadRow]) -> bool:
        """Say whether the recommender accepts the keys of a row; append it to `bad` if not."""
        try:
            if row.candidates is None:
                self._recommender.check_history(row.history, suggest=False)
                if row.among is not None:
                    self._sets[row.number] = AllowedSet.of(row.among, self._recommender).narrowed(self._among)
            else:
                self._recommender.check_score(row.history, row.candidates, suggest=False)
        except ERRORS_OF_ROWS as error:
            bad.append(BadRow(row.number, row.user, str(error)))
            return False
        return True

    def _recommend_all(self, rows: list[Row]) -> list[Recommendations]:
        among = [self._allowed(row) for row in rows]
        return self._recommender.recommend_batch(
            [row.history for row in rows],
            self._k,
            exclude_seen=self._exclude_seen,
            among=among if any(one is not None for one in among) else None,
            batch_bytes=self._batch_bytes,
            **self._limits,
        )

    def _recommend(self, row: Row) -> Recommendations:
        among = self._allowed(row)
        return self._recommender.recommend(
            row.history, self._k, exclude_seen=self._exclude_seen, among=among, **self._limits
        )

    def _allowed(self, row: Row) -> AllowedSet | None:
        """Return the items that the job and the row allow; None: all."""
        return self._among if row.among is None else self._sets[row.number]

    def _score_all(self, rows: list[Row]) -> list[NDArray[np.float32]]:
        return self._recommender.score_batch(
            [row.history for row in rows], [row.candidates or [] for row in rows], batch_bytes=self._batch_bytes
        )

    def _score(self, row: Row) -> NDArray[np.float32]:
        return self._recommender.score(row.history, row.candidates or [])


def _answered(
    rows: list[Row], together: Callable[[list[Row]], list[T]], alone: Callable[[Row], T], bad: list[BadRow]
) -> list[tuple[Row, T]]:
    """Return each row with its answer, and append the rows without one to `bad`."""
    try:
        return list(zip(rows, together(rows), strict=True))
    except ERRORS_OF_ROWS:
        pass  # one row asks for what the variant cannot do; find out which, row by row
    single = []
    for row in rows:
        try:
            single.append((row, alone(row)))
        except ERRORS_OF_ROWS as error:
            bad.append(BadRow(row.number, row.user, str(error)))
    return single
