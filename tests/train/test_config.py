"""Presets and what is put over them."""

import pytest

from sasrec_train.config import PRESETS, preset
from sasrec_train.errors import ConfigError


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_configuration(name):
    model, recipe = preset(name, n_items=5)
    assert model.n_items == 5
    assert recipe.seed == 0


def test_given_fields_stand_over_the_preset():
    model, recipe = preset("paper", n_items=5, model={"num_heads": 2}, train={"epochs": 3})
    assert (model.num_heads, model.norm, recipe.epochs, recipe.loss) == (2, "paper", 3, "binary_cross_entropy")


@pytest.mark.parametrize(
    ("name", "fields", "match"),
    [
        ("papr", {}, "preset is 'papr', expected one of seed, paper, modern"),
        ("seed", {"model": {"max_len": 0}}, r"`int` >= 1 - at `\$.max_len`"),
        ("seed", {"model": {"num_heads": 3}}, r"num_heads is 3, expected a divisor of hidden_dim \(50\)"),
        ("seed", {"model": {"dropout_rate": 1.0}}, r"at `\$.dropout_rate`"),
        ("seed", {"train": {"loss": "hinge"}}, r"'hinge' - at `\$.loss`"),
        ("seed", {"train": {"momentum": 1}}, "unknown field `momentum`"),
    ],
)
def test_a_bad_configuration_is_refused(name, fields, match):
    with pytest.raises(ConfigError, match=match):
        preset(name, n_items=5, **fields)
