"""The place where a RUN is written: refused before any work, or found to hold that RUN already."""

import json
from collections.abc import Iterable
from pathlib import Path

from sasrec_runtime.atomic import folder, overlap, side
from sasrec_runtime.atomic.kinds import is_ours
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import RunError
from sasrec_train.log.interactions import Interactions
from sasrec_train.run import from_run, run_config
from sasrec_train.run.folder import Run
from sasrec_train.run.run_config import RUN, RunConfig
from sasrec_train.split import SplitConfig
from sasrec_train.training.checkpoints import TRAINING, folder_of

__all__ = ["check", "finished", "finished_as"]


def check(out: Path, *, force: bool, resume: bool, inputs: Iterable[Path] = (), may_be_finished: bool = False) -> None:
    """Refuse an output path for a RUN before any work.

    Args:
        out: The folder to write.
        force: Whether an existing RUN and an unfinished training may be replaced.
        resume: Whether an unfinished training is continued.
        inputs: Files that are read.
        may_be_finished: Let a RUN that is there pass with `resume`, as `finished` asks about it later.

    Raises:
        OutputError: The path exists, or something beside it is not ours, or another training writes there.
        RunError: There are checkpoints, and neither --resume nor --force says what to do with them.
    """
    inputs = tuple(inputs)
    training = folder_of(out)
    overlap.refuse(training, inputs)
    if not (may_be_finished and resume and not force and is_ours(overlap.resolved(out), RUN)):
        folder.check(out, RUN, force=force, inputs=inputs)
    side.check(training, TRAINING, job="training")
    if not (force or resume) and side.is_used(training, TRAINING):
        raise RunError(
            f"{training} holds an unfinished training. Continue it with --resume, or start over with --force."
        )


def finished(
    out: str | Path,
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    split_config: SplitConfig | None = None,
    init_from: Run | None = None,
    stay_near: float = 0.0,
) -> Run | None:
    """Return the RUN at `out` if a training with these arguments has already written it, else None.

    Checkpoints that a kill left beside it are removed.
    """
    origin = from_run.recorded(init_from, stay_near)
    split_config = split_config or SplitConfig()
    described = run_config.describe(interactions, model_config, train_config, split_config, "custom", origin)
    return finished_as(overlap.resolved(Path(out)), described)


def finished_as(out: Path, config: RunConfig) -> Run | None:
    """Return the RUN at `out` if it is of that configuration, else None; see finished."""
    try:
        run = Run.load(out)
    except RunError:
        return None
    if json.dumps(run_config.identity(run.config)) != json.dumps(run_config.identity(config)):
        return None
    side.remove(folder_of(out), TRAINING)
    return run
