"""The training loop: from batches to the weights of the epoch with the best validation NDCG@10.

keras.Model.fit is not used. A step reads and writes only the rows of the item table that occur in it, with the moves
that a dense Adam would have made applied later in closed form (row_adam); a batch is a packed array of rows, segments
and positions, built in a thread (batches); and a checkpoint within an epoch continues bit for bit, random state
included (checkpoints). None of the three fits a Keras optimizer, tf.data and callbacks. `fit` also fails under
MultiWorkerMirroredStrategy in Keras 3 (keras-team/keras#20585).
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras  # noqa: TID251 - the training graph is built here
import numpy as np

from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import ConfigError, DataError
from sasrec_train.evaluation import evaluate, metrics
from sasrec_train.log.interactions import Interactions
from sasrec_train.network import engine_errors
from sasrec_train.network.model import SASRec
from sasrec_train.split import Split, leave_one_out
from sasrec_train.training import memory_estimate
from sasrec_train.training.batches import Batches
from sasrec_train.training.checkpoints import Checkpoints
from sasrec_train.training.distribute import ALONE, Workers
from sasrec_train.training.start import Moments, Start
from sasrec_train.training.state import Epoch, Progress, Step
from sasrec_train.training.train_step import Trainer

__all__ = ["Trained", "train"]

MAX_STEPS = 2**31 - 1  # They are counted in int32.
EXPLODED = 1000  # Multiple of the loss of guessing, above which training counts as diverged.


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network and its epochs."""

    model: SASRec
    """Uncompiled, with the weights of the best epoch."""
    epochs: list[Epoch]
    """Every epoch trained."""
    best_epoch: int
    """The epoch the weights are from."""
    before: dict[str, float] | None = None
    """Validation metrics before the first step, where the training had a start."""
    moments: Moments | None = None
    """State of Adam after the last step, where it was asked for."""


def train(
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    split: Split | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[Step], None] | None = None,
    checkpoints: Checkpoints | None = None,
    workers: Workers = ALONE,
    start: Start | None = None,
    keep_moments: bool = False,
) -> Trained:
    """Train SASRec on a log. The same arguments on the same machine give the same weights.

    Args:
        interactions: The log.
        model_config: The network; its n_items must be the log's.
        train_config: The training configuration.
        split: The log's split; leave_one_out(interactions) by default.
        on_epoch: Called after each epoch, by the chief only.
        on_step: Called after each step.
        checkpoints: Where the state is saved; training continues from those that exist.
        workers: The training workers; all of them call this with the same log and configurations.
        start: The state to begin with; None: at random.
        keep_moments: Return the state of Adam too, two arrays of the size of each weight.

    Raises:
        ConfigError: The network is made for another catalogue, or training diverges.
        DataError: The log is too small to be split or to be learned from.
        RunError: A checkpoint cannot be saved or read.
        WorkerLostError: Another worker is gone.
    """
    if model_config.n_items != interactions.n_items:
        raise ConfigError(
            f"n_items is {model_config.n_items}, but {interactions.name} has {interactions.n_items} items. "
            "Make the configuration for this log."
        )
    train_config = train_config.resolved(model_config.n_items)
    split = split or leave_one_out(interactions)
    batches = _batches(split, model_config, train_config)
    if not len(batches):
        raise DataError(
            f"{interactions.name}: no history has two items left after validation and test are held out. "
            "Give a longer log."
        )
    memory_estimate.refuse_too_large(model_config, train_config, batches.positions_per_batch)
    with engine_errors.explained("training"):
        run = _Run(
            split, batches, model_config, train_config, on_epoch, on_step, checkpoints, workers, start, keep_moments
        )
        return run.train()


def _batches(split: Split, model: ModelConfig, config: TrainConfig) -> Batches:
    return Batches(
        split.train,
        n_items=model.n_items,
        max_len=model.max_len,
        batch_size=config.batch_size,
        batch_unit=config.batch_unit,
        windows=config.windows,
        num_negatives=config.num_negatives if config.samples else 0,
        negatives=config.negatives,
        negative_sampling=config.negative_sampling,
        newest_only=not model.causal,
        seed=config.seed,
    )


