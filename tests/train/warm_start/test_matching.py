"""Items of a log and of a RUN, matched by key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.errors import DataError
from sasrec_train.warm_start.matching import match

KEYS = st.lists(st.sampled_from(["1", "2", "10", "x", "ä", "az"]), min_size=1, unique=True)


def matched(old: list[str], keys: list[str]):
    return match(old, keys, run="RUN", log="LOG")


def test_rows_follow_their_keys():
    found = matched(["a", "b", "c"], ["c", "new", "a"])
    old = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    np.testing.assert_array_equal(found.rows(old), [[0], [3], [0], [1]])


def test_what_the_run_does_not_know_is_new():
    assert matched(["a", "b", "c"], ["c", "new", "a"]).new_ids.tolist() == [2]


def test_what_the_log_does_not_have_has_vanished():
    assert matched(["a", "b", "c"], ["c", "new", "a"]).vanished == 1


@given(KEYS, KEYS)
def test_every_item_of_both_is_kept_new_or_vanished(old, keys):
    common = set(old) & set(keys)
    if not common:
        with pytest.raises(DataError, match="LOG and RUN have no item key in common"):
            matched(old, keys)
        return
    found = matched(old, keys)
    kept = [keys[i - 1] for i in np.flatnonzero(found.old_ids > 0)]
    assert set(kept) == common
    assert len(kept) + found.new_ids.size == len(keys)
    assert len(kept) + found.vanished == len(old)
