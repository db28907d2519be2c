"""Held-out items that a RUN has learned from."""

import numpy as np
import pytest

from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.split import HeldOut
from sasrec_train.warm_start import trained_targets
from sasrec_train.warm_start.matching import match

KEYS = ["a", "b", "c"]


def count(learned: list[int], before: list[int], target: int, old_users: tuple[str, ...] = ("u",)) -> int:
    log = Interactions("log", ["u"], KEYS, None, Histories.from_lists([[*before, target]]))
    held_out = HeldOut(np.array([0]), Histories.from_lists([before]), np.array([target], np.int32))
    found = match(["z", *KEYS], KEYS, run="RUN", log="log")  # ids of the RUN are one higher
    train = Histories.from_lists([[item + 1 for item in learned] for _ in old_users])
    return trained_targets.count(held_out, log, train, list(old_users), found)


@pytest.mark.parametrize(
    ("learned", "before", "target", "expected"),
    [
        ([1, 2], [1, 2], 3, 0),
        ([1, 2, 3], [1, 2], 3, 1),
        ([1, 2], [1, 2], 1, 0),
        ([1, 1, 2], [1, 2], 1, 1),
    ],
    ids=["not learned", "learned", "taken again", "the repeat learned too"],
)
def test_a_target_counts_where_the_run_saw_it_more_often_than_its_history(learned, before, target, expected):
    assert count(learned, before, target) == expected


def test_another_user_of_the_run_does_not_count():
    assert count([1, 2, 3], [1, 2], 3, old_users=("v",)) == 0
