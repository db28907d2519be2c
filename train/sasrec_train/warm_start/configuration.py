"""The configurations of a warm start: those of the RUN, a short schedule, and what the user gave in their place."""

from collections.abc import Mapping
from typing import Any

import msgspec

from sasrec_train import config
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import ConfigError

__all__ = ["LENGTH_SHARE", "RATE_SHARE", "configs", "refuse_other_network"]

LENGTH_SHARE = 0.2
"""Epochs and least steps of a warm start, of those of the RUN."""
RATE_SHARE = 0.5
"""Its first learning rate, of that of the RUN."""
FREE = {"n_items", "max_len", "dropout_rate", "embedding_l2"}
"""Fields of ModelConfig that may differ: no weight changes its meaning with them."""


def configs(
    old: tuple[ModelConfig, TrainConfig],
    *,
    n_items: int,
    model: Mapping[str, Any] | None = None,
    train: Mapping[str, Any] | None = None,
    shorten: bool = True,
) -> tuple[ModelConfig, TrainConfig]:
    """Return the configurations of a training that starts from a RUN.

    A field that is not given is the RUN's. But the length and the first learning rate are short of the RUN's, by
    LENGTH_SHARE and RATE_SHARE, and the rate falls to 5 % along a cosine: the weights are near their place already.

    Args:
        old: The configurations of the RUN.
        n_items: Catalogue size without the padding id.
        model: Fields of ModelConfig in place of the RUN's.
        train: Fields of TrainConfig in place of the RUN's.
        shorten: Whether the RUN was trained from scratch; one that was itself a warm start hands on its schedule.

    Raises:
        ConfigError: A field is unknown or out of its range, or the network would be another one.
    """
    given = dict(train or {})
    if "epochs" in given:
        given.setdefault("min_steps", 0)  # as in config.preset: exactly so many
    short = {} if not shorten else {
        "epochs": max(1, round(old[1].epochs * LENGTH_SHARE)),
        "min_steps": round(old[1].min_steps * LENGTH_SHARE),
        "learning_rate": old[1].learning_rate * RATE_SHARE,
        "schedule": "cosine",
    }  # fmt: skip
    fields = {**msgspec.to_builtins(old[1]), **short, **given}
    network = config.model_config({**msgspec.to_builtins(old[0]), **(model or {}), "n_items": n_items})
    refuse_other_network(old[0], network)
    return network, config.train_config(fields, n_items=n_items)


def refuse_other_network(old: ModelConfig, new: ModelConfig) -> None:
    """Refuse a network that the weights of another do not fit, or in which they mean something else.

    Raises:
        ConfigError: The message names the first field that differs.
    """
    fixed = [name for name in ModelConfig.__struct_fields__ if name not in FREE]
    if old.positions == "sinusoidal":  # its rows count from the oldest position
        fixed.append("max_len")
    for name in fixed:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise ConfigError(
                f"{name} is {now!r}, but the RUN to start from has {was!r}, and its weights do not fit another "
                f"network. Leave the option for {name} out, or train without --init-from."
            )
