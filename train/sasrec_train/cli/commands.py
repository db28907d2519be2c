"""Commands of the training package: thin callbacks over datasets, run and evaluate."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_runtime.cli.options import json_option
from sasrec_runtime.cli.printing import print_lines
from sasrec_train.cli import config_options
from sasrec_train.cli.add_items_command import add_items
from sasrec_train.cli.data_options import LogOptions, data_options
from sasrec_train.cli.warm_start_options import Origin, warm_start_options

if TYPE_CHECKING:
    from sasrec_train.training.state import Epoch

__all__ = ["COMMANDS"]


@click.command()
@data_options
@click.option(
    "--preset",
    default="modern",
    show_default=True,
    type=click.Choice(["modern", "paper", "seed"]),
    help="Where every option below starts from.",
)
@config_options.add
@warm_start_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write, a RUN.")
@click.option("--force", is_flag=True, help="Replace an existing RUN, once the new one is whole.")
@click.option("--resume", is_flag=True, help="Continue an unfinished training of the same log and options.")
@click.option(
    "--checkpoint-minutes",
    default=10.0,
    show_default=True,
    type=config_options.Number(min=0),
    help="Time between checkpoints within an epoch; there is one after each epoch.",
)
@click.option(
    "--optimizer-state/--no-optimizer-state",
    default=False,
    show_default=True,
    help="Write the state of Adam too, for a training that starts from this RUN.",
)
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Folder to write TensorBoard events to.")
@click.option("--distribute", type=click.Choice(["multi-worker"]), help="Train with the other workers of TF_CONFIG.")
@json_option
def train(
    source: LogOptions,
    origin: Origin,
    out: Path,
    force: bool,
    resume: bool,
    checkpoint_minutes: float,
    optimizer_state: bool,
    tensorboard: Path | None,
    distribute: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Train on an interaction log and write a RUN folder.

    Prints the metrics of the test items (the newest of each user, unless --split says otherwise) against the whole
    catalogue and against 100 sampled negatives, with intervals, a popularity baseline, coverage, and strata of
    popularity and history length.

    Example: sasrec-edge train --data ml-100k --out run
    """
    from sasrec_train import errors, run, tensorflow_import
    from sasrec_train.cli import console

    chosen: dict[str, Any] = {
        "model": config_options.chosen(config_options.MODEL_OPTIONS, fields),
        "train": config_options.chosen(config_options.TRAIN_OPTIONS, fields),
    }
    origin.load()
    origin.check(chosen)  # so that a bad option is said before a long log is read
    with console.notes():
        workers = _connect() if distribute else None
        chief = workers is None or workers.rank == 0
        if chief:
            inputs = [*source.files(), *([] if origin.path is None else [origin.path])]
            run.check(out, force=force, resume=resume, inputs=inputs, may_be_finished=True)
        log = origin.with_vanished(source.load())
        configs = origin.configs(log, chosen)
        config_options.refuse_idle(configs[1], chosen["train"])
        begin: dict[str, Any] = {"init_from": origin.run, "stay_near": origin.stay_near}
        if chief and resume and not force:
            if done := run.finished(out, log, *configs, split_config=source.split, **begin):
                click.echo(f"{out} is of this log and these options already.", err=True)
                _print_metrics(done.metrics, as_json=as_json)
                return
            run.check(out, force=force, resume=resume, inputs=inputs)
        if chief and (why := origin.explain(configs, chosen["train"])):
            print_lines(why, err=True)
        tensorflow_import.import_tensorflow()
        from sasrec_train.training import distribute as workers_module
        from sasrec_train.training import tensorboard as board

        try:
            if workers is not None and not chief:
                run.join(log, *configs, split_config=source.split, workers=workers, **begin)
                print_lines(f"worker {workers.rank} is done; worker 0 writes {out}", err=True)
                return
            with console.progress(plain=as_json) as show, board.events(tensorboard) as record:

                def on_epoch(epoch: "Epoch") -> None:
                    show.epoch(epoch)
                    record(epoch)

                done = run.create(
                    log,
                    *configs,
                    out,
                    preset=origin.preset,
                    fitted=origin.fitted,
                    split_config=source.split,
                    force=force,
                    resume=resume,
                    checkpoint_every_s=60 * checkpoint_minutes,
                    on_epoch=on_epoch,
                    on_step=show.step,
                    workers=workers,
                    inputs=inputs,
                    keep_optimizer=optimizer_state,
                    say=lambda sentence: print_lines(sentence, err=True),
                    **begin,
                )
        except errors.WorkerLostError as error:
            workers_module.restart(error)
        except Exception:
            raise
        except BaseException:  # Ctrl-C, and what else ends a process from outside
            click.echo(f"Stopped. {_what_is_left(out, force=force)}", err=True)
            raise
    _print_metrics(done.metrics, as_json=as_json)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--keep-seen", is_flag=True, help="Rank items of the user's own history too, for logs with repeats.")
@click.option(
    "--seed", default=0, show_default=True, type=config_options.SEED, help="Seed of sampled negatives and resamples."
)
@click.option(
    "--users",
    type=click.IntRange(min=0),
    help="Most users to evaluate, 0 for all.  [default: all, capped at 2^34 scores]",
)
@json_option
def evaluate(run: Path, keep_seen: bool, seed: int, users: int | None, as_json: bool) -> None:
    """Measure a trained RUN on its test items again.

    Prints what train does; --json everything that metrics.json holds.

    Example: sasrec-edge evaluate run --json
    """
    from sasrec_train import tensorflow_import
    from sasrec_train.cli import console
    from sasrec_train.run import Run

    loaded = Run.load(run)
    tensorflow_import.import_tensorflow()
    from sasrec_train.evaluation import evaluate as evaluation

    with console.notes():
        result = evaluation.on_test(loaded.model(), loaded.split(), keep_seen=keep_seen, seed=seed, users=users)
    _print_metrics(result, as_json=as_json)


def _print_metrics(metrics: dict[str, Any], *, as_json: bool) -> None:
    from sasrec_train.cli import console

    click.echo(json.dumps(metrics) if as_json else console.table(metrics))


def _what_is_left(out: Path, *, force: bool) -> str:
    """Return what a stopped training leaves, and how to continue it."""
    from sasrec_train.training.checkpoints import Checkpoints, folder_of

    if Checkpoints(folder_of(out), {}).exists():
        return f"The same command with --resume continues from the last checkpoint of {out}."
    if out.exists() and not force:
        return f"{out} is whole."
    return "There is no checkpoint yet: the same command starts over."


def _connect() -> Any:
    """Return the workers of TF_CONFIG; TensorFlow wants this before anything else of it runs."""
    from sasrec_train import tensorflow_import

    tensorflow_import.import_tensorflow()
    from sasrec_train.training import distribute

    return distribute.connect()


COMMANDS: tuple[click.Command, ...] = (train, evaluate, add_items)
