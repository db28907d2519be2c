"""What the comparison with Keras says of answers that no number can be given for, and how it asks one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("tensorflow")

from sasrec_export.bundle import parity
from sasrec_export.bundle.parity import OneByOne, Reference
from sasrec_export.errors import ParityError

HISTORY = np.array([[0, 0, 1], [0, 2, 1], [3, 2, 1]], np.int32)
SCORES = np.array([[0, 1, 2, 3]] * 3, np.float32)


@pytest.fixture
def expected() -> Reference:
    """Three histories over three items; item i scores i, whoever asks."""
    tolerance = np.full(3, 0.1, np.float32)
    nothing = np.zeros((3, 1), np.int32)
    return Reference(HISTORY, nothing, np.array([[1, 2]] * 3, np.int32), SCORES, tolerance, tolerance)


class Session:
    """Answers as expected, and remembers what it was asked."""

    def __init__(self, scores: NDArray[np.float32] = SCORES) -> None:
        self.scores = scores
        self.asked: list[Any] = []

    def recommend(self, history: Any, exclude: Any, k: int) -> tuple[Any, Any]:
        self.asked.append((history.tolist(), exclude.tolist()))
        items = np.tile(np.array([[3, 2, 1]], np.int32), (len(history), 1))[:, :k]
        return items, np.take_along_axis(self.scores[: len(history)], items, axis=1)

    def score(self, history: Any, candidates: Any) -> Any:
        return np.take_along_axis(self.scores[: len(history)], candidates, axis=1)


def test_equal_answers_differ_by_nothing(expected: Reference) -> None:
    assert set(parity.check("x", Session(), expected, k=2).values()) == {0.0}


def test_a_variant_that_answers_with_nan_is_named(expected: Reference) -> None:
    broken = SCORES.copy()
    broken[1, 3] = np.nan
    with pytest.raises(
        ParityError, match=r"recommend\.scores cannot be compared with Keras: the variant answers history 1 with NaN"
    ):
        parity.check("x", Session(broken), expected, k=2)


def test_keras_is_named_where_it_is_what_answers_with_nan(expected: Reference) -> None:
    broken = replace(expected, scores=np.full_like(SCORES, np.nan), scoring_atol=np.full(3, np.nan, np.float32))
    with pytest.raises(ParityError, match=r"score\.scores cannot be compared with Keras: Keras answers history 0 with"):
        parity.check("x", Session(), broken, k=2)


def test_one_by_one_asks_each_row_alone_and_without_padding(expected: Reference) -> None:
    session = Session()
    parity.check("x", OneByOne(session), expected, k=2)
    assert session.asked == [([[1]], [[]]), ([[2, 1]], [[]]), ([[3, 2, 1]], [[]])]
