"""Rows to answers: what one bad row holds never keeps its neighbours from an answer."""

from sasrec_runtime.batch.rows import Answer, BadRow, Row
from sasrec_runtime.errors import SasrecError
from sasrec_runtime.recommender import Recommendations, Recommender

__all__ = ["Answering"]


class Answering:
    """Answers rows with one recommender.

    Args:
        recommender: Its rule for unknown keys holds; with "error", a row with an unknown key is a bad row.
        k: Items for each row without candidates.
        exclude_seen: Leave out the items of the history.
        batch_bytes: Memory for one call, as for `Recommender.recommend_batch`.
    """

    def __init__(self, recommender: Recommender, k: int, *, exclude_seen: bool, batch_bytes: int) -> None:
        recommender.recommend([], k)  # an impossible k is no fault of the rows
        self._recommender = recommender
        self._k = k
        self._exclude_seen = exclude_seen
        self._batch_bytes = batch_bytes

    def answer(self, rows: list[Row]) -> tuple[list[Answer], list[BadRow]]:
        """Return the answers, in the order of the rows, and the rows that have none."""
        answers: dict[int, Answer] = {}
        bad: list[BadRow] = []
        plain: list[Row] = []
        for row in rows:
            if row.candidates is not None:
                self._score(row, answers, bad)
            elif self._is_known(row, bad):
                plain.append(row)
        for row, found in self._recommend(plain, bad):
            scores = None if found.is_fallback else [item.score or 0.0 for item in found]
            answers[row.number] = Answer(row.user, [item.key for item in found], scores, found.is_fallback)
        ordered = [answers[row.number] for row in rows if row.number in answers]
        return ordered, sorted(bad, key=lambda row: row.row)

    def _is_known(self, row: Row, bad: list[BadRow]) -> bool:
        """Note a row whose keys the recommender refuses."""
        try:
            self._recommender.check_history(row.history)
        except SasrecError as error:
            bad.append(BadRow(row.number, row.user, str(error)))
            return False
        return True

    def _score(self, row: Row, answers: dict[int, Answer], bad: list[BadRow]) -> None:
        candidates = row.candidates or []
        try:
            scores = self._recommender.score(row.history, candidates)
        except SasrecError as error:
            bad.append(BadRow(row.number, row.user, str(error)))
        else:
            answers[row.number] = Answer(row.user, candidates, scores.tolist(), is_fallback=False)

    def _recommend(self, rows: list[Row], bad: list[BadRow]) -> list[tuple[Row, Recommendations]]:
        try:
            found = self._recommender.recommend_batch(
                [row.history for row in rows], self._k, exclude_seen=self._exclude_seen, batch_bytes=self._batch_bytes
            )
            return list(zip(rows, found, strict=True))
        except SasrecError:
            pass  # one row asks for what the variant cannot do; find out which, row by row
        single = []
        for row in rows:
            try:
                found_alone = self._recommender.recommend(row.history, self._k, exclude_seen=self._exclude_seen)
                single.append((row, found_alone))
            except SasrecError as error:
                bad.append(BadRow(row.number, row.user, str(error)))
        return single
