"""Commands of the training package: thin callbacks over datasets, run and evaluate."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

__all__ = ["COMMANDS"]

Command = Callable[..., None]
POSITIVE = click.IntRange(min=1)
NOT_NEGATIVE = click.IntRange(min=0)
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
    "--similarity": (
        "similarity",
        {"type": click.Choice(["dot", "cosine"]), "help": "How hidden states are scored against items."},
    ),
    "--temperature": (
        "temperature",
        {"type": click.FloatRange(min=0, min_open=True), "help": "What cosines are divided by."},
    ),
    "--embedding-l2": ("embedding_l2", {"type": click.FloatRange(min=0), "help": "L2 penalty on embeddings."}),
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
        {"type": click.FloatRange(min=0, max=1), "help": "t of gbce: 0 is plain binary cross-entropy."},
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


def data_options(command: Command) -> Command:
    """Add the options that name a log."""
    options = (
        click.option(
            "--data", required=True, help="ml-100k, synthetic[:items=…,users=…,seed=…,mean_length=…], or a file."
        ),
        click.option("--user-column", metavar="NAME", help="Column of user keys.  [default: by its name]"),
        click.option("--item-column", metavar="NAME", help="Column of item keys.  [default: by its name]"),
        click.option("--time-column", metavar="NAME", help="Column of times.  [default: by its name]"),
        click.option("--titles", type=click.Path(path_type=Path), help="File with item and title columns."),
    )
    for option in reversed(options):
        command = option(command)
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
@click.option("--resume", is_flag=True, help="Go on with an unfinished training of the same log and options.")
@click.option(
    "--checkpoint-minutes",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Time between checkpoints within an epoch; there is one after each epoch.",
)
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Folder to write TensorBoard events to.")
@click.option("--distribute", type=click.Choice(["multi-worker"]), help="Train with the other workers of TF_CONFIG.")
@json_option
def train(
    data: str,
    user_column: str | None,
    item_column: str | None,
    time_column: str | None,
    titles: Path | None,
    preset: str,
    out: Path,
    force: bool,
    resume: bool,
    checkpoint_minutes: float,
    tensorboard: Path | None,
    distribute: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Train on an interaction log and write a RUN folder.

    Prints the metrics of the test items: the newest of each user, against the whole catalogue and against 100
    sampled negatives, with intervals, a popularity baseline, coverage, and buckets by popularity and history length.

    Example: sasrec-edge train --data ml-100k --out run
    """
    from sasrec_train import config, console, datasets, errors, quiet, run, staging

    chosen = {"model": _chosen(MODEL_OPTIONS, fields), "train": _chosen(TRAIN_OPTIONS, fields)}
    config.preset(preset, n_items=1, **chosen)  # so that a bad option is said before a long log is read
    with console.notes():
        workers = _connect() if distribute else None
        chief = workers is None or workers.rank == 0
        if chief:
            staging.check(out, force=force, marker=run.CONFIG)
            run.check_unfinished(out, force=force, resume=resume)
        columns = {"user_column": user_column, "item_column": item_column, "time_column": time_column}
        log = datasets.load(data, **columns, titles=titles)
        configs = config.preset(preset, n_items=log.n_items, **chosen)
        _refuse_idle_options(configs[1], chosen["train"])
        quiet.import_tensorflow()
        from sasrec_train import tensorboard as board

        try:
            if workers is not None and not chief:
                run.join(log, *configs, workers=workers)
                click.echo(f"worker {workers.rank} is done; worker 0 writes {out}", err=True)
                return
            with console.epochs(plain=as_json) as show, board.events(tensorboard) as record:
                done = run.create(
                    log,
                    *configs,
                    out,
                    preset=preset,
                    force=force,
                    resume=resume,
                    checkpoint_every_s=60 * checkpoint_minutes,
                    on_epoch=lambda epoch: (show(epoch), record(epoch)),
                    workers=workers,
                )
        except errors.WorkerLostError as error:
            from sasrec_train import distribute as workers_module

            workers_module.restart(error)
    click.echo(json.dumps(done.metrics) if as_json else console.table(done.metrics))


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--keep-seen", is_flag=True, help="Rank items of the user's own history too, for logs with repeats.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Seed of sampled negatives and resamples.")
@json_option
def evaluate(run: Path, keep_seen: bool, seed: int, as_json: bool) -> None:
    """Measure a trained RUN on its test items again.

    Prints what train does; --json everything that metrics.json holds.

    Example: sasrec-edge evaluate run --json
    """
    from sasrec_train import console, quiet
    from sasrec_train.run import Run
    from sasrec_train.split import leave_one_out

    loaded = Run.load(run)
    quiet.import_tensorflow()
    from sasrec_train import evaluate as judge

    with console.notes():
        split = leave_one_out(loaded.interactions)
        result = judge.on_test(loaded.model(), split, keep_seen=keep_seen, seed=seed)
    click.echo(json.dumps(result) if as_json else console.table(result))


def _connect() -> Any:
    """Return the workers of TF_CONFIG; TensorFlow wants this before anything else of it runs."""
    from sasrec_train import quiet

    quiet.import_tensorflow()
    from sasrec_train import distribute

    return distribute.connect()


def _refuse_idle_options(recipe: Any, given: dict[str, Any]) -> None:
    """Refuse options that the chosen loss does not look at."""
    idle = {"--negatives": "num_negatives", "--negatives-per": "negatives", "--negative-sampling": "negative_sampling"}
    for option, field in idle.items():
        if field in given and not recipe.samples:
            raise click.UsageError(f"{option} has no effect on {recipe.loss}. Add --loss sampled_softmax.")
    if "gbce_calibration" in given and recipe.loss != "gbce":
        raise click.UsageError(f"--gbce-calibration has no effect on {recipe.loss}. Add --loss gbce.")


def _chosen(options: dict[str, tuple[str, dict[str, Any]]], fields: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration fields that were given on the command line."""
    return {field: fields[field] for field, _ in options.values() if fields[field] is not None}


COMMANDS: tuple[click.Command, ...] = (train, evaluate)
