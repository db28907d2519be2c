"""Users in strata of popularity and history length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.evaluation import strata
from sasrec_train.evaluation.metrics import ranking_metrics
from sasrec_train.evaluation.strata import by_history_length, by_target_count


def test_fifths_hold_a_fifth_of_the_training_interactions_each():
    # Items 1 to 6 with 10, 10, 10, 10, 5, 5 interactions and item 7 with none; a fifth are 10 of 50. Items of equal
    # count stay together, so the head holds four fifths, and the tail what is left.
    counts = np.array([0, 10, 10, 10, 10, 5, 5, 0])
    found = by_target_count(counts, np.array([1, 4, 6, 7]))
    assert [(stratum.name, stratum.least, stratum.most, stratum.rows.tolist()) for stratum in found] == [
        ("head", 10, None, [0, 1]),
        ("tail", 1, 9, [2]),
        ("never trained on", 0, 0, [3]),
    ]


def test_five_fifths_have_edges_of_their_own():
    # 8 + 4 + 4 + … of 40: the head reaches 8 with the first item, the second fifth 16 with the items of count 4, …
    counts = np.array([0, 8, 4, 4, 2, 2, 2, 2, *[1] * 16])
    found = by_target_count(counts, np.arange(1, counts.size))
    assert [(stratum.name, stratum.least, stratum.most) for stratum in found] == [
        ("head", 8, None),
        ("second fifth", 4, 7),
        ("third fifth", 2, 3),
        ("fourth fifth", 1, 1),
    ]


def test_history_lengths_fall_between_the_stated_edges():
    found = by_history_length(np.array([1, 2, 3, 5, 6, 51, 500, 10]))
    assert [(stratum.name, stratum.least, stratum.most, stratum.rows.size) for stratum in found] == [
        ("1 to 2", 1, 2, 2),
        ("3 to 5", 3, 5, 2),
        ("6 to 10", 6, 10, 2),
        ("more than 50", 51, None, 2),
    ]


USERS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 80), st.integers(0, 30)), min_size=1)


@given(USERS, st.lists(st.integers(0, 9), min_size=20, max_size=20))
def test_strata_part_the_users_and_their_weighted_mean_is_the_whole(users, counts):
    targets, lengths, ranks = np.array(users).T
    for found in (by_target_count(np.array([0, *counts]), targets), by_history_length(lengths)):
        assert sorted(np.concatenate([stratum.rows for stratum in found])) == list(range(len(users)))
        rng = np.random.default_rng(0)
        measured = [strata.measure(stratum, {"full": ranks}, rng=rng) for stratum in found]
        for name in ("hr@10", "ndcg@10"):
            mean = sum(stratum["full"][name] * stratum["users"] for stratum in measured) / len(users)
            assert mean == pytest.approx(ranking_metrics(ranks)[name])


@given(USERS, st.lists(st.integers(0, 9), min_size=20, max_size=20))
def test_every_user_is_within_the_edges_of_their_bucket(users, counts):
    targets, _, _ = np.array(users).T
    trained = np.array([0, *counts])
    for stratum in by_target_count(trained, targets):
        values = trained[targets[stratum.rows]]
        assert values.min() >= stratum.least
        assert stratum.most is None or values.max() <= stratum.most
