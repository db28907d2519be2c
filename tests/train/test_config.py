"""Presets and what is put over them."""

import pytest

from sasrec_train.config import PRESETS, preset
from sasrec_train.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_configuration(name):
    model, train_config = preset(name, n_items=5)
    assert model.n_items == 5
    assert train_config.seed == 0


def test_given_fields_stand_over_the_preset():
    model, train_config = preset("paper", n_items=5, model={"num_heads": 2}, train={"epochs": 3})
    assert (model.num_heads, model.norm, train_config.epochs, train_config.loss) == (
        2,
        "paper",
        3,
        "binary_cross_entropy",
    )


@pytest.mark.parametrize(
    ("name", "fields", "match"),
    [
        ("papr", {}, "preset is 'papr', expected one of seed, paper, modern"),
        ("seed", {"model": {"max_len": 0}}, r"`int` >= 1 - at `\$.max_len`"),
        ("seed", {"model": {"num_heads": 3}}, r"num_heads is 3, expected a divisor of hidden_dim \(50\)"),
        ("seed", {"model": {"dropout_rate": 1.0}}, r"at `\$.dropout_rate`"),
        ("seed", {"train": {"loss": "hinge"}}, "loss is .hinge., expected one of auto, cross_entropy, sampled_softmax"),
        ("seed", {"train": {"momentum": 1}}, "unknown field `momentum`"),
    ],
)
def test_a_bad_configuration_is_refused(name, fields, match):
    with pytest.raises(ConfigError, match=match):
        preset(name, n_items=5, **fields)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("train", "learning_rate", 1e30),
        ("train", "learning_rate", float("inf")),
        ("train", "learning_rate", float("nan")),
        ("train", "epochs", 2**31),
        ("train", "batch_size", 10**30),
        ("train", "num_negatives", 2**31),
        ("train", "seed", -1),
        ("train", "seed", 2**31),
        ("model", "max_len", 100_000),
        ("model", "hidden_dim", 10**9),
        ("model", "num_blocks", 10**6),
        ("model", "temperature", float("inf")),
        ("model", "embedding_l2", float("inf")),
        ("model", "dropout_rate", float("nan")),
    ],
)
def test_values_beyond_all_use_are_refused_with_the_value(part, field, value):
    with pytest.raises(ConfigError, match=rf"{field}`, where {value!r:.20}".replace("+", r"\+")):
        preset("modern", n_items=10, **{part: {field: value}})
