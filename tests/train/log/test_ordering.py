"""The order of rows equals that of a plain stable sort."""

import hypothesis
import numpy as np
from hypothesis import strategies as st

from sasrec_train.log import ordering

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(-2, 2)), max_size=40)


def arrays(rows: list[tuple[int, int, int]], time_type: type = np.int64):
    users, items, times = np.array(rows, np.int64).reshape(-1, 3).T
    return users.astype(np.int32), items.astype(np.int32), times.astype(time_type)


@hypothesis.given(ROWS, st.sampled_from([np.int64, np.float64]))
def test_rows_are_ordered_by_user_time_and_place(rows, time_type):
    users, _, times = arrays(rows, time_type)
    expected = sorted(range(len(rows)), key=lambda row: (users[row], times[row], row))
    assert ordering.by_user_and_time(users, times).tolist() == expected


@hypothesis.given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_the_order_is_stable_whatever_the_range(values):
    array = np.array(values, np.int64)
    assert ordering.stable_order(array).tolist() == np.argsort(array, kind="stable").tolist()


@hypothesis.given(ROWS)
def test_rows_told_twice_are_all_but_the_first_of_equals(rows):
    users, items, times = arrays(sorted(rows, key=lambda row: (row[0], row[2])))
    told = list(zip(users, items, times, strict=True))
    expected = [row in told[:place] for place, row in enumerate(told)]
    assert ordering.repeats(users, items, times).tolist() == expected
