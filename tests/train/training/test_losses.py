"""Losses against numpy, at ordinary logits and at huge ones."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from sasrec_train.config import TrainConfig  # noqa: E402
from sasrec_train.training.losses import inputs, sampled_softmax  # noqa: E402
from sasrec_train.training.losses.binary_cross_entropy import binary_cross_entropy, gbce_power  # noqa: E402
from sasrec_train.training.losses.cross_entropy import cross_entropy  # noqa: E402

pytestmark = pytest.mark.tf


def arrays(positions: int = 150, n_items: int = 40, dim: int = 4, scale: float = 1.0):
    """Return hidden (P, D), table (V, D) and targets (P,)."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(0, scale, (positions, dim)).astype(np.float32)
    table = rng.normal(0, scale, (n_items + 1, dim)).astype(np.float32)
    return hidden, table, rng.integers(1, n_items + 1, positions).astype(np.int32)


def reference(hidden, table, targets) -> float:
    logits = hidden.astype(np.float64) @ table[1:].T.astype(np.float64)
    top = logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return float((log_sum - logits[np.arange(targets.size), targets - 1]).sum())


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize("max_logits", [1, 2**20], ids=["in pieces", "at once"])
def test_cross_entropy_is_a_softmax_over_all_items_but_padding(max_logits, scale):
    hidden, table, targets = arrays(scale=scale)
    loss = cross_entropy(tf.constant(hidden), tf.constant(table), tf.constant(targets), max_logits)
    assert float(loss) == pytest.approx(reference(hidden, table, targets), rel=1e-5)


@pytest.mark.parametrize("max_logits", [1, 2**20], ids=["in pieces", "at once"])
def test_gradients_of_cross_entropy_are_tensorflows(max_logits):
    hidden, table, targets = (tf.constant(array) for array in arrays())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([hidden, table])
        ours = 0.5 * cross_entropy(hidden, table, targets, max_logits)
        logits = tf.matmul(hidden, table[1:], transpose_b=True)
        theirs = 0.5 * tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets - 1, logits))
    for a, b in zip(tape.gradient(ours, [hidden, table]), tape.gradient(theirs, [hidden, table]), strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(a), tf.convert_to_tensor(b), rtol=1e-4, atol=1e-5)


def test_binary_cross_entropy_means_over_negatives_and_leaves_missing_ones_out():
    hidden, table, targets = arrays(positions=2)
    negatives = np.array([[3, 4], [5, 0]], np.int32)
    assert not set(targets.tolist()) & {3, 4, 5}
    positive = inputs.target_logits(hidden, table[targets])
    negative = inputs.to_negatives(hidden, table[negatives], tf.constant(negatives), targets)
    sigmoid = lambda a, b: 1 / (1 + np.exp(-float(a @ b)))  # noqa: E731
    expected = -sum(np.log(sigmoid(hidden[row], table[targets[row]])) for row in (0, 1))
    expected -= np.mean([np.log(1 - sigmoid(hidden[0], table[item])) for item in (3, 4)])
    expected -= np.log(1 - sigmoid(hidden[1], table[5]))
    assert float(binary_cross_entropy(positive, negative)) == pytest.approx(expected, rel=1e-5)


def test_binary_cross_entropy_stays_finite_at_huge_logits():
    loss = binary_cross_entropy(tf.constant([-1000.0]), tf.constant([[1000.0]]))
    assert float(loss) == pytest.approx(2000.0)


def test_shared_negatives_are_scored_for_every_position_but_the_one_whose_target_they_are():
    hidden, table, _ = arrays(positions=3)
    negatives, targets = np.array([7, 8], np.int32), np.array([8, 1, 7], np.int32)
    logits = inputs.to_negatives(hidden, table[negatives], tf.constant(negatives), targets).numpy()
    expected = hidden @ table[negatives].T
    hit = targets[:, None] == negatives
    np.testing.assert_allclose(logits[~hit], expected[~hit], rtol=1e-5)
    assert (logits[hit] == inputs.MASKED).all()


def test_gbce_without_calibration_is_binary_cross_entropy():
    assert gbce_power(0.0, 10, 1001) == pytest.approx(1.0)


def test_full_calibration_weighs_targets_by_the_sampling_rate():
    # Petrov & Macdonald 2023: β = α at t = 1, with α negatives over items.
    assert gbce_power(1.0, 10, 1001) == pytest.approx(10 / 1000)


def test_gbce_is_a_power_of_the_target_probability():
    positive, negative = tf.constant([0.3, -2.0]), tf.constant([[0.1, 0.2], [1.0, -1.0]])
    sigmoid = lambda x: 1 / (1 + np.exp(-np.asarray(x, np.float64)))  # noqa: E731
    expected = -np.log(sigmoid(positive) ** 0.4).sum() - np.log(1 - sigmoid(negative)).sum()
    assert float(binary_cross_entropy(positive, negative, 0.4, mean=False)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_sampled_softmax_is_a_softmax_over_target_and_negatives(scale):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, scale, (5, 4)).astype(np.float32)
    loss = sampled_softmax.sampled_softmax(tf.constant(logits[:, 0]), tf.constant(logits[:, 1:]))
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(np.zeros(5, np.int32), logits)
    assert float(loss) == pytest.approx(float(tf.reduce_sum(expected)), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("sampling", ["uniform", "popularity"])
def test_sampled_softmax_with_log_q_estimates_the_softmax_over_all_items(sampling):
    hidden, table, targets = arrays(positions=20)
    rng = np.random.default_rng(1)
    chance = rng.dirichlet(np.ones(40)) if sampling == "popularity" else np.full(40, 1 / 40)
    draws = 20000
    config = TrainConfig(loss="sampled_softmax", num_negatives=draws, negatives="step", negative_sampling="popularity")
    given = inputs.LossInputs(
        hidden=tf.constant(hidden),
        targets=tf.constant(targets),
        negatives=tf.constant(rng.choice(40, draws, p=chance).astype(np.int32) + 1),
        item_vectors=lambda ids: tf.gather(table, ids),
        table=None,
        log_probabilities=tf.constant(np.log(np.concatenate([[1.0], chance])).astype(np.float32)),
        n_items=40,
        config=config,
    )
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(targets - 1, hidden @ table[1:].T)
    assert float(sampled_softmax.summed(given)) == pytest.approx(float(tf.reduce_sum(expected)), rel=0.02)
