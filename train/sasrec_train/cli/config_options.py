"""The options of `train` that are fields of the two configurations."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sasrec_train import loss_registry
from sasrec_train.loss_registry import AUTO, MAX_FULL_SOFTMAX, automatic

if TYPE_CHECKING:
    from sasrec_train.config import TrainConfig

__all__ = ["MODEL_OPTIONS", "SEED", "TRAIN_OPTIONS", "Number", "add", "chosen", "refuse_idle"]

MAX_LEARNING_RATE = 1.0  # As in config, which is not imported before a command runs.
Command = Callable[..., None]
POSITIVE = click.IntRange(min=1)
NOT_NEGATIVE = click.IntRange(min=0)


class Number(click.FloatRange):
    """A number in a range; NaN is in none, though it compares as if it were in each."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: D102
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class LossChoice(click.Choice):  # type: ignore[type-arg] # click 8.1 has no Choice[str]
    """The losses that are registered when the command runs."""

    def __init__(self) -> None:
        super().__init__(loss_registry.names())

    @property
    def choices(self) -> tuple[str, ...]:
        """Names of the losses."""
        return loss_registry.names()

    @choices.setter
    def choices(self, _names: object) -> None:
        """Ignore what click keeps: names may be added later."""


RATE = Number(min=0, max=1, max_open=True)
SEED = click.IntRange(min=0, max=2**31 - 1)

OF_SAMPLING = {"num_negatives", "negatives", "negative_sampling"}
"""Fields of TrainConfig that all losses which sample read, and no others."""

# Option → field of ModelConfig.
MODEL_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--max-len": ("max_len", {"type": POSITIVE, "help": "Sequence length, in items."}),
    "--hidden-dim": ("hidden_dim", {"type": POSITIVE, "help": "Width of item embeddings and hidden states."}),
    "--blocks": ("num_blocks", {"type": POSITIVE, "help": "Self-attention blocks."}),
    "--heads": ("num_heads", {"type": POSITIVE, "help": "Attention heads; must divide the width."}),
    "--ffn-dim": ("ffn_dim", {"type": POSITIVE, "help": "Inner width of the feed-forward network."}),
    "--dropout": ("dropout_rate", {"type": RATE, "help": "Dropout rate."}),
    "--norm": ("norm", {"type": click.Choice(["pre", "post", "paper"]), "help": "Where layer norms sit."}),
    "--final-norm/--no-final-norm": ("final_norm", {"help": "A layer norm after the last block."}),
    "--trainable-norms/--fixed-norms": ("trainable_norms", {"help": "Train scale and offset of the layer norms."}),
    "--positions": (
        "positions",
        {"type": click.Choice(["learned", "sinusoidal"]), "help": "Position embeddings."},
    ),
    "--causal/--no-causal": ("causal", {"help": "Position t sees positions ≤ t; without, only the newest is trained."}),
    "--scale/--no-scale": ("scale_embeddings", {"help": "Multiply item embeddings by the root of the width."}),
    "--output-projection/--no-output-projection": ("output_projection", {"help": "A linear layer after attention."}),
    "--activation": (
        "activation",
        {"type": click.Choice(["relu", "gelu", "silu", "tanh"]), "help": "Activation of the feed-forward network."},
    ),
    "--similarity": (
        "similarity",
        {"type": click.Choice(["dot", "cosine"]), "help": "How hidden states are scored against items."},
    ),
    "--temperature": (
        "temperature",
        {"type": Number(min=0, min_open=True), "help": "What cosine scores are divided by."},
    ),
    "--embedding-l2": ("embedding_l2", {"type": Number(min=0), "help": "L2 penalty on embeddings."}),
}
# Option → field of TrainConfig.
TRAIN_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--loss": (
        "loss",
        {
            "type": LossChoice(),
            "help": f"The loss; {AUTO} is {automatic(MAX_FULL_SOFTMAX)} up to {MAX_FULL_SOFTMAX:,} items, "
            f"{automatic(MAX_FULL_SOFTMAX + 1)} above.",
        },
    ),
    "--negatives": ("num_negatives", {"type": POSITIVE, "help": "Negatives, for losses that sample them."}),
    "--negatives-per": (
        "negatives",
        {"type": click.Choice(["position", "step"]), "help": "Whether each position draws negatives, or a step does."},
    ),
    "--negative-sampling": (
        "negative_sampling",
        {"type": click.Choice(["uniform", "popularity"]), "help": "How the negatives of a step are drawn."},
    ),
    "--gbce-calibration": (
        "gbce_calibration",
        {"type": Number(min=0, max=1), "help": "t of gbce: 0 is plain binary cross-entropy."},
    ),
    "--windows": (
        "windows",
        {
            "type": click.Choice(["all", "last"]),
            "help": "Learn from the whole of a long history, or its newest window.",
        },
    ),
    "--epochs": ("epochs", {"type": POSITIVE, "help": "Passes over the log."}),
    "--min-steps": ("min_steps", {"type": NOT_NEGATIVE, "help": "Steps below which more epochs are added."}),
    "--patience": (
        "patience",
        {"type": NOT_NEGATIVE, "help": "Epochs without a better validation NDCG@10 to stop after; 0 for never."},
    ),
    "--validation-users": (
        "validation_users",
        {"type": NOT_NEGATIVE, "help": "Most users evaluated after an epoch; 0 for all."},
    ),
    "--batch-size": ("batch_size", {"type": POSITIVE, "help": "Windows or positions of a step."}),
    "--batch-unit": (
        "batch_unit",
        {"type": click.Choice(["windows", "positions"]), "help": "What the batch size counts."},
    ),
    "--learning-rate": (
        "learning_rate",
        {"type": Number(min=0, max=MAX_LEARNING_RATE, min_open=True), "help": "Of Adam."},
    ),
    "--schedule": ("schedule", {"type": click.Choice(["constant", "cosine"]), "help": "Decay of the learning rate."}),
    "--average": ("average", {"type": RATE, "help": "EMA decay of the weights; 0 for none."}),
    "--seed": ("seed", {"type": SEED, "help": "Seed of weights, dropout, windows and negatives."}),
}


def add(command: Command) -> Command:
    """Add an option for every field of the two configurations; what is not given is the preset's."""
    for option, (field, settings) in reversed([*MODEL_OPTIONS.items(), *TRAIN_OPTIONS.items()]):
        command = click.option(option, field, default=None, **settings)(command)
    return command


def refuse_idle(config: "TrainConfig", given: dict[str, Any]) -> None:
    """Refuse options that the chosen loss does not read.

    Args:
        config: The training configuration, its loss resolved.
        given: Fields of it that were given on the command line.

    Raises:
        click.UsageError: The message names a loss that reads the option.
    """
    for option, (field, _) in TRAIN_OPTIONS.items():
        readers = _losses_that_read(field)
        if field in given and readers and config.loss not in readers:
            raise click.UsageError(f"{option} has no effect on {config.loss}. Add --loss {readers[0]}.")


def _losses_that_read(field: str) -> list[str]:
    """Return the names of the losses that read a field of TrainConfig; none where it is not a matter of the loss."""
    losses = loss_registry.LOSSES.items()
    if field in OF_SAMPLING:
        return [name for name, loss in losses if loss.samples]
    return [name for name, loss in losses if field in loss.options]


def chosen(options: dict[str, tuple[str, dict[str, Any]]], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration fields that were given on the command line."""
    return {field: fields[field] for field, _ in options.values() if fields[field] is not None}
