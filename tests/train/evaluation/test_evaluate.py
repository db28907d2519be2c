"""Ranks of held-out items under both protocols."""

import logging

import numpy as np
import pytest

from sasrec_train.evaluation import evaluate, ranking, scorers
from sasrec_train.log.interactions import Histories
from sasrec_train.split import HeldOut

SCORES = np.array([9, 5, 4, 3, 2, 1], np.float32)  # Of ids 0 (padding) to 5.


def held_out(histories: list[list[int]], targets: list[int]) -> HeldOut:
    return HeldOut(np.arange(len(targets)), Histories.from_lists(histories), np.array(targets, np.int32))


def constant(scores: np.ndarray) -> evaluate.Scorer:
    return lambda rows: np.broadcast_to(scores, (rows.size, scores.size))


def full_ranks(histories: list[list[int]], targets: list[int], scores: np.ndarray = SCORES, **options) -> list[int]:
    ranks, _ = evaluate.rank(constant(scores), held_out(histories, targets), n_items=5, num_negatives=0, **options)
    return ranks.tolist()


def test_seen_items_do_not_stand_before_the_target():
    assert full_ranks([[1, 2], [1, 1], []], [4, 3, 3]) == [1, 1, 2]


def test_seen_items_count_when_they_are_kept():
    assert full_ranks([[1, 2], [1, 1], []], [4, 3, 3], keep_seen=True) == [3, 2, 2]


def test_a_target_that_was_seen_is_a_miss_unless_seen_items_are_kept():
    assert full_ranks([[1, 2]], [1]) == [5]
    assert full_ranks([[1, 2]], [1], keep_seen=True) == [0]
    assert evaluate.count_excluded_targets(held_out([[1, 2, 1], [3]], [1, 4])) == 1


@pytest.mark.parametrize("value", [0.0, np.nan, -np.inf])
def test_ties_and_missing_scores_count_against_the_target(value):
    assert full_ranks([[1], []], [2, 3], np.full(6, value, np.float32)) == [3, 4]


def test_padding_never_stands_before_the_target():
    assert full_ranks([[]], [1]) == [0]


def test_sampled_ranks_compare_with_negatives_outside_history_and_target():
    _, sampled = evaluate.rank(constant(SCORES), held_out([[1, 2], []], [4, 3]), n_items=5, num_negatives=2)
    assert sampled[0] == 1  # its only negatives are 3 and 5
    assert sampled[1] in {0, 1, 2}


def test_a_catalogue_with_too_few_negatives_takes_what_there_is_and_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        _, sampled = evaluate.rank(constant(np.zeros(6, np.float32)), held_out([[1, 2], []], [4, 3]), n_items=5)
    assert sampled.tolist() == [2, 4]  # ties with every other item outside the history
    assert "2 of 2 users have fewer than 100 items" in caplog.text


def test_sampled_ranks_follow_the_seed():
    rng = np.random.default_rng(0)
    scores = rng.random(1001).astype(np.float32)
    held = held_out([[1]] * 40, [500] * 40)
    ranks = [evaluate.rank(constant(scores), held, n_items=1000, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert ranks[0] == ranks[1] != ranks[2]


def test_ranks_do_not_depend_on_the_batching(monkeypatch):
    rng = np.random.default_rng(0)
    table = rng.random((7, 31)).astype(np.float32)
    held = held_out([list(rng.integers(1, 31, 5)) for _ in range(7)], list(rng.integers(1, 31, 7)))
    whole = evaluate.rank(lambda rows: table[rows], held, n_items=30, num_negatives=0)[0]
    monkeypatch.setattr(ranking, "MAX_SCORES", 62)
    assert evaluate.rank(lambda rows: table[rows], held, n_items=30, num_negatives=0)[0].tolist() == whole.tolist()


def test_negatives_do_not_depend_on_how_many_users_are_scored_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.random((40, 501)).astype(np.float32)
    held = held_out([[1]] * 40, [9] * 40)
    at_once = evaluate.rank(lambda rows: scores[rows], held, n_items=500)[1].tolist()
    monkeypatch.setattr(ranking, "MAX_SCORES", 1500)
    assert evaluate.rank(lambda rows: scores[rows], held, n_items=500)[1].tolist() == at_once


def test_a_network_that_scores_all_items_alike_ranks_no_target_near_the_top():
    """Products of equal vectors may differ by their place in the matrix; that must not help."""
    rng = np.random.default_rng(0)
    users, n_items = 60, 10_000
    vectors = rng.standard_normal((users, 64)).astype(np.float32)
    items = np.repeat(rng.standard_normal((1, 64)).astype(np.float32), n_items + 1, axis=0)
    held = held_out([[1]] * users, list(rng.integers(2, n_items + 1, users)))
    ranks, _ = evaluate.rank(scorers.vector_scorer(vectors, items), held, n_items=n_items, num_negatives=0)
    assert np.count_nonzero(ranks < 20) <= 1
    assert ranks.max() <= n_items - 2


def test_a_target_is_no_rival_of_itself_however_its_score_is_rounded():
    rng = np.random.default_rng(0)
    users, n_items = 300, 10_000
    items = rng.standard_normal((n_items + 1, 64)).astype(np.float32)
    targets = rng.integers(2, n_items + 1, users)
    scorer = scorers.vector_scorer(items[targets], items)  # each user's vector is the target's: nothing comes near
    ranks, _ = evaluate.rank(scorer, held_out([[1]] * users, list(targets)), n_items=n_items, num_negatives=0)
    assert (ranks == 0).all()


def test_popularity_counts_the_training_items():
    scorer = evaluate.popularity_scorer(Histories.from_lists([[1, 2], [2]]), n_items=3)
    assert scorer(np.array([0, 5])).tolist() == [[0, 1, 2, 0]] * 2


def test_a_sample_of_users_keeps_their_histories_and_targets():
    histories = Histories.from_lists([[1, 2, 3, 4], [2, 3, 4, 1], [3, 4, 1, 2]])
    held_out = HeldOut(np.array([5, 6, 7]), histories, np.array([5, 5, 5], np.int32))
    few = held_out.sample(2, seed=0)
    assert few.users.size == 2
    for user, history in zip(few.users, few.histories, strict=True):
        assert history.tolist() == histories[list(held_out.users).index(user)].tolist()
    assert held_out.sample(3, seed=0) is held_out
