"""Coverage of the catalogue by lists."""

import numpy as np
import pytest

from sasrec_train.evaluation.coverage import coverage


def test_coverage_agrees_with_a_hand_example():
    # Of 4 items, item 1 is listed twice and item 3 once: counts 0, 0, 1, 2 in order, and the Gini coefficient is
    # (-3·0 - 1·0 + 1·1 + 3·2) / (4 · 3).
    found = coverage(np.array([[1, 3], [1, 0]], np.int32), n_items=4)
    assert found == {"items": 2, "share": 0.5, "gini": pytest.approx(7 / 12)}


def test_lists_that_show_every_item_alike_have_a_gini_of_zero():
    assert coverage(np.array([[1, 2], [3, 4]], np.int32), n_items=4) == {"items": 4, "share": 1.0, "gini": 0.0}


def test_one_item_for_everybody_is_as_uneven_as_can_be():
    assert coverage(np.ones((9, 1), np.int32), n_items=4) == {"items": 1, "share": 0.25, "gini": 0.75}


def test_empty_lists_cover_nothing():
    assert coverage(np.zeros((2, 3), np.int32), n_items=4) == {"items": 0, "share": 0.0, "gini": 0.0}
