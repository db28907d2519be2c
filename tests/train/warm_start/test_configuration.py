"""What a training that starts from a RUN takes from its configuration."""

import msgspec
import pytest

from sasrec_train import config
from sasrec_train.errors import ConfigError
from sasrec_train.warm_start.configuration import LENGTH_SHARE, RATE_SHARE, configs

OLD = config.preset("modern", n_items=9, model={"hidden_dim": 32}, train={"batch_size": 77})


def test_every_field_is_that_of_the_run_but_the_schedule():
    network, training = configs(OLD, n_items=9)
    assert network == OLD[0]
    schedule = {"epochs": 0, "min_steps": 0, "learning_rate": 0}
    assert msgspec.to_builtins(training) | schedule == msgspec.to_builtins(OLD[1]) | schedule


def test_the_schedule_is_shorter_and_lower():
    _, training = configs(OLD, n_items=9)
    assert training.epochs == round(20 * LENGTH_SHARE)
    assert training.min_steps == round(3700 * LENGTH_SHARE)
    assert training.learning_rate == pytest.approx(2e-3 * RATE_SHARE)


def test_a_warm_start_of_a_warm_start_is_as_long():
    _, training = configs(OLD, n_items=9, shorten=False)
    assert training == OLD[1]


def test_epochs_that_are_given_are_exactly_so_many():
    _, training = configs(OLD, n_items=9, train={"epochs": 7})
    assert (training.epochs, training.min_steps) == (7, 0)


def test_a_field_that_is_given_replaces_that_of_the_run():
    network, training = configs(OLD, n_items=12, model={"dropout_rate": 0.1}, train={"learning_rate": 0.01})
    assert (network.n_items, network.dropout_rate, training.learning_rate) == (12, 0.1, 0.01)


@pytest.mark.parametrize(
    ("field", "value"),
    [("hidden_dim", 16), ("num_heads", 1), ("similarity", "dot"), ("num_blocks", 1), ("positions", "sinusoidal")],
)
def test_another_network_is_refused_by_its_field(field, value):
    with pytest.raises(ConfigError, match=f"{field} is {value!r}, but the RUN to start from has"):
        configs(OLD, n_items=9, model={field: value})


def test_another_max_len_fits_learned_positions():
    assert configs(OLD, n_items=9, model={"max_len": 99})[0].max_len == 99


def test_another_max_len_does_not_fit_sinusoidal_positions():
    old = config.preset("modern", n_items=9, model={"positions": "sinusoidal"})
    with pytest.raises(ConfigError, match="max_len is 99, but the RUN to start from has 50"):
        configs(old, n_items=9, model={"max_len": 99})
