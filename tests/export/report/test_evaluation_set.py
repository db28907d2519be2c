"""The users that a report evaluates on, and those of them who lost most."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sasrec_export.report.measure import ranking, worst_users
from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.ranking import Lists
from sasrec_runtime.vocabulary.vocabulary import Vocabulary
from sasrec_train.log.interactions import Histories
from sasrec_train.split import HeldOut

VOCABULARY = Vocabulary.of([f"k{item_id}" for item_id in range(1, 6)], ["One", "Two", "", "Four", "Five"])


@pytest.fixture
def evaluation_set() -> Callable[[int], EvaluationSet]:
    """So many users u0, u1, …, of log rows 10, 11, …: each took item 1 and then item 2."""

    def of(users: int) -> EvaluationSet:
        held_out = HeldOut(np.arange(10, 10 + users), Histories.from_lists([[1]] * users), np.full(users, 2, np.int32))
        return EvaluationSet(
            "log", "leave-one-out", held_out, Histories.from_lists([[1, 2]]), [f"u{u}" for u in range(users)]
        )

    return of


def test_a_sample_keeps_users_with_their_keys(evaluation_set: Callable[[int], EvaluationSet]) -> None:
    sample = evaluation_set(100).sample(7, seed=1)
    assert sample.held_out.users.size == 7
    assert [f"u{user - 10}" for user in sample.held_out.users] == sample.user_keys


def test_a_sample_is_that_of_its_seed(evaluation_set: Callable[[int], EvaluationSet]) -> None:
    first, again, other = (evaluation_set(100).sample(7, seed=seed).user_keys for seed in (1, 1, 2))
    assert first == again != other


def test_a_sample_of_more_than_there_are_is_everybody(evaluation_set: Callable[[int], EvaluationSet]) -> None:
    everybody = evaluation_set(5)
    assert everybody.sample(9, seed=0) is everybody


def worst_of(evaluation_set: EvaluationSet, items: list[list[int]], reference: list[list[int]]) -> list[str]:
    scores = np.tile(np.array([3, 2, 1], np.float32), (len(items), 1))
    ours, theirs = Lists(np.array(items, np.int32), scores), Lists(np.array(reference, np.int32), scores)
    overlap = np.array([len(set(a) & set(b)) / 3 for a, b in zip(items, reference, strict=True)])
    found = worst_users.worst_users(
        evaluation_set, VOCABULARY, ours, theirs,
        ranks=ranking.ranks(ours, evaluation_set.held_out.targets),
        reference_ranks=ranking.ranks(theirs, evaluation_set.held_out.targets), overlap=overlap,
    )  # fmt: skip
    return [user.user for user in found]


def test_who_lost_most_comes_first_and_who_lost_nothing_is_left_out(
    evaluation_set: Callable[[int], EvaluationSet],
) -> None:
    # u0 keeps all, u1 loses a place, u2 loses the item, u3 keeps its place in another list.
    lists = [[2, 3, 4], [3, 2, 4], [3, 4, 5], [2, 5, 1]]
    assert worst_of(evaluation_set(4), lists, [[2, 3, 4]] * 4) == ["u2", "u1", "u3"]


def test_users_are_shown_by_their_place_in_the_log_unless_their_keys_are_there(
    evaluation_set: Callable[[int], EvaluationSet],
) -> None:
    unnamed = replace(evaluation_set(4), user_keys=None)
    lists = [[2, 3, 4], [3, 2, 4], [3, 4, 5], [2, 5, 1]]
    assert worst_of(unnamed, lists, [[2, 3, 4]] * 4) == ["row 13", "row 12", "row 14"]
    assert unnamed.sample(2, seed=0).user_keys is None


def test_items_are_shown_by_key_and_title_with_the_held_out_one_marked(
    evaluation_set: Callable[[int], EvaluationSet],
) -> None:
    one_user = evaluation_set(1)
    scores = np.array([[3, 2, 1]], np.float32)
    ours, theirs = Lists(np.array([[3, 2, 0]], np.int32), scores), Lists(np.array([[2, 3, 0]], np.int32), scores)
    (user,) = worst_users.worst_users(
        one_user, VOCABULARY, ours, theirs, ranks=np.array([1]), reference_ranks=np.array([0]), overlap=np.array([1.0])
    )
    assert [(item.key, item.title, item.held_out) for item in user.variant] == [
        ("k3", None, False),
        ("k2", "Two", True),
    ]
    assert [item.key for item in user.history] == ["k1"]
