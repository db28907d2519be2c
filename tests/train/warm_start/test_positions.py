"""Position rows for another max_len."""

import numpy as np
import pytest

from sasrec_train.warm_start.positions import mapped

OLD = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.mark.parametrize("max_len", [1, 2, 3, 5])
def test_the_newest_positions_keep_their_rows(max_len):
    kept = min(max_len, 3)
    np.testing.assert_array_equal(mapped(OLD, max_len)[-kept:], OLD[-kept:])


def test_older_positions_begin_as_the_oldest_that_was_trained():
    np.testing.assert_array_equal(mapped(OLD, 5)[:2], [OLD[0], OLD[0]])


def test_older_positions_may_begin_as_told():
    np.testing.assert_array_equal(mapped(OLD, 4, older=np.zeros(2, np.float32))[0], [0, 0])
