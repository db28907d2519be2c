"""A RUN folder: a trained network with everything needed to evaluate and to export it, without the log it came from."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from sasrec_runtime.atomic import folder, overlap, side
from sasrec_runtime.atomic.kinds import is_ours
from sasrec_train import errors, split, untrusted_files
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import RunError
from sasrec_train.log.interactions import Interactions
from sasrec_train.run import files, run_config
from sasrec_train.run.run_config import CONFIG, FORMAT_VERSION, RUN, RunConfig
from sasrec_train.split import Split, SplitConfig, SplitPoints
from sasrec_train.training.checkpoints import TRAINING, Checkpoints, folder_of
from sasrec_train.training.state import Epoch, Step

if TYPE_CHECKING:
    from sasrec_train.network.model import SASRec
    from sasrec_train.training.distribute import Workers
    from sasrec_train.training.loop import Trained

__all__ = ["CONFIG", "FORMAT_VERSION", "RUN", "Run", "RunConfig", "check", "create", "finished", "join"]

PARTS = (CONFIG, "metrics.json", "split.npz", "model.keras")
"""Files of one run, which must not be mixed with another's."""


class Run:
    """A RUN folder, read and checked. The network itself is loaded by model() only.

    Use Run.load(path), or create() to make one.
    """

    def __init__(self, path: Path, config: RunConfig, interactions: Interactions, metrics: dict[str, Any]):
        self.path = path
        """The folder."""
        self.config = config
        """What made the run."""
        self.interactions = interactions
        """The log, as far as the model knows it."""
        self.metrics = metrics
        """Test metrics as written by training: {"full": {"hr@10": …}, "sampled": {…}, "popularity": {…}, …}."""
        self._states: dict[str, untrusted_files.State | None] = {
            name: untrusted_files.state(path / name) for name in PARTS
        }

    @classmethod
    def load(cls, path: str | Path) -> "Run":
        """Return the run in a folder. TensorFlow is not imported.

        Raises:
            RunError: The folder or a file is missing or corrupted; the message names it.
        """
        path = Path(path)
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
            folder.repair(path, RUN)
        if not os.path.isdir(path):  # noqa: PTH112
            raise RunError(f"{path} is not a folder. Give a folder that `sasrec-edge train` wrote.")
        states = {name: untrusted_files.state(path / name) for name in PARTS}
        config = run_config.read(path)
        interactions = replace(files.read_interactions(path, config.data), filters=config.filters)
        if interactions.n_items != config.model.n_items:
            raise errors.corrupted(path / "items.txt", f"{interactions.n_items} items, expected {config.model.n_items}")
        if interactions.sha256 != config.data_sha256:
            raise errors.corrupted(path / "histories.npz", "other histories or keys than the model was trained on")
        with untrusted_files.opened(path / "model.keras"):
            pass  # it is there, and may be read
        loaded = cls(path, config, interactions, files.read_metrics(path / "metrics.json"))
        loaded._states = states
        for name in PARTS:
            loaded._as_loaded(name)
        return loaded

    @property
    def model_config(self) -> ModelConfig:
        """The network's configuration."""
        return self.config.model

    @property
    def train_config(self) -> TrainConfig:
        """The training configuration."""
        return self.config.train

    @property
    def data_sha256(self) -> str:
        """Digest of the log."""
        return self.config.data_sha256

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.config.train.seed

    def split(self) -> Split:
        """Return the parts of the log as they were when the network was trained.

        Raises:
            RunError: split.npz is missing or corrupted.
        """
        return self.split_points().apply(self.interactions.histories)

    def split_points(self) -> SplitPoints:
        """Return where the log was split, as positions in the histories.

        Raises:
            RunError: split.npz is missing or corrupted.
        """
        if self.config.split is None:
            return split.split(self.interactions)
        return files.read_split(self._as_loaded("split.npz"), self.interactions.histories)

    def model(self) -> "SASRec":
        """Load the trained network.

        Raises:
            RunError: model.keras is corrupted, or holds another network than config.json says.
        """
        from sasrec_train.run import saved_network  # noqa: PLC0415 - a Run is cheap until its network is asked for

        path = self._as_loaded("model.keras")
        return saved_network.load(path, self.model_config)

    def _as_loaded(self, name: str) -> Path:
        """Return the path of a file, if it is the one that was there when the run was loaded."""
        path = self.path / name
        if untrusted_files.state(path) != self._states.get(name):
            raise RunError(f"{path} was replaced after the run was loaded, or is gone. Load the run again.")
        return path


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

    Returns:
        The run; with `resume`, one that is there already if it is of the same log and options.

    Raises:
        OutputError: `out` exists already, or something beside it is not ours, or another training writes to it.
        RunError: There is an unfinished training that is neither to be resumed nor to be replaced.
        TrainError: See loop.train.
    """
    from sasrec_train.evaluation import evaluate  # noqa: PLC0415 - reading a Run is light
    from sasrec_train.training import distribute, learning_curve, loop  # noqa: PLC0415 - reading a Run is light

    workers = workers or distribute.ALONE
    split_config = split_config or SplitConfig()
    inputs = tuple(inputs)
    out = overlap.resolved(Path(out))
    config = run_config.describe(interactions, model_config, train_config, split_config, preset, fitted)
    if resume and not force and (done := _finished(out, config)):
        return done
    points = split.split(interactions, split_config)
    parts = points.apply(interactions.histories)
    check(out, force=force, resume=resume, inputs=inputs)
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
            )
            trained.model.save(staging / "model.keras")
            files.write_json(staging / CONFIG, msgspec.to_builtins(config))
            files.write_interactions(staging, interactions)
            files.write_split(staging / "split.npz", points)
            files.write_json(staging / "split.json", _describe(interactions, split_config, parts, trained))
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
) -> None:
    """Train with others as a worker that is not their chief: nothing is written, the chief does it.

    Raises:
        TrainError: See loop.train.
    """
    from sasrec_train.training import loop  # noqa: PLC0415 - see create

    parts = split.split(interactions, split_config or SplitConfig()).apply(interactions.histories)
    loop.train(interactions, model_config, train_config, split=parts, workers=workers)


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
) -> Run | None:
    """Return the RUN at `out` if a training with these arguments has already written it, else None.

    Checkpoints that a kill left beside it are removed.
    """
    described = run_config.describe(interactions, model_config, train_config, split_config or SplitConfig(), "custom")
    return _finished(overlap.resolved(Path(out)), described)


def _finished(out: Path, config: RunConfig) -> Run | None:
    try:
        run = Run.load(out)
    except RunError:
        return None
    if json.dumps(run_config.identity(run.config)) != json.dumps(run_config.identity(config)):
        return None
    side.remove(folder_of(out), TRAINING)
    return run


def _describe(interactions: Interactions, config: SplitConfig, parts: Split, trained: "Trained") -> dict[str, Any]:
    protocol: dict[str, Any] = {"protocol": config.kind}
    if config.kind == "temporal" and interactions.times is not None:
        first, second = split.boundaries(interactions.times, config)
        protocol |= {"validation_from": first, "test_from": second}
    trained_on = np.bincount(parts.train.item_ids, minlength=interactions.n_items + 1) > 0
    return {
        **protocol,
        "users": len(interactions.user_keys),
        "items": interactions.n_items,
        "interactions": int(interactions.histories.item_ids.size),
        "train_interactions": int(parts.train.item_ids.size),
        "validation_users": int(parts.validation.users.size),
        "test_users": int(parts.test.users.size),
        "test_items_not_trained_on": int(np.count_nonzero(~trained_on[parts.test.targets])),
        "chosen_on": "validation, whole catalogue, seen items excluded, ndcg@10",
        "best_epoch": trained.best_epoch,
    }
