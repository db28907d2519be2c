"""Scorers: map users to scores over the catalogue, whole or in tiles."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories
from sasrec_train.log.padding import left_padded

__all__ = [
    "Scorer",
    "TiledScorer",
    "model_scorer",
    "popularity_scorer",
    "user_vectors",
    "vector_scorer",
    "window_vectors",
]

ENCODER_BATCH = 256  # Histories a model encodes at once, or fewer where they are long:
MAX_ATTENTION = 2**27  # Attention weights of a block, 0.5 GB.

Scorer = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Rows of a HeldOut → scores (rows, V), higher is better; column 0 (padding) means nothing."""


@dataclass(frozen=True, slots=True)
class TiledScorer:
    """A Scorer that can score a part of the catalogue, so that millions of items need no more memory than thousands."""

    n_columns: int
    """V, the catalogue with the padding id."""
    fill: Callable[[NDArray[np.int64], slice | NDArray[np.int64], NDArray[np.float32]], object]
    """fill(rows, item_ids, out) writes the scores of those ids to `out`, (rows, ids)."""

    def __call__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of the whole catalogue, (rows, V)."""
        scores = np.empty((rows.size, self.n_columns), np.float32)
        self.fill(rows, slice(None), scores)
        return scores


def model_scorer(model: Any, histories: Histories, *, encode: Callable[[Any], Any] | None = None) -> TiledScorer:
    """Return the scorer of a SASRec model over the given histories.

    Args:
        model: A SASRec.
        histories: One history per row that will be asked for.
        encode: What model.encoder() returned; give it where the same model is scored again and again.
    """
    return vector_scorer(user_vectors(model, histories, encode=encode), np.asarray(model.item_table, np.float32))


def user_vectors(
    model: Any, histories: Histories, *, encode: Callable[[Any], Any] | None = None
) -> NDArray[np.float32]:
    """Return the user vector of each history, float32 (U, D).

    Histories are encoded once, those of like length together, so that short ones cost little.

    Args:
        model: A SASRec.
        histories: What is encoded; the newest max_len items of each are read.
        encode: What model.encoder() returned; give it where the same model encodes again and again.
    """
    encode = encode or model.encoder()
    lengths = np.minimum(histories.lengths, model.config.max_len)
    return window_vectors(model, histories.item_ids, histories.offsets[1:], lengths, encode=encode)


def window_vectors(
    model: Any,
    item_ids: NDArray[np.int32],
    ends: NDArray[np.int64],
    lengths: NDArray[np.int64],
    *,
    encode: Callable[[Any], Any],
) -> NDArray[np.float32]:
    """Return the user vectors of windows of histories, float32 (H, D).

    Args:
        model: A SASRec.
        item_ids: (N,). Item ids that the histories are parts of.
        ends: (H,). Index after the newest item of each window.
        lengths: (H,). Items taken of each, at most max_len.
        encode: What model.encoder() returned.
    """
    vectors = np.empty((ends.size, model.config.hidden_dim), np.float32)
    order = np.argsort(lengths, kind="stable")
    start = 0
    with _explained():
        while start < order.size:
            rows = order[start : start + ENCODER_BATCH]
            width = max(1, int(lengths[rows[-1]]))
            rows = rows[: max(1, MAX_ATTENTION // (model.config.num_heads * width**2))]
            width = max(1, int(lengths[rows[-1]]))
            vectors[rows] = np.asarray(encode(left_padded(item_ids, ends[rows], lengths[rows], width)))
            start += rows.size
    return vectors


def _explained() -> AbstractContextManager[None]:
    from sasrec_train.network import engine_errors  # noqa: PLC0415 - TensorFlow, which popularity_scorer does without

    return engine_errors.explained("encoding the histories")


def vector_scorer(users: NDArray[np.float32], items: NDArray[np.float32]) -> TiledScorer:
    """Return the scorer whose scores are the products of user vectors (H, D) and item vectors (V, D)."""
    return TiledScorer(len(items), lambda rows, ids, out: np.matmul(users[rows], items[ids].T, out=out))


def popularity_scorer(train: Histories, n_items: int) -> TiledScorer:
    """Return the baseline that scores every item by its count in the training histories, for every user alike."""
    counts = np.bincount(train.item_ids, minlength=n_items + 1).astype(np.float32)
    return TiledScorer(counts.size, lambda _, ids, out: np.copyto(out, counts[ids]))
