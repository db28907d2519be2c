"""Train on a log and write the RUN folder, or take part in it as another worker."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sasrec_runtime.atomic import folder, overlap
from sasrec_train import split
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.log.interactions import Interactions
from sasrec_train.run import files, from_run, output, run_config, summary
from sasrec_train.run.folder import Run
from sasrec_train.run.from_run import WarmStart
from sasrec_train.run.run_config import CONFIG, OPTIMIZER, RUN, WARM_START
from sasrec_train.split import Split, SplitConfig
from sasrec_train.training.checkpoints import Checkpoints, folder_of
from sasrec_train.training.state import Epoch, Step

if TYPE_CHECKING:
    from sasrec_train.training.distribute import Workers
    from sasrec_train.training.start import Start

__all__ = ["create", "join"]

logger = logging.getLogger(__name__)


def create(
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    out: str | Path,
    *,
    preset: str = "custom",
    fitted: str = "",
    split_config: SplitConfig | None = None,
    force: bool = False,
    resume: bool = False,
    checkpoint_every_s: float = 600.0,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
    workers: "Workers | None" = None,
    inputs: Iterable[Path] = (),
    init_from: Run | None = None,
    stay_near: float = 0.0,
    keep_optimizer: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Run:
    """Train on a log, measure on its test items, and write the RUN folder.

    The folder appears when it is whole. Whatever fails before leaves `out` as it was, and the checkpoints beside it
    (checkpoints.folder_of), which are removed at the end.

    Args:
        interactions: The log.
        model_config: The network.
        train_config: The training configuration.
        out: The folder to write.
        preset: Name of the preset the configurations started from, for the record.
        fitted: What the preset fitted to the log and why, for the record.
        split_config: How the log is split; leave-one-out by default.
        force: Replace an existing RUN, and discard an unfinished training.
        resume: Continue from the checkpoints of an unfinished training, where there are any.
        checkpoint_every_s: Seconds between checkpoints within an epoch; there is one after each epoch anyway.
        on_epoch: Called after each epoch.
        on_step: Called after each step.
        workers: The training workers, see distribute.connect; this is the chief, the others call join().
        inputs: Files that are read, which the folder must not hold.
        init_from: A RUN whose weights and item vectors, by item key, training starts from; see
            warm_start.configuration.configs for a network and a schedule that fit it.
        stay_near: Weight of the squared distance of the kept items' vectors from theirs in `init_from`.
        keep_optimizer: Write the state of Adam too, optimizer.npz: 8 bytes per trained weight.
        say: Told what was taken over from `init_from`, and what training changed.

    Returns:
        The run; with `resume`, one that is there already if it is of the same log and options.

    Raises:
        OutputError: `out` exists already, or something beside it is not ours, or another training writes to it.
        RunError: There is an unfinished training that is neither to be resumed nor to be replaced.
        TrainError: See loop.train.
    """
    from sasrec_train.evaluation import evaluate  # noqa: PLC0415 - reading a Run is light
    from sasrec_train.run import optimizer_file  # noqa: PLC0415 - reading a Run is light
    from sasrec_train.training import distribute, learning_curve, loop  # noqa: PLC0415 - reading a Run is light

    workers = workers or distribute.ALONE
    split_config = split_config or SplitConfig()
    inputs = (*inputs, *([] if init_from is None else [init_from.path]))
    out = overlap.resolved(Path(out))
    origin = from_run.recorded(init_from, stay_near)
    config = run_config.describe(interactions, model_config, train_config, split_config, preset, origin, fitted=fitted)
    if resume and not force and (done := output.finished_as(out, config)):
        return done
    points = split.split(interactions, split_config)
    parts = points.apply(interactions.histories)
    output.check(out, force=force, resume=resume, inputs=inputs)
    warm = None if init_from is None else WarmStart(init_from, interactions, model_config, stay_near)
    start = _begin(warm, parts, train_config, say)
    checkpoints = Checkpoints(folder_of(out), run_config.identity(config), every_s=checkpoint_every_s)
    with checkpoints.held(out):
        with folder.staged(out, RUN, force=force, inputs=inputs) as staging:
            if not resume:
                checkpoints.remove()
            trained = loop.train(
                interactions,
                model_config,
                train_config,
                split=parts,
                on_epoch=on_epoch,
                on_step=on_step,
                checkpoints=checkpoints,
                workers=workers,
                start=start,
                keep_moments=keep_optimizer,
            )
            trained.model.save(staging / "model.keras")
            if trained.moments is not None:
                optimizer_file.write(staging / OPTIMIZER, trained.moments, trained.model)
            if warm is not None:
                facts = warm.describe(trained)
                files.write_json(staging / WARM_START, facts)
                say(from_run.changed(facts))
            files.write_json(staging / CONFIG, msgspec.to_builtins(config))
            files.write_interactions(staging, interactions)
            files.write_split(staging / "split.npz", points)
            files.write_json(staging / "split.json", summary.describe(interactions, split_config, parts, trained))
            files.write_history(staging / "history.csv", trained.epochs)
            learning_curve.draw(staging / "learning_curve.svg", trained.epochs, trained.best_epoch)
            files.write_json(staging / "metrics.json", evaluate.on_test(trained.model, parts))
        checkpoints.remove()  # the RUN is on the disk by now
    return Run.load(out)


def join(
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    split_config: SplitConfig | None = None,
    workers: "Workers",
    init_from: Run | None = None,
    stay_near: float = 0.0,
) -> None:
    """Train with others as a worker that is not their chief: nothing is written, the chief does it.

    Each worker reads the RUN that training starts from, as it reads the log.

    Raises:
        TrainError: See loop.train.
    """
    from sasrec_train.training import loop  # noqa: PLC0415 - see create

    parts = split.split(interactions, split_config or SplitConfig()).apply(interactions.histories)
    warm = None if init_from is None else WarmStart(init_from, interactions, model_config, stay_near)
    start = None if warm is None else warm.begin(parts, train_config)
    loop.train(interactions, model_config, train_config, split=parts, workers=workers, start=start)


def _begin(
    warm: WarmStart | None, parts: Split, train_config: TrainConfig, say: Callable[[str], None]
) -> "Start | None":
    if warm is None:
        return None
    start = warm.begin(parts, train_config)
    say(warm.taken_over)
    if warm.warning:
        logger.warning("%s", warm.warning)
    return start
