"""The Hessian of the score error: what an error in a row of the item table costs, in squared errors of scores.

A row is read twice. As an item that is scored, its error e changes the score of user u by ``u · e``: the second moment
of user vectors, ``E[u u']``. As an item of a history, it changes the user vector by ``J e``, J the Jacobian at its
position, and with it every score; what counts there is how much the scores of different items change differently:
``E[J' C J]``, C the covariance of items. Both are quadratic in e, so their sum is one matrix:
``H = E[u u'] + E[J' C J]``.

The first term is GPTQ's Hessian with user vectors as the layer's inputs; the second is a Gauss-Newton approximation.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - the gradient of the model's own encoder
from numpy.typing import NDArray

from sasrec_runtime.signature import PAD_ID

__all__ = ["score_hessian"]

HISTORIES = 512
"""Histories whose gradients are taken: each has one for every position."""
BATCH_ROWS = 128


def score_hessian(
    encode: Callable[..., Any],
    table: NDArray[np.float32],
    histories: NDArray[np.int32],
    users: NDArray[np.float32],
    *,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return H, float64 (D, D), symmetric: an error e of every row costs ``e' H e`` per score on average.

    Args:
        encode: float32 (B, T, D), int32 (B, T) → user vectors (B, D), see ExportModel.encode.
        table: float32 (V, D).
        histories: int32 (R, T), left-padded.
        users: float32 (R, D), the user vectors of `histories`.
        seed: Of the random directions of Hutchinson's estimate below.
    """
    as_scored = users.astype(np.float64).T @ users / max(1, len(users))
    return as_scored + _as_read(encode, table, histories[:HISTORIES], seed)


def _as_read(
    encode: Callable[..., Any], table: NDArray[np.float32], histories: NDArray[np.int32], seed: int
) -> NDArray[np.float64]:
    """Return the mean over histories of the sum over positions of ``J' C J``, C the covariance of items.

    For z with covariance C, ``J' z`` is one backward pass and ``E[(J' z)(J' z)'] = J' C J``: a stochastic estimate in
    the manner of Hutchinson 1990, which spares the D backward passes of the full Jacobian.
    """
    mean = table[1:].mean(axis=0, dtype=np.float64)
    covariance = (table[1:].T @ table[1:]).astype(np.float64) / max(1, len(table) - 1) - np.outer(mean, mean)
    # Not by Cholesky: fewer items than dimensions make the covariance singular.
    eigenvalues, eigenvectors = np.linalg.eigh(covariance)
    root = eigenvectors * np.sqrt(np.maximum(eigenvalues, 0.0))  # root @ root.T is the covariance
    rng = np.random.default_rng(seed)
    moment = np.zeros_like(covariance)
    for start in range(0, len(histories), BATCH_ROWS):
        ids = histories[start : start + BATCH_ROWS]
        directions = tf.constant(rng.standard_normal((len(ids), len(root))) @ root.T, tf.float32)
        rows = tf.constant(table[ids])
        with tf.GradientTape() as tape:
            tape.watch(rows)
            # Rows are independent, so one gradient of the sum over histories holds J' z of each of them.
            projected = tf.reduce_sum(encode(rows, tf.constant(ids > PAD_ID, tf.int32)) * directions)
        gradients = np.asarray(tape.gradient(projected, rows), np.float64)[ids > PAD_ID]
        moment += gradients.T @ gradients
    return moment / max(1, len(histories))
