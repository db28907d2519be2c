"""Mistakes that apps make between a bundle and its engine: the goldens find each."""

from pathlib import Path

import numpy as np
import pytest

from sasrec_runtime.checks import golden
from sasrec_runtime.recommender import Recommender

BUNDLE = Path(__file__).parents[2] / "golden" / "bundle_v1"


class Mistaken:
    """A session with one mistake."""

    def __init__(self, session, mistake: str) -> None:
        self.session, self.mistake = session, mistake

    def recommend(self, history, exclude, k):
        items, scores = self.session.recommend(self._history(history), exclude, k)
        if self.mistake == "swapped output":
            return scores.astype(np.int32), items.astype(np.float32)
        if self.mistake == "shifted id":
            return np.maximum(items - 1, 1), scores
        return items, scores

    def score(self, history, candidates):
        return self.session.score(self._history(history), candidates)

    def _history(self, history):
        if self.mistake == "wrong padding side":
            return np.concatenate([history, np.zeros((len(history), 3), np.int32)], axis=1)
        return history


@pytest.fixture
def recommender() -> Recommender:
    return Recommender.load(BUNDLE, variant="onnx-fp32")


@pytest.mark.parametrize("mistake", ["wrong padding side", "swapped output", "shifted id"])
def test_the_goldens_find_a_planted_mistake(recommender: Recommender, mistake: str) -> None:
    recommender.session = Mistaken(recommender.session, mistake)
    assert golden.check(golden.read(recommender.bundle), recommender)


def test_the_goldens_pass_without_one(recommender: Recommender) -> None:
    recommender.session = Mistaken(recommender.session, "none")
    assert not golden.check(golden.read(recommender.bundle), recommender)
