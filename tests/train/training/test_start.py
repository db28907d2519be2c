"""A training that begins with the state of an earlier one."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import tensorflow as tf

from sasrec_train import config, datasets
from sasrec_train.network.model import SASRec
from sasrec_train.split import leave_one_out
from sasrec_train.training import loop
from sasrec_train.training.batches import Batches
from sasrec_train.training.row_adam import LearningRate, RowAdam, WeightAdam
from sasrec_train.training.start import Moments, Start
from sasrec_train.training.train_step import Trainer

pytestmark = [pytest.mark.tf]

LOG = datasets.load("synthetic:items=30,users=60,mean_length=8")
SMALL = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "num_blocks": 1, "dropout_rate": 0.0}
STEPS, ROWS, DIM = 40, 5, 3


def rate(earlier: int = 0) -> LearningRate:
    _, training = config.preset("modern", n_items=9, train={"learning_rate": 0.01, "schedule": "constant"})
    return LearningRate(training, STEPS, earlier)


def step_both(rows: RowAdam, weights: WeightAdam, numbers: range, first: int = 0) -> None:
    for number in numbers:
        gradient = tf.constant(np.random.default_rng(number).normal(0, 1, (ROWS, DIM)).astype(np.float32))
        step = tf.constant(number - first)
        values, state = rows.read(tf.range(ROWS), step)
        rows.apply(tf.range(ROWS), values, state, gradient, step)
        weights.apply([gradient], step)


def optimizers(values: np.ndarray, earlier: int = 0) -> tuple[RowAdam, WeightAdam]:
    return (
        RowAdam(tf.Variable(values), rate(earlier), 0.0),
        WeightAdam([tf.Variable(values)], rate(earlier), 0.0),
    )


def test_an_optimizer_that_goes_on_takes_the_steps_of_an_unbroken_one():
    unbroken = optimizers(np.ones((ROWS, DIM), np.float32))
    step_both(*unbroken, range(1, STEPS // 2 + 1))
    rows, weights = optimizers(unbroken[0].table.numpy(), STEPS // 2)
    rows.resume(unbroken[0].first, unbroken[0].second)
    weights.resume(unbroken[1].first, unbroken[1].second)
    step_both(*unbroken, range(STEPS // 2 + 1, STEPS))
    step_both(rows, weights, range(STEPS // 2 + 1, STEPS), first=STEPS // 2)
    np.testing.assert_allclose(rows.table, unbroken[0].table, atol=1e-6)
    np.testing.assert_allclose(weights.weights[0], unbroken[1].weights[0], atol=1e-6)


def test_an_average_that_goes_on_begins_at_the_weights():
    rows = RowAdam(tf.Variable(np.full((ROWS, DIM), 3.0, np.float32)), rate(50), 0.99)
    rows.resume(tf.zeros((ROWS, DIM)), tf.zeros((ROWS, DIM)))
    np.testing.assert_allclose(rows.averaged(tf.constant(0)), 3.0, rtol=1e-5)


def trainer(start: Start | None = None, **train) -> tuple[Trainer, Batches]:
    model, training = config.preset("modern", n_items=LOG.n_items, model=SMALL, train={"average": 0.0, **train})
    batches = Batches(leave_one_out(LOG).train, n_items=LOG.n_items, max_len=6, batch_size=64)
    return Trainer(SASRec(model), training, total_steps=9, positions_per_batch=30.0, start=start), batches


def begin(**fields) -> Start:
    weights = [weight.numpy() for weight in trainer()[0].network.trainable_variables]
    return Start(weights, **fields)


def test_training_begins_with_the_weights_of_its_start():
    start = begin()
    for weight, value in zip(trainer(start)[0].network.trainable_variables, start.weights, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_moments_come_back_as_they_went_in():
    start = begin()
    moments = Moments(5, [value + 1 for value in start.weights], [value**2 for value in start.weights])
    again = trainer(Start(start.weights, moments))[0].moments()
    assert again.step == 5
    for ours, theirs in zip([*again.first, *again.second], [*moments.first, *moments.second], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def penalty(weight: float, is_near: np.ndarray) -> float:
    """What pulling to zero vectors adds to the loss of the first step."""
    weights, zeros = begin().weights, np.zeros((LOG.n_items + 1, 8), np.float32)
    losses = []
    for each in (weight, 0.0):
        made, batches = trainer(Start(weights, None, zeros, is_near, each))
        made(*next(batches.epoch(0)).arrays)
        losses.append(made.take_loss())
    return losses[0] - losses[1]


def test_the_distance_of_item_vectors_is_a_part_of_the_loss():
    everything = np.ones(LOG.n_items + 1, bool)
    # Vectors of length 1 are at a distance of 1 from zero; softmax reads the whole table.
    assert penalty(2.0, everything) == pytest.approx(2 * (LOG.n_items + 1), rel=1e-3)


def test_only_known_items_are_pulled():
    assert penalty(2.0, np.arange(LOG.n_items + 1) < 10) == pytest.approx(20, rel=1e-3)


def test_a_training_tells_how_good_its_start_was():
    model, training = config.preset("modern", n_items=LOG.n_items, model=SMALL, train={"epochs": 1})
    first = loop.train(LOG, model, training)
    weights = [weight.numpy() for weight in first.model.trainable_variables]
    again = loop.train(LOG, model, training, start=Start(weights))
    assert again.before == first.epochs[0].validation
