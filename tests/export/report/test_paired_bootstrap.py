"""Metrics and their paired bootstrap, against scipy on random scores with ties."""

import numpy as np
import pytest
from scipy import stats

from sasrec_export.report.measure import paired_bootstrap, ranking
from sasrec_export.report.measure.ranking import Lists
from sasrec_export.report.schema import METRICS
from sasrec_train.evaluation import metrics

USERS, ITEMS = 300, 30


@pytest.fixture
def scores() -> np.ndarray:
    """(2, USERS, ITEMS) of two scorers, in steps so coarse that many are tied."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=(USERS, ITEMS))
    return np.round(np.stack([common, common + rng.normal(scale=0.4, size=common.shape)]) * 2) / 2


@pytest.fixture
def targets() -> np.ndarray:
    return np.random.default_rng(1).integers(1, ITEMS + 1, USERS).astype(np.int32)


def lists_of(scores: np.ndarray) -> Lists:
    """The whole catalogue by score, ties to the lower id, as a variant returns it."""
    order = np.argsort(-scores, axis=1, kind="stable")
    return Lists(
        items=(order + 1).astype(np.int32), scores=np.take_along_axis(scores, order, axis=1).astype(np.float32)
    )


def gains_by_scipy(scores: np.ndarray, targets: np.ndarray, name: str) -> np.ndarray:
    """What each user adds to a metric; scipy ranks, and gives tied items the worst of their places."""
    kind, _, k = name.partition("@")
    places = stats.rankdata(-scores, method="max", axis=1)[np.arange(USERS), targets - 1]
    gain = {"hr": np.ones(USERS), "ndcg": 1 / np.log2(places + 1), "mrr": 1 / places}[kind]
    return np.where(places <= int(k), gain, 0.0)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_that_of_an_independent_ranking(name: str, scores: np.ndarray, targets: np.ndarray) -> None:
    found = metrics.ranking_metrics(ranking.ranks(lists_of(scores[0]), targets))[name]
    assert found == pytest.approx(gains_by_scipy(scores[0], targets, name).mean())


@pytest.mark.parametrize("name", METRICS)
def test_a_paired_interval_is_that_of_scipy(name: str, scores: np.ndarray, targets: np.ndarray) -> None:
    ours, theirs = (ranking.ranks(lists_of(side), targets) for side in scores)
    found = paired_bootstrap.differences(ours, theirs)[name]
    gains = [gains_by_scipy(side, targets, name) for side in scores]
    expected = stats.bootstrap(
        gains, lambda a, b, axis: (a - b).mean(axis=axis), paired=True, vectorized=True, method="percentile",
        n_resamples=4000, rng=np.random.default_rng(2),
    )  # fmt: skip
    spread = (gains[0] - gains[1]).std() / np.sqrt(USERS)
    assert found.value == pytest.approx((gains[0] - gains[1]).mean())
    # Two bootstraps differ by their own chance: with 1,000 and 4,000 resamples about .1 standard errors at these ends;
    # and a hit rate moves in steps of one user.
    step = 1 / USERS if name.startswith("hr") else 0.0
    assert [found.low, found.high] == pytest.approx(list(expected.confidence_interval), abs=0.25 * spread + step)


def test_the_same_seed_gives_the_same_interval(scores: np.ndarray, targets: np.ndarray) -> None:
    ranks = [ranking.ranks(lists_of(side), targets) for side in scores]
    assert paired_bootstrap.differences(*ranks, seed=3) == paired_bootstrap.differences(*ranks, seed=3)


def test_equal_variants_differ_by_nothing(targets: np.ndarray, scores: np.ndarray) -> None:
    ranks = ranking.ranks(lists_of(scores[0]), targets)
    found = paired_bootstrap.differences(ranks, ranks)["ndcg@10"]
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_a_pairing_keeps_intervals_narrow_where_users_move_alike(targets: np.ndarray, scores: np.ndarray) -> None:
    ranks = ranking.ranks(lists_of(scores[0]), targets)
    worse = ranks + (np.arange(USERS) % 10 == 0)  # one user in ten loses one place
    found = paired_bootstrap.differences(worse, ranks)["ndcg@10"]
    assert found.high <= 0
    assert found.high - found.low < 0.02
