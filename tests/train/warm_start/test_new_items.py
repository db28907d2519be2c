"""Where an item begins that the RUN does not know."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_train import config
from sasrec_train.log.interactions import Histories
from sasrec_train.network.model import SASRec
from sasrec_train.warm_start import new_items, takers
from sasrec_train.warm_start.matching import match

pytestmark = pytest.mark.tf

SMALL = {"max_len": 4, "hidden_dim": 4, "ffn_dim": 4, "num_blocks": 1, "num_heads": 1}
OLD, KEYS = ["a", "b", "c"], ["a", "b", "c", "taken", "untouched"]
TAKEN, UNTOUCHED = 4, 5
MATCH = match(OLD, KEYS, run="RUN", log="log")
HISTORIES = Histories.from_lists([[1, 2, TAKEN], [3, TAKEN, 1], [2, 1]])


@pytest.fixture(scope="module")
def network() -> SASRec:
    return SASRec(config.preset("modern", n_items=len(OLD), model=SMALL)[0])


def placed(network: SASRec, histories: Histories = HISTORIES) -> tuple[np.ndarray, np.ndarray, int]:
    """The table before and after new items have their place, and how many were moved."""
    before = np.random.default_rng(0).normal(0, 1, (len(KEYS) + 1, 4)).astype(np.float32)
    after = before.copy()
    moved = new_items.place(after, histories, MATCH, network)
    return before, after, moved


def test_the_direction_of_takers_is_the_mean_of_their_user_vectors_before(network):
    found = takers.mean_directions(np.array([TAKEN, UNTOUCHED]), HISTORIES, MATCH.old_ids, network, most=9)
    asked = takers.user_directions(network, Histories.from_lists([[1, 2], [3]]))
    np.testing.assert_allclose(found, [asked.mean(axis=0), np.zeros(4)], atol=1e-5)


def test_no_more_takers_are_asked_than_told(network):
    found = takers.mean_directions(np.array([TAKEN]), HISTORIES, MATCH.old_ids, network, most=1)
    np.testing.assert_allclose(found, takers.user_directions(network, Histories.from_lists([[1, 2]])), atol=1e-5)


def test_an_item_is_as_long_as_items_of_its_popularity(network):
    before, table, _ = placed(network)
    assert np.linalg.norm(table[TAKEN]) == pytest.approx(np.linalg.norm(before[1:4], axis=1).mean(), rel=1e-5)


def test_an_item_lies_along_the_mean_user_as_items_of_its_popularity_do(network):
    before, table, _ = placed(network)
    mean = new_items._mean_user(HISTORIES, MATCH, network)
    expected = (takers.unit(before[1:4]) @ mean).mean()
    assert takers.unit(table[TAKEN]) @ mean == pytest.approx(expected, abs=1e-5)


def test_an_item_lies_towards_its_takers_as_trained_items_do(network, monkeypatch):
    monkeypatch.setattr(new_items, "_towards_takers", lambda *_: 0.3)
    _, table, _ = placed(network)
    mean = new_items._mean_user(HISTORIES, MATCH, network)
    directions = takers.mean_directions(np.array([TAKEN]), HISTORIES, MATCH.old_ids, network, most=9)
    assert takers.unit(table[TAKEN]) @ new_items._across(directions, mean)[0] == pytest.approx(0.3, abs=1e-5)


def test_an_item_that_nobody_took_begins_as_the_initialiser_does(network):
    before, table, moved = placed(network)
    np.testing.assert_array_equal(table[UNTOUCHED], before[UNTOUCHED])
    assert moved == 1


def test_an_item_that_everybody_took_first_begins_as_the_initialiser_does(network):
    before, table, moved = placed(network, Histories.from_lists([[TAKEN, 1], [TAKEN]]))
    np.testing.assert_array_equal(table, before)
    assert moved == 0


def test_known_items_stay_where_they_are(network):
    before, table, _ = placed(network)
    np.testing.assert_array_equal(table[:TAKEN], before[:TAKEN])
