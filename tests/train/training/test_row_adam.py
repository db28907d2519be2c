"""Adam on the rows that a step reads: the same as on the whole table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

tf = pytest.importorskip("tensorflow")

from sasrec_train import config  # noqa: E402
from sasrec_train.training.row_adam import LearningRate, RowAdam, WeightAdam  # noqa: E402

pytestmark = pytest.mark.tf

ROWS, DIM = 6, 3


def rate(schedule: str = "constant", steps: int = 400) -> LearningRate:
    _, train_config = config.preset("modern", n_items=9, train={"learning_rate": 0.01, "schedule": schedule})
    return LearningRate(train_config, steps)


def run(steps: list[list[int]], average: float, schedule: str, warm: int = 60):
    """Train the same table by rows and whole, with the same gradients; return both tables and averages.

    Every row is read in the first `warm` steps: Adam's bias correction then changes slowly from step to step, which
    is what the closed form takes for granted.
    """
    rng = np.random.default_rng(0)
    start = rng.normal(0, 1, (ROWS, DIM)).astype(np.float32)
    by_rows, whole = tf.Variable(start), tf.Variable(start)
    lazy = RowAdam(by_rows, rate(schedule), average)
    dense = WeightAdam([whole], rate(schedule), average)
    for number, ids in enumerate([list(range(ROWS))] * warm + steps, 1):
        step = tf.constant(number)
        gradient = rng.normal(0, 1, (len(ids), DIM)).astype(np.float32)
        rows, state = lazy.read(tf.constant(ids), step)
        lazy.apply(tf.constant(ids), rows, state, tf.constant(gradient), step)
        full = np.zeros((ROWS, DIM), np.float32)
        full[ids] = gradient
        dense.apply([tf.constant(full)], step)
    lazy.catch_up(step)
    return (by_rows, lazy.averaged(step)), (whole, dense.averaged(step)[0]), start


READ = st.lists(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=3, unique=True), min_size=1, max_size=40)


@given(READ, st.sampled_from([0.0, 0.9, 0.99]), st.sampled_from(["constant", "cosine"]))
@settings(max_examples=15, deadline=None)
def test_rows_that_were_not_read_are_where_dense_adam_would_have_them(steps, average, schedule):
    ours, theirs, start = run(steps, average, schedule)
    # Relative to how far the table moved: α changes by up to 1 % from step to step here, and ε is left out.
    moved = np.abs(theirs[0].numpy() - start).max()
    for mine, dense in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, dense, rtol=0, atol=0.01 * moved)


def test_a_row_is_read_as_dense_adam_would_have_it():
    table = tf.Variable(np.ones((2, DIM), np.float32))
    lazy = RowAdam(table, rate(), 0.0)
    for number in range(1, 101):
        rows, state = lazy.read(tf.constant([0]), tf.constant(number))
        lazy.apply(tf.constant([0]), rows, state, tf.ones((1, DIM)), tf.constant(number))
    stored = table.numpy()[0]
    now, _ = lazy.read(tf.constant([0]), tf.constant(201))  # a hundred steps without it
    assert (now.numpy()[0] < stored).all()  # momentum carried it on
    again, _ = lazy.read(tf.constant([0]), tf.constant(301))
    np.testing.assert_allclose(again[0], now[0], rtol=1e-4)  # and ran out


def test_an_unread_row_never_moves():
    table = tf.Variable(np.ones((3, DIM), np.float32))
    lazy = RowAdam(table, rate(), 0.9)
    rows, state = lazy.read(tf.constant([1]), tf.constant(1))
    lazy.apply(tf.constant([1]), rows, state, tf.ones((1, DIM)), tf.constant(1))
    lazy.catch_up(tf.constant(1))
    np.testing.assert_array_equal(table.numpy()[[0, 2]], 1)
    np.testing.assert_allclose(lazy.averaged(tf.constant(1)).numpy()[[0, 2]], 1, rtol=1e-6)


def test_the_first_step_is_one_learning_rate_long():
    weight = tf.Variable([1.0, -1.0])
    WeightAdam([weight], rate(), 0.0).apply([tf.constant([5.0, -0.001])], tf.constant(1))
    np.testing.assert_allclose(weight, [0.99, -0.99], rtol=1e-4)


def test_an_average_is_that_of_the_steps_taken_not_of_the_start():
    weight = tf.Variable([1.0])
    adam = WeightAdam([weight], rate(), 0.99)
    adam.apply([tf.constant([1.0])], tf.constant(1))
    np.testing.assert_allclose(adam.averaged(tf.constant(1))[0], weight, rtol=1e-4)


def test_a_cosine_schedule_ends_at_a_twentieth():
    schedule = rate("cosine", steps=10)
    rates = schedule.learning_rate(tf.constant([1, 6, 11, 50])).numpy()
    np.testing.assert_allclose(rates, [0.01, 0.00525, 0.0005, 0.0005], rtol=1e-5)