class _Run:
    """One training run, from its first or its last saved step to its end."""

    def __init__(
        self,
        split: Split,
        batches: Batches,
        model_config: ModelConfig,
        config: TrainConfig,
        on_epoch: Callable[[Epoch], None] | None,
        on_step: Callable[[Step], None] | None,
        checkpoints: Checkpoints | None,
        workers: Workers,
        start: Start | None,
        keep_moments: bool,
    ):
        self.config = config
        self.keep_moments = keep_moments
        self.start = start
        self.batches = batches
        self.on_epoch = on_epoch
        self.on_step = on_step
        self.checkpoints = checkpoints if workers.rank == 0 else None
        self.workers = workers
        self.num_epochs = max(config.epochs, -(-config.min_steps // len(batches)))
        if self.num_epochs * len(batches) > MAX_STEPS:
            raise ConfigError(
                f"--epochs and --min-steps come to {self.num_epochs:,} epochs of {len(batches):,} steps, expected at "
                f"most {MAX_STEPS:,} steps. Lower them."
            )
        # The same users in every run, whatever its seed.
        self.validation = split.validation.sample(config.validation_users or split.validation.users.size, seed=0)
        keras.utils.set_random_seed(config.seed)
        # The network that is evaluated and saved; with an EMA it holds the averaged weights, the other one is trained.
        self.evaluated = SASRec(model_config)
        self.encode = self.evaluated.encoder()
        self.trainer = Trainer(
            SASRec(model_config),
            config,
            total_steps=self.num_epochs * len(batches),
            positions_per_batch=batches.positions_per_batch,
            log_probabilities=batches.log_probabilities,
            workers=workers,
            start=start,
        )
        self.progress = Progress()
        self.epoch = 0  # finished epochs; only the chief keeps them in `progress`
        self.best: list[Any] = []

    def train(self) -> Trained:
        before = None
        if self.start is not None and self.workers.rank == 0:
            self.evaluated.set_weights(self.trainer.network.get_weights())
            before = self._validate()
        self._restore()
        while not self._chief_says(finished=self._is_finished()):
            self._train_epoch()
            if self.workers.rank == 0:
                self._evaluate()
            self.epoch += 1
            self.progress.batch, self.progress.seconds = 0, 0.0
        if self.best:
            self.evaluated.set_weights(self.best)
        moments = self.trainer.moments() if self.keep_moments else None
        return Trained(self.evaluated, self.progress.epochs, self.progress.best_epoch, before, moments)

    def _restore(self) -> None:
        """Continue from the last checkpoint; every worker gets the chief's state."""
        state = self.trainer.state
        if self.checkpoints is not None and self.checkpoints.exists():
            arrays, self.progress = self.checkpoints.load({name: value.numpy() for name, value in state.items()})
            for name, variable in state.items():
                variable.assign(arrays[name])
            if self.progress.best_epoch:
                like = _numbered(self.evaluated.get_weights())
                self.best = _in_order(self.checkpoints.load_best(self.progress, like))
        position = np.array([len(self.progress.epochs), self.progress.batch], np.int32)
        if self.workers.count > 1:
            position, *values = self.workers.share([position, *(variable.numpy() for variable in state.values())])
            for variable, value in zip(state.values(), values, strict=True):
                variable.assign(value)
            for generator in _seeds(self.trainer.network):  # or all workers would draw the same dropout
                generator.assign_add([self.workers.rank, 0])
        self.epoch, self.progress.batch = int(position[0]), int(position[1])

    def _chief_says(self, *, finished: bool) -> bool:
        if self.workers.count == 1:
            return finished
        return bool(self.workers.share([np.array([finished], np.int32)])[0][0])

    def _is_finished(self) -> bool:
        epochs_without_better = self.epoch - self.progress.best_epoch
        return self.epoch >= self.num_epochs or 0 < self.config.patience <= epochs_without_better

    def _train_epoch(self) -> None:
        started = time.perf_counter() - self.progress.seconds
        for arrays in self._ahead(self.epoch, self.progress.batch):
            self.trainer(*arrays)
            self.progress.batch += 1
            self._show_step()
            if self.checkpoints is not None and self.checkpoints.due:
                self.progress.seconds = time.perf_counter() - started
                self._save()
        self.trainer.catch_up()
        self.progress.seconds = time.perf_counter() - started

    def _show_step(self) -> None:
        if self.on_step is not None:
            of_epoch = len(self.batches)
            self.on_step(
                Step(
                    step=self.epoch * of_epoch + self.progress.batch,
                    total=self.num_epochs * of_epoch,
                    epoch=self.epoch + 1,
                    epochs=self.num_epochs,
                )
            )

    def _ahead(self, epoch: int, start: int) -> Iterator[tuple[Any, ...]]:
        """Yield the batches' arrays, each made in a thread while the step before it runs.

        tf.data would do the same, but its generators make TensorFlow give freed memory back to the system at once
        (M_TRIM_THRESHOLD), and a step then takes twice the time.
        """
        batches = self.batches.epoch(epoch, start=start)
        with ThreadPoolExecutor(1) as thread:
            ahead = thread.submit(next, batches, None)
            while (batch := ahead.result()) is not None:
                ahead = thread.submit(next, batches, None)
                yield batch.share(self.workers.rank, self.workers.count).arrays

    def _evaluate(self) -> None:
        """Rank the validation items, record the epoch, and save."""
        loss = self.trainer.take_loss() / len(self.batches)
        self._refuse_divergence(loss)
        started = time.perf_counter()
        self.trainer.copy_weights(self.evaluated)
        if not all(np.isfinite(weight).all() for weight in self.evaluated.get_weights()):
            raise self._diverged("weights that are not finite numbers")
        epoch = Epoch(
            epoch=self.epoch + 1,
            total=self.num_epochs,
            loss=loss,
            validation=self._validate(),
            seconds=self.progress.seconds,
            validation_seconds=time.perf_counter() - started,
        )
        better = self.progress.add(epoch)
        if better:
            self.best = self.evaluated.get_weights()
        if self.checkpoints is not None:
            self._save(best=_numbered(self.best) if better else None)
            self.checkpoints.draw(self.progress)
        if self.on_epoch is not None:
            self.on_epoch(epoch)

    def _validate(self) -> dict[str, float]:
        """Return the metrics of the validation items."""
        scorer = evaluate.model_scorer(self.evaluated, self.validation.histories, encode=self.encode)
        ranks, _ = evaluate.rank(scorer, self.validation, n_items=self.evaluated.config.n_items, num_negatives=0)
        return metrics.ranking_metrics(ranks)

    def _refuse_divergence(self, loss: float) -> None:
        network = self.evaluated.config
        guessing = math.log(network.n_items + 1) + 2 * network.embedding_l2 * network.hidden_dim  # initial penalty
        if not np.isfinite(loss):
            raise self._diverged(f"a loss of {loss}")
        if loss > EXPLODED * (1 + guessing):
            raise self._diverged(f"a loss of {loss:,.0f}, where guessing gives about {guessing:,.1f}")

    def _diverged(self, seen: str) -> ConfigError:
        return ConfigError(
            f"training has {seen} in epoch {self.epoch + 1}, expected a loss that falls: it diverged. "
            f"Lower --learning-rate (it is {self.config.learning_rate:g})."
        )

    def _save(self, best: dict[str, Any] | None = None) -> None:
        if self.checkpoints is not None:
            arrays = {name: variable.numpy() for name, variable in self.trainer.state.items()}
            self.checkpoints.save(arrays, self.progress, best=best)


def _numbered(weights: list[Any]) -> dict[str, Any]:
    return {str(i): weight for i, weight in enumerate(weights)}


def _in_order(arrays: dict[str, Any]) -> list[Any]:
    return [arrays[name] for name in sorted(arrays, key=int)]


def _seeds(network: SASRec) -> list[Any]:
    """The states of the generators that dropout draws from."""
    return [weight.value for weight in network.non_trainable_variables if "seed_generator" in weight.path]
