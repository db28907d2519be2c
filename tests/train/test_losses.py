"""Losses against numpy, at ordinary logits and at huge ones."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from sasrec_train import losses  # noqa: E402

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
    loss = losses.cross_entropy(tf.constant(hidden), tf.constant(table), tf.constant(targets), max_logits)
    assert float(loss) == pytest.approx(reference(hidden, table, targets), rel=1e-5)


@pytest.mark.parametrize("max_logits", [1, 2**20], ids=["in pieces", "at once"])
def test_gradients_of_cross_entropy_are_tensorflows(max_logits):
    hidden, table, targets = (tf.constant(array) for array in arrays())
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([hidden, table])
        ours = 0.5 * losses.cross_entropy(hidden, table, targets, max_logits)
        logits = tf.matmul(hidden, table[1:], transpose_b=True)
        theirs = 0.5 * tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets - 1, logits))
    for a, b in zip(tape.gradient(ours, [hidden, table]), tape.gradient(theirs, [hidden, table]), strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(a), tf.convert_to_tensor(b), rtol=1e-4, atol=1e-5)


def test_binary_cross_entropy_means_over_negatives_and_leaves_missing_ones_out():
    hidden, table, targets = arrays(positions=2)
    negatives = np.array([[3, 4], [5, 0]], np.int32)
    loss = losses.binary_cross_entropy(*(tf.constant(array) for array in (hidden, table, targets, negatives)))
    sigmoid = lambda a, b: 1 / (1 + np.exp(-float(a @ b)))  # noqa: E731
    expected = -sum(np.log(sigmoid(hidden[row], table[targets[row]])) for row in (0, 1))
    expected -= np.mean([np.log(1 - sigmoid(hidden[0], table[item])) for item in (3, 4)])
    expected -= np.log(1 - sigmoid(hidden[1], table[5]))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_binary_cross_entropy_stays_finite_at_huge_logits():
    hidden = tf.constant([[1000.0]])
    table = tf.constant([[0.0], [-1.0], [1.0]])
    loss = losses.binary_cross_entropy(hidden, table, tf.constant([1]), tf.constant([[2]]))
    assert float(loss) == pytest.approx(2000.0)  # the target at -1000, the negative at +1000
