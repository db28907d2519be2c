"""The linear estimate of rows from states, on tables where the truth is known."""

import numpy as np
import pytest

from sasrec_train.new_items import popularity_trend, row_estimate
from sasrec_train.new_items.user_states import ItemStates

D, ITEMS = 6, 4000


@pytest.fixture(scope="module")
def world():
    """Rows that are a linear map of mean states, which are seen through noise."""
    rng = np.random.default_rng(0)
    link = rng.normal(size=(D, D)) / np.sqrt(D)
    means = rng.normal(size=(ITEMS, D)) * np.linspace(0.2, 2, D) + 1
    rows = (means - 1) @ link + 0.1 * rng.normal(size=(ITEMS, D))
    counts = rng.integers(2, 30, ITEMS)
    item_ids = np.repeat(np.arange(1, ITEMS + 1), counts).astype(np.int32)
    states = means[item_ids - 1] + 1.5 * rng.normal(size=(item_ids.size, D))
    seen = ItemStates.of(states.astype(np.float32), item_ids, first=1, n_items=ITEMS)
    return rng, means, rows, seen


@pytest.fixture(scope="module")
def estimate(world):
    _, _, rows, seen = world
    return row_estimate.fit(rows, seen.means - 1, seen.counts, seen.within)


def error(found, rows) -> float:
    return float(np.square(found - rows).mean())


@pytest.mark.parametrize("count", [1, 4, 64])
def test_it_is_better_than_nothing_and_than_a_map_that_does_not_shrink(world, estimate, count) -> None:
    rng, means, rows, _ = world
    noisy = means - 1 + 1.5 / np.sqrt(count) * rng.normal(size=means.shape)
    link = np.linalg.lstsq(means - 1, rows, rcond=None)[0]
    ours = error(estimate.rows(noisy, np.full(ITEMS, float(count))), rows)
    assert ours < error(0.0, rows)
    assert ours < error(noisy @ link, rows)


def test_the_covariance_of_one_items_states_is_found(world) -> None:
    np.testing.assert_allclose(world[3].within, 1.5**2 * np.eye(D), atol=0.08)


def test_without_interactions_nothing_is_added_whatever_the_states_hold(estimate) -> None:
    np.testing.assert_array_equal(estimate.rows(np.full((1, D), np.finfo(float).max), np.zeros(1)), np.zeros((1, D)))


def test_states_that_are_all_noise_move_nothing() -> None:
    rng = np.random.default_rng(1)
    states = rng.normal(size=(20_000, D)).astype(np.float32)
    seen = ItemStates.of(states, np.arange(20_000, dtype=np.int32) // 5, first=0, n_items=4000)
    found = row_estimate.fit(rng.normal(size=(4000, D)), seen.means, seen.counts, seen.within)
    assert np.square(found.rows(rng.normal(size=(1000, D)), np.ones(1000))).mean() < 0.01


@pytest.mark.parametrize("item_ids", [[0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 4, 5]], ids=["two items", "one state each"])
def test_few_items_give_finite_rows(item_ids: list[int]) -> None:
    rng, items = np.random.default_rng(2), max(item_ids) + 1
    states = rng.normal(size=(6, D)).astype(np.float32)
    seen = ItemStates.of(states, np.array(item_ids, np.int32), first=0, n_items=items)
    found = row_estimate.fit(rng.normal(size=(items, D)), seen.means, seen.counts, seen.within)
    assert np.isfinite(found.rows(rng.normal(size=(9, D)), np.arange(9.0))).all()


def test_a_trend_of_popularity_is_found() -> None:
    counts = np.array([1.0, 2, 5, 90])
    values = np.stack([3 + 2 * np.log1p(counts), np.full(4, 7.0)], axis=1)
    trend = popularity_trend.fit(counts, values)
    np.testing.assert_allclose(trend.at(np.array([0.0, 11])), [[3, 7], [3 + 2 * np.log(12), 7]])


def test_equal_counts_give_a_level_trend() -> None:
    trend = popularity_trend.fit(np.full(3, 4.0), np.array([[1.0], [2], [6]]))
    np.testing.assert_allclose(trend.at(np.array([0.0, 50])), [[3], [3]])
