"""The share of entries that an int8 table would store otherwise."""

import numpy as np
import pytest

from sasrec_train.warm_start.movement import moved_share

OLD = np.array([[127.0, 0.0], [-12.7, 1.0]], np.float32)  # steps of 1 and of 0.1


def test_a_table_that_stays_has_not_moved():
    assert moved_share(OLD, OLD.copy()) == 0


@pytest.mark.parametrize(("change", "share"), [(0.04, 0.0), (0.06, 0.5), (0.6, 1.0)])
def test_an_entry_moves_by_more_than_half_a_step_of_its_own_row(change, share):
    assert moved_share(OLD, OLD + np.float32(change)) == share


def test_no_row_has_not_moved():
    assert moved_share(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)) == 0
