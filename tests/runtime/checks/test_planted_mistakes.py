"""Mistakes that apps make between a bundle and its engine: the goldens of every frozen bundle find each."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sasrec_runtime.checks import golden
from sasrec_runtime.recommender import Recommender

BUNDLES = sorted(Path(__file__).parents[2].joinpath("golden").glob("bundle_v*"))


def as_it_is(array: np.ndarray) -> np.ndarray:
    return array


def padded_on_the_right(history: np.ndarray) -> np.ndarray:
    return np.concatenate([history, np.zeros((len(history), 3), np.int32)], axis=1)


def one_less(items: np.ndarray) -> np.ndarray:
    return np.maximum(items - 1, 1)


class Mistaken:
    """A session whose history or item ids are changed on their way, or whose outputs change places."""

    def __init__(
        self, session, *, history: Callable = as_it_is, items: Callable = as_it_is, swapped: bool = False
    ) -> None:
        self.session, self.history, self.items, self.swapped = session, history, items, swapped

    def recommend(self, history, exclude, k):
        items, scores = self.session.recommend(self.history(history), exclude, k)
        if self.swapped:
            return scores.astype(np.int32), items.astype(np.float32)
        return self.items(items), scores

    def score(self, history, candidates):
        return self.session.score(self.history(history), candidates)


@pytest.fixture(params=BUNDLES, ids=lambda path: path.name)
def recommender(request: pytest.FixtureRequest) -> Recommender:
    return Recommender.load(request.param, variant="onnx-fp32")


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param({"history": padded_on_the_right}, id="wrong padding side"),
        pytest.param({"items": one_less}, id="ids from 0"),
        pytest.param({"items": lambda items: items + 1}, id="ids from 2"),
        pytest.param({"swapped": True}, id="swapped outputs"),
    ],
)
def test_the_goldens_find_a_planted_mistake(recommender: Recommender, mistake: dict) -> None:
    recommender.session = Mistaken(recommender.session, **mistake)
    assert golden.check(golden.read(recommender.bundle), recommender)


def test_the_goldens_pass_without_one(recommender: Recommender) -> None:
    recommender.session = Mistaken(recommender.session)
    assert not golden.check(golden.read(recommender.bundle), recommender)
