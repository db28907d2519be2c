"""Commands of the training package: thin callbacks over datasets, run and evaluate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sasrec_train.data_options import LogOptions, data_options

__all__ = ["COMMANDS"]

Command = Callable[..., None]
POSITIVE = click.IntRange(min=1)
RATE = click.FloatRange(min=0, max=1, max_open=True)
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
    "--embedding-l2": ("embedding_l2", {"type": click.FloatRange(min=0), "help": "L2 penalty on embeddings."}),
}
# Option → field of TrainConfig.
TRAIN_OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "--loss": ("loss", {"type": click.Choice(["cross_entropy", "binary_cross_entropy"]), "help": "The loss."}),
    "--negatives": (
        "num_negatives",
        {"type": POSITIVE, "help": "Negatives per position, for binary_cross_entropy."},
    ),
    "--windows": (
        "windows",
        {
            "type": click.Choice(["all", "last"]),
            "help": "Learn from the whole of a long history, or its newest window.",
        },
    ),
    "--epochs": ("epochs", {"type": POSITIVE, "help": "Most passes over the log."}),
    "--patience": ("patience", {"type": POSITIVE, "help": "Epochs without a better validation NDCG@10 to stop after."}),
    "--batch-size": ("batch_size", {"type": POSITIVE, "help": "Windows per step."}),
    "--learning-rate": ("learning_rate", {"type": click.FloatRange(min=0, min_open=True), "help": "Of Adam."}),
    "--schedule": ("schedule", {"type": click.Choice(["constant", "cosine"]), "help": "Decay of the learning rate."}),
    "--average": ("average", {"type": RATE, "help": "Momentum of a moving average of the weights; 0 for none."}),
    "--seed": ("seed", {"type": SEED, "help": "Seed of weights, dropout, windows and negatives."}),
}


def config_options(command: Command) -> Command:
    """Add an option for every field of the two configurations; what is not given is the preset's."""
    for option, (field, settings) in reversed([*MODEL_OPTIONS.items(), *TRAIN_OPTIONS.items()]):
        command = click.option(option, field, default=None, **settings)(command)
    return command


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@data_options
@click.option(
    "--preset",
    default="modern",
    show_default=True,
    type=click.Choice(["modern", "paper", "seed"]),
    help="Where every option below starts from.",
)
@config_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, a RUN.")
@click.option("--force", is_flag=True, help="Replace an existing RUN, once the new one is whole.")
@json_option
def train(
    source: LogOptions,
    preset: str,
    out: Path,
    force: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Train on an interaction log and write a RUN folder.

    Prints the metrics of the test items (the newest of each user, unless --split says otherwise) against the whole
    catalogue and against 100 sampled negatives, with a popularity baseline beside them.

    Example: sasrec-edge train --data ml-100k --out run
    """
    from sasrec_train import config, console, quiet, run, staging

    staging.check(out, force=force, marker=run.CONFIG)
    model, recipe = _chosen(MODEL_OPTIONS, fields), _chosen(TRAIN_OPTIONS, fields)
    _, train_config = config.preset(preset, n_items=1, model=model, train=recipe)
    if "num_negatives" in recipe and train_config.loss == "cross_entropy":
        raise click.UsageError("--negatives has no effect on cross_entropy. Add --loss binary_cross_entropy.")
    with console.notes():
        log = source.load()
        model_config, train_config = config.preset(preset, n_items=log.n_items, model=model, train=recipe)
        quiet.import_tensorflow()
        with console.epochs(train_config.epochs, plain=as_json) as on_epoch:
            done = run.create(
                log, model_config, train_config, out, preset=preset, split_config=source.split, force=force,
                on_epoch=on_epoch,
            )  # fmt: skip
    click.echo(json.dumps(done.metrics) if as_json else console.table(done.metrics))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--keep-seen", is_flag=True, help="Rank items of the user's own history too, for logs with repeats.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of the sampled negatives.")
@json_option
def evaluate(run: Path, keep_seen: bool, seed: int, as_json: bool) -> None:
    """Measure a trained RUN on its test items again.

    Example: sasrec-edge evaluate run --json
    """
    from sasrec_train import console, quiet
    from sasrec_train.run import Run

    loaded = Run.load(run)
    quiet.import_tensorflow()
    from sasrec_train import evaluate as judge

    with console.notes():
        result = judge.on_test(loaded.model(), loaded.split(), keep_seen=keep_seen, seed=seed)
    click.echo(json.dumps(result) if as_json else console.table(result))


def _chosen(options: dict[str, tuple[str, dict[str, Any]]], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration fields that were given on the command line."""
    return {field: fields[field] for field, _ in options.values() if fields[field] is not None}


COMMANDS: tuple[click.Command, ...] = (train, evaluate)
