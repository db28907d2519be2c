"""Requests of any size reach a graph of fixed sizes, and their answers come back as if it had none."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_runtime.engines.fixed_shapes import FittedSession, has_fixed_shapes, round_up
from sasrec_runtime.errors import RequestError
from sasrec_runtime.manifest import Variant

VARIANT = Variant(
    name="onnx-wi8", runtime="onnx", recipe="wi8", entries={}, files=[], min_runtime_version="1", atol=0.0,
    fixed_k=4, fixed_history=5, fixed_batch=3, fixed_exclude=6, fixed_candidates=4,
)  # fmt: skip


class Exact:
    """Takes the sizes of VARIANT only. An item's score is itself plus the newest item of the history."""

    def recommend(self, history, exclude, k):
        assert history.shape == (3, 5)
        assert exclude.shape == (3, 6)
        items = np.empty((3, k), np.int32)
        for row, excluded in enumerate(exclude):
            items[row] = [item for item in range(20, 0, -1) if item not in excluded][:k]
        return items, (items + history[:, -1:]).astype(np.float32)

    def score(self, history, candidates):
        assert history.shape == (3, 5)
        assert candidates.shape == (3, 4)
        return (candidates + history[:, -1:]).astype(np.float32)


SESSION = FittedSession(Exact(), VARIANT, 20)
ids = st.integers(1, 20)


@given(rows=st.integers(0, 8), columns=st.integers(1, 9), excluded=st.integers(0, 6), seed=st.integers(0, 99))
def test_recommend_takes_any_number_of_rows_and_columns(rows, columns, excluded, seed) -> None:
    rng = np.random.default_rng(seed)
    history = rng.integers(1, 20, (rows, columns)).astype(np.int32)
    exclude = rng.integers(1, 20, (rows, excluded)).astype(np.int32)
    items, scores = SESSION.recommend(history, exclude, 3)
    assert items.shape == scores.shape == (rows, 3)
    np.testing.assert_array_equal(scores, items + history[:, -1:])
    assert not (items[:, :, None] == exclude[:, None, :]).any()


@given(rows=st.integers(0, 8), wanted=st.integers(0, 11), seed=st.integers(0, 99))
def test_score_takes_any_number_of_candidates(rows, wanted, seed) -> None:
    rng = np.random.default_rng(seed)
    history = rng.integers(1, 20, (rows, 2)).astype(np.int32)
    candidates = rng.integers(1, 20, (rows, wanted)).astype(np.int32)
    np.testing.assert_array_equal(SESSION.score(history, candidates), candidates + history[:, -1:])


def test_repeats_and_padding_take_no_room_among_the_excluded() -> None:
    exclude = np.array([[7, 7, 7, 8, 8, 0, 0, 9, 9, 9, 20]], np.int32)
    items, _ = SESSION.recommend(np.array([[1]], np.int32), exclude, 4)
    assert items.tolist() == [[19, 18, 17, 16]]


def test_more_excluded_items_than_fit_are_refused_not_dropped() -> None:
    with pytest.raises(RequestError, match=r"row 0 excludes 7 items, expected at most 6\. .* exclude fewer"):
        SESSION.recommend(np.array([[1]], np.int32), np.arange(1, 8, dtype=np.int32)[None], 4)


def test_ids_that_are_no_items_take_no_room_among_the_excluded() -> None:
    exclude = np.array([[-3, 99, 21, 20, 19, 18, 17, 16, 15]], np.int32)
    assert SESSION.recommend(np.array([[1]], np.int32), exclude, 1)[0].tolist() == [[14]]


@pytest.mark.parametrize(
    ("k", "message"), [(0, "k is 0"), (5, r"k is 5, expected 1…4\. .*fixed_k = 4"), (21, "k is 21")]
)
def test_a_k_the_variant_cannot_answer_is_refused(k: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        SESSION.recommend(np.array([[1]], np.int32), np.empty((1, 0), np.int32), k)


@pytest.mark.parametrize("field", ["fixed_k", "fixed_history", "fixed_batch", "fixed_exclude", "fixed_candidates"])
def test_one_fixed_size_is_enough_to_need_fitting(field: str) -> None:
    fields = ("fixed_k", "fixed_history", "fixed_batch", "fixed_exclude", "fixed_candidates")
    open_sizes = msgspec.structs.replace(VARIANT, **dict.fromkeys(fields, 0))
    assert not has_fixed_shapes(open_sizes)
    assert has_fixed_shapes(msgspec.structs.replace(open_sizes, **{field: 3}))


@pytest.mark.parametrize(("columns", "expected"), [(0, 16), (1, 16), (16, 16), (17, 32), (32, 32), (33, 64)])
def test_round_up_gives_the_next_power_of_two(columns: int, expected: int) -> None:
    assert round_up(columns) == expected
