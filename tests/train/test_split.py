"""Leave-one-out."""

import pytest

from sasrec_train.errors import DataError
from sasrec_train.interactions import Histories, Interactions
from sasrec_train.split import leave_one_out


def log(*histories: list[int], n_items: int = 9) -> Interactions:
    users = [f"u{row}" for row in range(len(histories))]
    items = [f"i{item_id}" for item_id in range(1, n_items + 1)]
    return Interactions("some log", users, items, None, Histories.from_lists(histories))


def test_the_last_item_is_for_the_test_and_the_one_before_for_validation():
    split = leave_one_out(log([1, 2], [3, 4, 5], [9], [6, 7, 8, 1, 2]))
    assert [history.tolist() for history in split.train] == [[1, 2], [3], [9], [6, 7, 8]]
    assert split.validation.users.tolist() == split.test.users.tolist() == [1, 3]
    assert [history.tolist() for history in split.validation.histories] == [[3], [6, 7, 8]]
    assert split.validation.targets.tolist() == [4, 1]
    assert [history.tolist() for history in split.test.histories] == [[3, 4], [6, 7, 8, 1]]
    assert split.test.targets.tolist() == [5, 2]


def test_a_log_without_three_interactions_of_one_user_is_refused():
    with pytest.raises(
        DataError, match="some log: the longest history has 2 interactions, expected a user with at least 3"
    ):
        leave_one_out(log([1, 2], [3]))


def test_a_log_of_one_item_is_refused():
    with pytest.raises(DataError, match="some log has 1 item, expected at least 2"):
        leave_one_out(log([1, 1, 1], n_items=1))
