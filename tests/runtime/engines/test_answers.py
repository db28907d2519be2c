"""What a graph answers is not believed: ids, order, exclusion and numbers are checked."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import answers
from sasrec_runtime.errors import AnswerError
from sasrec_runtime.recommender import Recommender

NAN, INF = float("nan"), float("inf")
SOUND = [4, 2, 5], [3.0, 2.0, 2.0]


class Fixed:
    """A session that gives one row's answer to every row."""

    def __init__(self, item_ids: list[int], scores: list[float]) -> None:
        self.item_ids, self.scores = item_ids, scores

    def recommend(self, history: np.ndarray, exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        rows = len(history)
        return np.array([self.item_ids] * rows, np.int32), np.array([self.scores] * rows, np.float32)

    def score(self, history: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        return np.full(candidates.shape, self.scores[0], np.float32)


def answering(bundle: Bundle, item_ids: list[int], scores: list[float]) -> Recommender:
    return Recommender(bundle, bundle.variant("onnx-fp32"), Fixed(item_ids, scores))


@pytest.mark.parametrize(
    ("item_ids", "scores", "message"),
    [
        pytest.param(
            [-1, 2, 5], [3, 2, 1], r"items\[0\] is -1 with score 3, expected an item id in 1…7", id="negative"
        ),
        pytest.param([4, 8, 5], [3, 2, 1], r"items\[1\] is 8 with score 2, expected an item id", id="too large"),
        pytest.param([4, -(2**31), 5], [3, 2, 1], r"is -2147483648", id="smallest int32"),
        pytest.param([4, 2, 4], [3, 2, 1], r"items\[2\] is 4 .*which stands there twice", id="twice"),
        pytest.param([4, 1, 5], [3, 2, 1], r"items\[1\] is 1 .*which the request excludes", id="seen"),
        pytest.param([4, 2, 5], [3, 1, 2], r"items\[1\] is 2 with score 1, before 2, expected the best", id="order"),
        pytest.param([4, 2, 5], [3, NAN, 1], r"score nan, expected a finite number", id="NaN"),
        pytest.param([4, 2, 5], [INF, 2, 1], r"score inf, expected a finite number", id="infinite"),
        pytest.param([4, 0, 5], [3, -1e9, 1], r"expected padding in the last places only", id="padding amid"),
        pytest.param([4, 2, 0], [3, 2, 1], r"score of at most -5e\+08 where no item remains", id="padding score"),
    ],
)
def test_an_unsound_answer_is_refused(bundle: Bundle, item_ids: list[int], scores: list[float], message: str) -> None:
    recommender = answering(bundle, item_ids, scores)
    expected = (
        rf"variant onnx-fp32 gave an answer that breaks the graph contract: row 0: .*{message}.*sasrec-edge verify"
    )
    with pytest.raises(AnswerError, match=expected):
        recommender.recommend(["apple"], 3)
    with pytest.raises(AnswerError, match=expected):
        recommender.recommend_batch([["apple"]] * 2, 3)


def test_a_sound_answer_passes(bundle: Bundle) -> None:
    recommender = answering(bundle, *SOUND)
    assert [item.score for item in recommender.recommend(["apple"], 3)] == SOUND[1]
    assert len(recommender.recommend_batch([["apple"]] * 2, 3)) == 2


def test_padding_in_the_last_places_passes(bundle: Bundle) -> None:
    recommender = answering(bundle, [4, 2, 0], [3.0, 2.0, -1e9])
    assert len(recommender.recommend(["apple"], 3)) == 2


@pytest.mark.parametrize("score", [NAN, INF, -INF])
def test_a_candidate_score_that_is_not_finite_is_refused(bundle: Bundle, score: float) -> None:
    recommender = answering(bundle, [1], [score])
    with pytest.raises(AnswerError, match=r"row 0: score 0 is (nan|-?inf), expected a number"):
        recommender.score(["apple"], ["figs"])
    with pytest.raises(AnswerError, match=r"row 0: score 0"):
        recommender.score_batch([["apple"]], [["figs"]])


def test_what_padding_scores_does_not_matter(bundle: Bundle) -> None:
    class Padding(Fixed):
        def score(self, history: np.ndarray, candidates: np.ndarray) -> np.ndarray:
            return np.where(candidates == 0, -INF, 1.0).astype(np.float32)

    recommender = Recommender(bundle, bundle.variant("onnx-fp32"), Padding(*SOUND))
    first, second = recommender.score_batch([["apple"]] * 2, [["figs"], ["figs", "eggs"]])
    assert (first.tolist(), second.tolist()) == ([1.0], [1.0, 1.0])


@given(
    row=st.lists(
        st.tuples(st.integers(-1, tiny.N_ITEMS + 1), st.sampled_from([2.0, 1.0, 0.5, -1e9, NAN, INF, -INF])),
        min_size=1,
        max_size=5,
    ),
    exclude=st.lists(st.integers(-1, tiny.N_ITEMS + 1), max_size=3),
)
def test_the_quick_check_and_the_thorough_one_agree(row: list[tuple[int, float]], exclude: list[int]) -> None:
    item_ids, scores = [item_id for item_id, _ in row], [score for _, score in row]
    excluded = [item_id for item_id in exclude if 0 < item_id <= tiny.N_ITEMS]
    problem = answers.problem(
        np.array([item_ids], np.int32), np.array([scores], np.float32), np.array([exclude], np.int32), tiny.N_ITEMS
    )
    if 0 not in item_ids:
        assert answers.is_sound(item_ids, scores, tiny.N_ITEMS, excluded) == (problem is None)


@given(
    rows=st.lists(st.permutations(range(1, tiny.N_ITEMS + 1)), min_size=1, max_size=4),
    bad=st.integers(0, 3),
)
def test_a_row_is_judged_by_its_own_exclusions(rows: list[list[int]], bad: int) -> None:
    items = np.array([row[:3] for row in rows], np.int32)
    scores = np.tile(np.array([3, 2, 1], np.float32), (len(rows), 1))
    exclude = np.array([row[3:] for row in rows], np.int32)
    assert answers.problem(items, scores, exclude, tiny.N_ITEMS) is None
    bad %= len(rows)
    exclude[bad, 0] = items[bad, 1]
    assert answers.problem(items, scores, exclude, tiny.N_ITEMS).startswith(f"row {bad}: items[1] is {items[bad, 1]} ")


def test_empty_answers_have_no_problem() -> None:
    empty = np.empty((0, 3), np.int32)
    assert answers.problem(empty, empty.astype(np.float32), np.empty((0, 2), np.int32), 7) is None


def test_real_answers_of_every_runtime_pass(recommender: Recommender) -> None:
    for history in tiny.KEYS:
        for k in (1, 3, 5):
            assert recommender.recommend([history], k)


def test_a_bundle_path_is_not_needed_to_say_what_is_wrong(bundle: Bundle, tmp_path: Path) -> None:
    assert "expected the same" in str(answers.problem(np.ones((1, 2), np.int32), np.ones((1, 3)), np.ones((1, 0)), 7))
