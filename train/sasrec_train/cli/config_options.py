"""The options of `train` that are fields of the two configurations."""

import math
from collections.abc import Callable
from typing import Any

import click

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


RATE = Number(min=0, max=1, max_open=True)
SEED = click.IntRange(min=0, max=2**31 - 1)

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
        {"type": Number(min=0, min_open=True), "help": "What cosines are divided by."},
    ),
    "--embedding-l2": ("embedding_l2", {"type": Number(min=0), "help": "L2 penalty on embeddings."}),
}
# Option → field of TrainConfig.
TRAIN_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--loss": (
        "loss",
        {
            "type": click.Choice(["auto", "cross_entropy", "sampled_softmax", "binary_cross_entropy", "gbce"]),
            "help": "The loss; auto is softmax, sampled above 5,000 items.",
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
        {"type": NOT_NEGATIVE, "help": "Most users judged after an epoch; 0 for all."},
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
    "--average": ("average", {"type": RATE, "help": "Momentum of a moving average of the weights; 0 for none."}),
    "--seed": ("seed", {"type": SEED, "help": "Seed of weights, dropout, windows and negatives."}),
}


def add(command: Command) -> Command:
    """Add an option for every field of the two configurations; what is not given is the preset's."""
    for option, (field, settings) in reversed([*MODEL_OPTIONS.items(), *TRAIN_OPTIONS.items()]):
        command = click.option(option, field, default=None, **settings)(command)
    return command


def refuse_idle(recipe: Any, given: dict[str, Any]) -> None:
    """Refuse options that the chosen loss does not look at."""
    idle = {"--negatives": "num_negatives", "--negatives-per": "negatives", "--negative-sampling": "negative_sampling"}
    for option, field in idle.items():
        if field in given and not recipe.samples:
            raise click.UsageError(f"{option} has no effect on {recipe.loss}. Add --loss sampled_softmax.")
    if "gbce_calibration" in given and recipe.loss != "gbce":
        raise click.UsageError(f"--gbce-calibration has no effect on {recipe.loss}. Add --loss gbce.")


def chosen(options: dict[str, tuple[str, dict[str, Any]]], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration fields that were given on the command line."""
    return {field: fields[field] for field, _ in options.values() if fields[field] is not None}
