"""What an error of a table row costs, against scores with errors in them."""

import numpy as np
import pytest

pytest.importorskip("tensorflow")


def test_the_cost_foretells_how_far_scores_move() -> None:
    import tensorflow as tf

    from sasrec_export.table.score_hessian import score_hessian

    rng = np.random.default_rng(0)
    ids, width, length = 400, 6, 5
    table = rng.normal(size=(ids, width)).astype(np.float32)
    table[0] = 0
    histories = rng.integers(1, ids, (512, length), dtype=np.int32)
    histories[::3, :2] = 0
    weights = tf.constant(rng.normal(size=(width, width)), tf.float32)

    def encode(rows, is_item):
        return tf.tanh(tf.reduce_sum(rows * tf.cast(is_item, tf.float32)[..., None], axis=1) @ weights)

    def users_of(rows):
        return encode(tf.constant(rows[histories]), tf.constant(histories > 0, tf.int32)).numpy()

    users = users_of(table)
    cost = score_hessian(encode, table, histories, users)
    # Errors of every row at once, small enough for the user vectors to follow them in a straight line.
    error = (rng.normal(size=table.shape) * np.geomspace(1e-3, 1e-4, width)).astype(np.float32)
    error[0] = 0
    moved = users_of(table + error) @ (table + error)[1:].T - users @ table[1:].T
    moved -= moved.mean(axis=1, keepdims=True)  # what moves all scores of a user alike changes no list
    foretold = ((error[1:] @ cost) * error[1:]).sum(axis=1).mean()
    assert np.square(moved).mean() == pytest.approx(foretold, rel=0.15)


def test_without_users_there_is_no_cost() -> None:
    import tensorflow as tf

    from sasrec_export.table.score_hessian import score_hessian

    nobody, table = np.zeros((0, 4), np.int32), np.ones((3, 2), np.float32)
    cost = score_hessian(lambda rows, _: tf.reduce_sum(rows, axis=1), table, nobody, np.zeros((0, 2), np.float32))
    np.testing.assert_array_equal(cost, np.zeros((2, 2)))
