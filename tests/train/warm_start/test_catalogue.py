"""A log whose catalogue keeps what an earlier log had."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.warm_start.catalogue import keep_vanished

KEYS = st.lists(st.sampled_from(["1", "2", "10", "9", "x", "ä", "az", "007", "7"]), min_size=1, unique=True)


def log(keys: list[str], titles: list[str] | None = None) -> Interactions:
    """One user who took everything, in order."""
    ordered = sorted(keys, key=lambda key: (len(key.encode()), key))
    histories = Histories.from_lists([range(1, len(keys) + 1)])
    return Interactions("log", ["u"], ordered, titles, histories)


def taken(interactions: Interactions) -> list[str]:
    return [interactions.item_keys[i - 1] for i in interactions.histories[0]]


@given(KEYS, KEYS)
def test_nobodys_history_changes(keys, earlier):
    assert taken(keep_vanished(log(keys), log(earlier))) == taken(log(keys))


@given(KEYS, KEYS)
def test_the_catalogue_is_that_of_a_log_with_all_items(keys, earlier):
    assert keep_vanished(log(keys), log(earlier)).item_keys == log(list({*keys, *earlier})).item_keys


def test_a_log_that_lost_nothing_stays_as_it_is():
    mine = log(["1", "2"])
    assert keep_vanished(mine, log(["1"])) is mine


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        (["A"], ["old A", "B"], ["A", "B"]),
        (["A"], None, ["A", ""]),
        (None, ["old A", "B"], ["old A", "B"]),
        (None, None, None),
    ],
    ids=["both", "only the log", "only the RUN", "neither"],
)
def test_vanished_items_keep_their_titles(mine, theirs, expected):
    assert keep_vanished(log(["1"], mine), log(["1", "2"], theirs)).titles == expected


def test_an_earlier_log_is_not_changed():
    earlier = log(["1", "2"])
    keep_vanished(log(["1"]), earlier)
    assert earlier == replace(earlier)
