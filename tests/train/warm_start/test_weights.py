"""The weights that a training from a RUN begins with."""

import msgspec
import numpy as np
import pytest

pytest.importorskip("tensorflow")

from sasrec_train import config
from sasrec_train.log.interactions import Histories
from sasrec_train.network.model import SASRec
from sasrec_train.training.start import Moments, names
from sasrec_train.warm_start import weights
from sasrec_train.warm_start.matching import match

pytestmark = pytest.mark.tf

SMALL = {"max_len": 4, "hidden_dim": 4, "ffn_dim": 4, "num_blocks": 1, "num_heads": 1}
MATCH = match(["a", "b", "gone"], ["b", "new", "a"], run="RUN", log="log")
OLD_IDS = [0, 2, -1, 1]
TRAIN = Histories.from_lists([[1, 3]])  # nobody took the new item


@pytest.fixture(scope="module")
def network() -> SASRec:
    return SASRec(config.preset("modern", n_items=3, model=SMALL)[0])


def begun(network: SASRec, moments: Moments | None = None, **fields):
    model = msgspec.structs.replace(network.config, n_items=3, **fields)
    return weights.begin(network, moments, MATCH, TRAIN, model)[0]


def named(network: SASRec, values: list) -> dict:
    return dict(zip(names(network), values, strict=True))


def test_rows_of_known_items_are_those_of_the_run(network):
    old = network.item_embedding.embeddings.numpy()
    new = named(network, begun(network).weights)["item_embedding/embeddings"]
    np.testing.assert_array_equal(new[[0, 1, 3]], old[[0, 2, 1]])


def test_a_new_item_that_nobody_took_is_initialised(network):
    table = named(network, begun(network).weights)["item_embedding/embeddings"]
    assert np.abs(table[2]).max() > 0


def test_every_other_weight_is_that_of_the_run(network):
    mine = named(network, begun(network).weights)
    for name, weight in named(network, [value.numpy() for value in network.trainable_variables]).items():
        if name != "item_embedding/embeddings":
            np.testing.assert_array_equal(mine[name], weight, err_msg=name)


def test_the_same_seed_gives_the_same_start(network):
    for ours, theirs in zip(begun(network).weights, begun(network).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("max_len", [2, 7])
def test_the_newest_positions_are_those_of_the_run(network, max_len):
    old = network.position_embedding.embeddings.numpy()
    new = named(network, begun(network, max_len=max_len).weights)["position_embedding/embeddings"]
    kept = min(4, max_len)
    assert len(new) == max_len
    np.testing.assert_array_equal(new[-kept:], old[-kept:])


def test_moments_go_with_their_items_and_are_none_for_new_ones(network):
    ones = [np.ones(weight.shape, np.float32) for weight in network.trainable_variables]
    numbered = [one * np.arange(1, len(one) + 1, dtype=np.float32).reshape(-1, *[1] * (one.ndim - 1)) for one in ones]
    moments = begun(network, Moments(7, numbered, numbered), max_len=5).moments
    assert moments.step == 7
    for each in (moments.first, moments.second):
        assert named(network, each)["item_embedding/embeddings"][:, 0].tolist() == [1, 3, 0, 2]
        assert named(network, each)["position_embedding/embeddings"][:, 0].tolist() == [0, 1, 2, 3, 4]
