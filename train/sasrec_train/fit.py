"""Training: batches in, the weights of the epoch with the best validation NDCG@10 out."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras  # noqa: TID251 - the training graph is built here
import numpy as np
import tensorflow as tf  # noqa: TID251

from sasrec_train import evaluate, losses, metrics
from sasrec_train.batches import Batches
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import ConfigError, DataError
from sasrec_train.interactions import Interactions
from sasrec_train.model import SASRec
from sasrec_train.split import HeldOut, Split, leave_one_out

__all__ = ["Epoch", "Trained", "train"]

LAST_RATE = 0.05  # Share of the first learning rate that is left at the end of a cosine schedule.


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training windows came to."""

    epoch: int
    """From 1."""
    loss: float
    """Mean training loss of a position, with the L2 penalty."""
    validation: dict[str, float]
    """Metrics of the validation items against the whole catalogue, seen items excluded."""
    seconds: float
    """Wall-clock time of training and validation."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network and how it came about."""

    model: SASRec
    """Uncompiled, with the weights of the best epoch."""
    epochs: list[Epoch]
    """Every epoch trained."""
    best_epoch: int
    """The epoch the weights are from."""


def train(
    interactions: Interactions,
    model_config: ModelConfig,
    train_config: TrainConfig,
    *,
    split: Split | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train SASRec on a log. The same arguments on the same machine give the same weights.

    Args:
        interactions: The log.
        model_config: The network; its n_items must be the log's.
        train_config: The recipe.
        split: leave_one_out(interactions), where it is already made.
        on_epoch: Called after each epoch.

    Raises:
        ConfigError: The network is made for another catalogue, or training diverges.
        DataError: The log is too small to be split or to be learned from.
    """
    if model_config.n_items != interactions.n_items:
        raise ConfigError(
            f"n_items is {model_config.n_items}, but {interactions.name} has {interactions.n_items} items. "
            "Make the configuration for this log."
        )
    split = split or leave_one_out(interactions)
    batches = _batches(split, model_config, train_config)
    if not len(batches):
        raise DataError(
            f"{interactions.name}: no history has two items left after validation and test are held out. "
            "Give a longer log."
        )
    keras.utils.set_random_seed(train_config.seed)
    model = SASRec(model_config)
    trainer = _Trainer(model, train_config, batches.positions_per_batch)
    trainer.compile(optimizer=_optimizer(train_config, len(batches)), jit_compile=False)
    # Swaps the averaged weights in before the validation, and back before the next epoch.
    averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if train_config.average else []
    validation = _Validation(model, split.validation, train_config, on_epoch)
    trainer.fit(
        _dataset(batches, train_config),
        epochs=train_config.epochs,
        steps_per_epoch=len(batches),
        callbacks=[*averaging, validation],
        shuffle=False,  # the batches come shuffled
        verbose=0,
    )
    model.set_weights(validation.best_weights)
    return Trained(model, validation.epochs, validation.best_epoch)


def _batches(split: Split, model: ModelConfig, recipe: TrainConfig) -> Batches:
    return Batches(
        split.train,
        n_items=model.n_items,
        max_len=model.max_len,
        batch_size=recipe.batch_size,
        windows=recipe.windows,
        num_negatives=_num_negatives(recipe),
        newest_only=not model.causal,
        seed=recipe.seed,
    )


def _num_negatives(recipe: TrainConfig) -> int:
    return recipe.num_negatives if recipe.loss == "binary_cross_entropy" else 0


def _optimizer(recipe: TrainConfig, steps_per_epoch: int) -> Any:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, recipe.epochs * steps_per_epoch, alpha=LAST_RATE)
    average = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    return _Adam(rate, beta_2=recipe.beta_2, name="adam", **average)


def _dataset(batches: Batches, recipe: TrainConfig) -> Any:
    """Feed epoch after epoch without end; `fit` counts the steps."""

    def generate() -> Iterator[Any]:
        for number in itertools.count():
            for batch in batches.epoch(number):
                yield batch.history, (batch.targets, batch.negatives)

    ids = tf.TensorSpec((None, None), tf.int32)
    negatives = tf.TensorSpec((None, None, _num_negatives(recipe)), tf.int32)
    return tf.data.Dataset.from_generator(generate, output_signature=(ids, (ids, negatives))).prefetch(4)


class _Adam(keras.optimizers.Adam):  # type: ignore[misc] # Keras has no types
    """Adam with dense gradients: every row of the item table has one, and Keras is slow with sparse ones."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        variables = self._trainable_variables if trainable_variables is None else trainable_variables
        dense = [
            tf.math.unsorted_segment_sum(grad.values, grad.indices, variable.shape[0])
            if isinstance(grad, tf.IndexedSlices)
            else grad
            for grad, variable in zip(grads, variables, strict=True)
        ]
        return super().apply(dense, trainable_variables)


class _Trainer(keras.Model):  # type: ignore[misc]
    """Holds the network while it is trained, so that the network itself is saved without an optimizer."""

    def __init__(self, network: SASRec, recipe: TrainConfig, positions_per_batch: float):
        super().__init__(name="trainer")
        self.network = network
        self.loss_name = recipe.loss
        self.positions_per_batch = positions_per_batch

    def call(self, history: Any, training: bool | None = None) -> Any:
        return self.network(history, training=training)

    def compute_loss(
        self,
        x: Any = None,  # noqa: ARG002 - Keras calls it with these names
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,  # noqa: ARG002
        training: bool = True,  # noqa: ARG002
    ) -> Any:
        targets, negatives = y
        trained = targets > 0
        hidden = tf.boolean_mask(y_pred, trained)  # (P, D): pads never reach the item table
        targets = tf.boolean_mask(targets, trained)
        table = self.network.item_table
        if self.loss_name == "cross_entropy":
            loss = losses.cross_entropy(hidden, table, targets)
        else:
            loss = losses.binary_cross_entropy(hidden, table, targets, tf.boolean_mask(negatives, trained))
        return loss / self.positions_per_batch + sum(self.network.losses)


class _Validation(keras.callbacks.Callback):  # type: ignore[misc]
    """Ranks the validation items after each epoch, keeps the best weights, and stops when they stay the best."""

    def __init__(
        self,
        network: SASRec,
        held_out: HeldOut,
        recipe: TrainConfig,
        on_epoch: Callable[[Epoch], None] | None,
    ):
        super().__init__()
        self.network = network
        self.held_out = held_out
        self.recipe = recipe
        self.on_epoch = on_epoch
        self.encode = network.encoder()
        self.epochs: list[Epoch] = []
        self.best_epoch = 0
        self.best_ndcg = -1.0
        self.best_weights: list[Any] = []
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        loss = float(logs["loss"])
        if not np.isfinite(loss):
            raise ConfigError(
                f"the training loss is {loss} in epoch {epoch + 1}, expected a number: training diverged. "
                f"Lower --learning-rate (it is {self.recipe.learning_rate:g})."
            )
        scorer = evaluate.model_scorer(self.network, self.held_out.histories, encode=self.encode)
        ranks, _ = evaluate.rank(scorer, self.held_out, n_items=self.network.config.n_items, num_negatives=0)
        done = Epoch(epoch + 1, loss, metrics.ranking_metrics(ranks), time.perf_counter() - self.started)
        self.epochs.append(done)
        if done.validation["ndcg@10"] > self.best_ndcg:
            self.best_epoch, self.best_ndcg = done.epoch, done.validation["ndcg@10"]
            self.best_weights = self.network.get_weights()
        if self.on_epoch is not None:
            self.on_epoch(done)
        if done.epoch - self.best_epoch >= self.recipe.patience:
            self.model.stop_training = True
