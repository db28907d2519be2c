"""Negatives are never what the user has had."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.log.interactions import Histories
from sasrec_train.negatives import NO_NEGATIVE, Negatives

N_ITEMS = 8
histories_strategy = st.lists(st.lists(st.integers(1, N_ITEMS), max_size=12), min_size=1, max_size=6)


@given(histories_strategy, st.integers(0, 100))
def test_draws_lie_outside_the_history(histories, seed):
    negatives = Negatives(Histories.from_lists(histories), N_ITEMS)
    users = np.arange(len(histories))
    drawn = negatives.sample(np.random.default_rng(seed), users, 20)
    for history, row in zip(histories, drawn, strict=True):
        outside = set(range(1, N_ITEMS + 1)) - set(history)
        assert set(row.tolist()) <= (outside or {NO_NEGATIVE})


@given(histories_strategy, st.integers(0, 100), st.integers(1, 10))
def test_distinct_draws_are_distinct_and_as_many_as_there_are(histories, seed, size):
    negatives = Negatives(Histories.from_lists(histories), N_ITEMS)
    drawn = negatives.sample_distinct(np.random.default_rng(seed), np.arange(len(histories)), size)
    for history, row in zip(histories, drawn, strict=True):
        outside = set(range(1, N_ITEMS + 1)) - set(history)
        items = [item for item in row.tolist() if item != NO_NEGATIVE]
        assert set(items) <= outside
        assert len(set(items)) == len(items) == min(size, len(outside))


def test_every_outside_item_is_drawn_equally_often():
    negatives = Negatives(Histories.from_lists([[], [2, 5]]), N_ITEMS)
    users = np.ones(3000, np.int64)
    for drawn in (
        negatives.sample(np.random.default_rng(0), users, 2),
        negatives.sample_distinct(np.random.default_rng(0), users, 2),
    ):
        counts = np.bincount(drawn.ravel(), minlength=N_ITEMS + 1)
        assert counts[[0, 2, 5]].tolist() == [0, 0, 0]
        assert abs(counts[[1, 3, 4, 6, 7, 8]] - 1000).max() < 120  # four standard deviations
