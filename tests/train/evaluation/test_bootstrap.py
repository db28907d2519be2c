"""Intervals of metrics: what a bootstrap must do, whatever the ranks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.evaluation import bootstrap
from sasrec_train.evaluation.metrics import ranking_metrics


def intervals(ranks, seed: int = 0, **options) -> dict[str, list[float]]:
    (resampled,) = bootstrap.resample(np.array(ranks), rng=np.random.default_rng(seed), **options)
    return bootstrap.intervals(resampled)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_an_interval_contains_its_estimate(ranks):
    found = intervals(ranks, resamples=300)
    for name, estimate in ranking_metrics(np.array(ranks)).items():
        low, high = found[name]
        assert 0 <= low <= estimate + 1e-12
        assert estimate - 1e-12 <= high <= 1 + 1e-12


def test_intervals_are_those_of_resampled_users():
    """The textbook way, user by user, gives the same within the noise of 4,000 resamples."""
    rng = np.random.default_rng(1)
    ranks = rng.geometric(0.08, 300) - 1
    drawn = ranks[rng.integers(0, 300, (4000, 300))]
    slow = [ranking_metrics(row)["ndcg@10"] for row in drawn]
    assert intervals(ranks, resamples=4000)["ndcg@10"] == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.003)


def test_an_interval_shrinks_with_the_root_of_the_users():
    ranks = np.tile([0, 3, 12, 40], 25)
    few, many = intervals(ranks)["hr@10"], intervals(np.tile(ranks, 100))["hr@10"]
    assert (few[1] - few[0]) / (many[1] - many[0]) == pytest.approx(10, rel=0.15)


def test_the_same_seed_gives_the_same_intervals():
    ranks = np.arange(50)
    assert intervals(ranks) == intervals(ranks)
    assert intervals(ranks) != intervals(ranks, seed=1)


def test_intervals_do_not_depend_on_the_order_of_users():
    ranks = np.random.default_rng(0).integers(0, 40, 200)
    assert intervals(ranks) == intervals(np.sort(ranks))


def test_one_user_has_intervals_without_width():
    assert intervals([3])["hr@10"] == [1.0, 1.0]
    assert intervals([30])["ndcg@10"] == [0.0, 0.0]


def test_differences_are_paired():
    """Both scorers miss and hit the same users, so no resample tells them apart."""
    ranks = np.tile([0, 40], 50)
    model, baseline = bootstrap.resample(ranks, ranks, rng=np.random.default_rng(0))
    assert (model["hr@10"] == baseline["hr@10"]).all()
    assert np.ptp(model["hr@10"]) > 0
