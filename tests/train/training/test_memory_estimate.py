"""What a training needs of memory, estimated from below."""

import numpy as np
import pytest

from sasrec_train import memory
from sasrec_train.cli import config_options
from sasrec_train.config import MAX_LEARNING_RATE, ModelConfig, TrainConfig, preset
from sasrec_train.errors import ConfigError
from sasrec_train.training import memory_estimate


@pytest.mark.tf
@pytest.mark.parametrize("name", ["modern", "paper", "seed"])
@pytest.mark.parametrize("fields", [{}, {"positions": "sinusoidal"}, {"trainable_norms": False}, {"ffn_dim": 7}])
def test_the_size_of_the_weights_is_exact(name, fields):
    pytest.importorskip("tensorflow")
    from sasrec_train.network.model import SASRec

    config, _ = preset(name, n_items=11, model=fields)
    network = SASRec(config)
    assert memory_estimate.weight_bytes(config) == 4 * sum(np.prod(weight.shape) for weight in network.weights)


@pytest.mark.parametrize("field", ["max_len", "num_heads", "num_blocks"])
def test_a_longer_wider_or_deeper_network_needs_more(field):
    small = ModelConfig(n_items=10, hidden_dim=64)
    larger = ModelConfig(n_items=10, hidden_dim=64, **{field: 2 * getattr(small, field)})
    needs = [memory_estimate.step_bytes(config, TrainConfig(loss="cross_entropy"), 1000) for config in (small, larger)]
    assert needs[1] > needs[0]


def test_what_fits_is_not_refused(monkeypatch):
    config, train_config = ModelConfig(n_items=1_000_000), TrainConfig(loss="sampled_softmax", num_negatives=512)
    monkeypatch.setattr(memory, "limit_bytes", lambda: 4 * 2**30)
    memory_estimate.refuse_too_large(config, train_config, 1024)
    monkeypatch.setattr(memory, "limit_bytes", lambda: 2**30)
    with pytest.raises(ConfigError, match=r"at least 1\.0 GB of memory for the weights and .* and there are 1\.1 GB"):
        memory_estimate.refuse_too_large(config, train_config, 1024)


def test_the_command_line_has_the_bound_of_the_configuration():
    assert config_options.MAX_LEARNING_RATE == MAX_LEARNING_RATE
