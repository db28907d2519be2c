"""Histories in flat arrays."""

from dataclasses import replace

import numpy as np
import pytest

from sasrec_train.log.interactions import Histories, Interactions

HISTORIES = Histories.from_lists([[1, 2, 3], [], [4], [5, 6]])


def lists(histories: Histories) -> list[list[int]]:
    return [history.tolist() for history in histories]


def test_a_history_is_read_by_its_row():
    assert len(HISTORIES) == 4
    assert HISTORIES[0].tolist() == [1, 2, 3]
    assert HISTORIES[1].tolist() == []
    assert (HISTORIES.offsets.dtype, HISTORIES.item_ids.dtype) == (np.int64, np.int32)


@pytest.mark.parametrize("row", [-1, 4])
def test_a_row_that_does_not_exist_is_refused(row):
    with pytest.raises(IndexError, match=rf"history {row} does not exist, expected a row in \[0, 4\)"):
        HISTORIES[row]


def test_rows_are_taken_in_the_order_asked_without_their_newest_items():
    assert lists(HISTORIES.take(np.array([3, 0]), without_last=np.array([1, 2]))) == [[5], [1]]
    assert lists(HISTORIES.take(np.array([1, 1, 0]))) == [[], [], [1, 2, 3]]


def test_append_adds_one_newest_item_to_each():
    assert lists(HISTORIES.append(np.array([7, 8, 9, 1]))) == [[1, 2, 3, 7], [8], [4, 9], [5, 6, 1]]


@pytest.mark.parametrize(
    "change",
    [
        {"user_keys": ["a", "c"]},
        {"item_keys": ["x", "z"]},
        {"histories": Histories.from_lists([[1, 2], [2]])},
        {"histories": Histories.from_lists([[1], [1, 2]])},
    ],
    ids=["user", "item", "order", "owner"],
)
def test_the_digest_tells_logs_apart(change):
    log = Interactions("log", ["a", "b"], ["x", "y"], None, Histories.from_lists([[2, 1], [2]]))
    assert replace(log, name="other", titles=["X", "Y"]).sha256 == log.sha256
    assert replace(log, **change).sha256 != log.sha256
