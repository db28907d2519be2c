"""The linear estimate of rows from states, on tables where the truth is known."""

import numpy as np
import pytest

from sasrec_train.new_items import row_estimate
from sasrec_train.new_items.user_states import ItemStates

D, ITEMS = 6, 4000


@pytest.fixture(scope="module")
def world():
    """Rows that are a linear map of mean states, which are seen through noise."""
    rng = np.random.default_rng(0)
    link = rng.normal(size=(D, D)) / np.sqrt(D)
    means = rng.normal(size=(ITEMS, D)) * np.linspace(0.2, 2, D) + 1
    rows = (means - 1) @ link + 0.1 * rng.normal(size=(ITEMS, D)) + 3
    counts = rng.integers(2, 30, ITEMS)
    item_ids = np.repeat(np.arange(1, ITEMS + 1), counts).astype(np.int32)
    states = means[item_ids - 1] + 1.5 * rng.normal(size=(item_ids.size, D))
    seen = ItemStates.of(states.astype(np.float32), item_ids, first=1, n_items=ITEMS)
    return rng, means, rows, seen


@pytest.fixture(scope="module")
def estimate(world):
    _, _, rows, seen = world
    return row_estimate.fit(rows, seen.means, seen.counts, seen.within, np.ones(ITEMS))


def error(found, rows) -> float:
    return float(np.square(found - rows).mean())


@pytest.mark.parametrize("count", [1, 4, 64])
def test_it_is_better_than_the_mean_and_than_a_map_that_does_not_shrink(world, estimate, count) -> None:
    rng, means, rows, _ = world
    noisy = means + 1.5 / np.sqrt(count) * rng.normal(size=means.shape)
    link = np.linalg.lstsq(np.c_[np.ones(ITEMS), means], rows, rcond=None)[0]
    ours = error(estimate.rows(noisy, np.full(ITEMS, float(count))), rows)
    assert ours < error(rows.mean(axis=0), rows)
    assert ours < error(np.c_[np.ones(ITEMS), noisy] @ link, rows)


def test_the_covariance_of_one_items_states_is_found(world) -> None:
    np.testing.assert_allclose(world[3].within, 1.5**2 * np.eye(D), atol=0.08)


def test_without_interactions_it_is_the_mean_row_whatever_the_states_hold(estimate) -> None:
    found = estimate.rows(np.full((1, D), np.nan_to_num(np.inf)), np.zeros(1))
    np.testing.assert_array_equal(found[0], estimate.row)


def test_without_interactions_it_is_the_prior_where_there_is_one(estimate) -> None:
    prior = np.arange(D, dtype=float)[None]
    np.testing.assert_array_equal(estimate.rows(np.zeros((1, D)), np.zeros(1), prior, prior), prior)


def test_states_that_are_all_noise_move_nothing() -> None:
    rng = np.random.default_rng(1)
    states = rng.normal(size=(20_000, D)).astype(np.float32)
    seen = ItemStates.of(states, np.arange(20_000, dtype=np.int32) // 5, first=0, n_items=4000)
    rows = rng.normal(size=(4000, D))
    found = row_estimate.fit(rows, seen.means, seen.counts, seen.within, np.ones(4000))
    moved = found.rows(rng.normal(size=(1000, D)), np.ones(1000)) - found.row
    assert np.square(moved).mean() < 0.01


def test_fewer_items_than_dimensions_give_finite_rows() -> None:
    rng = np.random.default_rng(2)
    seen = ItemStates.of(rng.normal(size=(6, D)).astype(np.float32), np.array([0, 0, 0, 1, 1, 1]), first=0, n_items=2)
    found = row_estimate.fit(rng.normal(size=(2, D)), seen.means, seen.counts, seen.within, np.ones(2))
    assert np.isfinite(found.rows(rng.normal(size=(9, D)), np.arange(9.0))).all()


def test_items_of_one_state_each_give_finite_rows() -> None:
    rng = np.random.default_rng(3)
    seen = ItemStates.of(rng.normal(size=(9, D)).astype(np.float32), np.arange(9, dtype=np.int32), first=0, n_items=9)
    found = row_estimate.fit(rng.normal(size=(9, D)), seen.means, seen.counts, seen.within, np.ones(9))
    assert np.isfinite(found.rows(rng.normal(size=(9, D)), np.arange(9.0))).all()
