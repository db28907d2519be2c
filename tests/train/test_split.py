"""Leave-one-out, and the split by time."""

from dataclasses import replace

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from sasrec_train.errors import ConfigError, DataError
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.split import NOBODY, SplitConfig, boundaries, leave_one_out, split


def log(*histories: list[int], n_items: int = 9) -> Interactions:
    users = [f"u{row}" for row in range(len(histories))]
    items = [f"i{item_id}" for item_id in range(1, n_items + 1)]
    return Interactions("some log", users, items, None, Histories.from_lists(histories))


def test_the_last_item_is_for_the_test_and_the_one_before_for_validation():
    parts = leave_one_out(log([1, 2], [3, 4, 5], [9], [6, 7, 8, 1, 2]))
    assert [history.tolist() for history in parts.train] == [[1, 2], [3], [9], [6, 7, 8]]
    assert parts.validation.users.tolist() == parts.test.users.tolist() == [1, 3]
    assert [history.tolist() for history in parts.validation.histories] == [[3], [6, 7, 8]]
    assert parts.validation.targets.tolist() == [4, 1]
    assert [history.tolist() for history in parts.test.histories] == [[3, 4], [6, 7, 8, 1]]
    assert parts.test.targets.tolist() == [5, 2]


def test_a_log_without_three_interactions_of_one_user_is_refused():
    with pytest.raises(
        DataError, match="some log: the longest history has 2 interactions, expected a user with at least 3"
    ):
        leave_one_out(log([1, 2], [3]))


def test_a_log_of_one_item_is_refused():
    with pytest.raises(DataError, match="some log has 1 item, expected at least 2"):
        leave_one_out(log([1, 1, 1], n_items=1))


TEMPORAL = SplitConfig(kind="temporal", validation_share=0.2, test_share=0.2)
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6), st.integers(0, 9)), min_size=5, max_size=50)


def timed(events: list[tuple[int, int, int]]) -> Interactions:
    """Return a log of (user, item id, time)."""
    users = sorted({user for user, _, _ in events})
    ordered = sorted(events, key=lambda event: (event[0], event[2]))
    made = log(*([item for user, item, _ in ordered if user == row] for row in users))
    return replace(made, times=np.array([time for _, _, time in ordered]))


def test_two_points_in_time_cut_the_log_of_everybody():
    # Ten interactions: the first point is the time of the seventh (6), the second that of the ninth (8).
    made = timed([
        (0, 1, 0), (0, 2, 1), (0, 3, 6), (0, 4, 8),  # asked for 3, then for 4
        (1, 5, 2), (1, 6, 7),  # asked for 6 in validation only
        (2, 7, 3), (2, 8, 9),  # asked for 8 in the test only
        (3, 9, 4), (3, 1, 5),  # trained on only
    ])  # fmt: skip
    points = split(made, TEMPORAL)
    parts = points.apply(made.histories)
    assert boundaries(made.times, TEMPORAL) == (6, 8)
    assert [history.tolist() for history in parts.train] == [[1, 2], [5], [7], [9, 1]]
    assert parts.validation.users.tolist() == [0, 1]
    assert parts.validation.targets.tolist() == [3, 6]
    assert [history.tolist() for history in parts.validation.histories] == [[1, 2], [5]]
    assert parts.test.users.tolist() == [0, 2]
    assert parts.test.targets.tolist() == [4, 8]
    assert [history.tolist() for history in parts.test.histories] == [[1, 2, 3], [7]]


def test_a_user_without_history_before_the_item_is_not_asked():
    made = timed([(0, 1, 0), (0, 2, 3), (0, 3, 4), (1, 4, 3), (1, 5, 4), (2, 6, 4)])
    parts = split(made, SplitConfig(kind="temporal", validation_share=0.3, test_share=0.5)).apply(made.histories)
    assert parts.validation.users.tolist() == [0]
    assert parts.test.users.tolist() == [0, 1]  # user 1 has the history of the validation span


@hypothesis.given(EVENTS, st.sampled_from([0.1, 0.2, 0.4]), st.sampled_from([0.1, 0.3]))
def test_nothing_trained_on_is_newer_than_what_is_asked(events, validation_share, test_share):
    made = timed(events)
    config = SplitConfig(kind="temporal", validation_share=validation_share, test_share=test_share)
    try:
        points = split(made, config)
    except DataError:
        return
    first, second = boundaries(made.times, config)
    for row, offset in enumerate(made.histories.offsets[:-1]):
        times = made.times[offset : made.histories.offsets[row + 1]]
        assert (times[: points.train_ends[row]] < first).all()
        assert (times[points.train_ends[row] :] >= first).all()
        for position, start, end in ((points.validation[row], first, second), (points.test[row], second, np.inf)):
            candidates = [place for place, time in enumerate(times) if start <= time < end]
            assert position == (candidates[0] if candidates and candidates[0] > 0 else NOBODY)


def test_the_shares_are_of_all_interactions():
    made = timed([(user, 1 + time % 9, time) for time in range(100) for user in range(10)])
    first, second = boundaries(made.times, SplitConfig(kind="temporal", validation_share=0.1, test_share=0.2))
    assert (first, second) == (70, 80)


def test_times_with_fractions_can_be_cut():
    made = timed([(0, 1, 0.25), (0, 2, 0.5), (0, 3, 0.75), (0, 4, 1.5)])
    config = SplitConfig(kind="temporal", validation_share=0.25, test_share=0.25)
    assert split(made, config).apply(made.histories).test.targets.tolist() == [4]


def test_a_log_without_times_cannot_be_split_by_time():
    with pytest.raises(DataError, match=r"some log has no times, which --split temporal needs. Give a log with a time"):
        split(log([1, 2, 3]), TEMPORAL)


@pytest.mark.parametrize(
    ("events", "span"),
    [
        ([(0, 1, 5), (0, 2, 5), (0, 3, 5), (0, 4, 5)], "validation"),
        ([(0, 1, 0), (0, 1, 1), (0, 2, 2), (0, 3, 3), (1, 4, 4)], "test"),
    ],
    ids=["one time", "a stranger"],
)
def test_a_log_where_nobody_can_be_asked_is_refused(events, span):
    with pytest.raises(DataError, match=f"nobody has an interaction in the {span} span with an earlier one before it"):
        split(timed(events), TEMPORAL)


def test_shares_must_leave_something_to_learn_from():
    with pytest.raises(ConfigError, match=r"--validation-share 0.5 and --test-share 0.5 leave nothing to learn from"):
        SplitConfig(kind="temporal", validation_share=0.5, test_share=0.5)
