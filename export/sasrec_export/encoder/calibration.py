"""Real histories on which the ranges of activations are measured."""

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_train.log.interactions import Histories

__all__ = ["HISTORIES", "sample"]

HISTORIES = 1024
"""Histories taken: ranges hardly change beyond about fifty, the users' second moment needs several per dimension."""


def sample(histories: Histories, *, max_len: int, seed: int, count: int = HISTORIES) -> NDArray[np.int32]:
    """Return up to `count` histories as int32 (R, max_len), left-padded, drawn without replacement.

    Args:
        histories: Those the model was trained on; empty ones are left out.
        max_len: The network's window, in items.
        seed: Seed of the draw.
        count: Number of histories at most.
    """
    (filled,) = np.nonzero(histories.lengths)
    rows = np.random.default_rng(seed).choice(filled, min(count, filled.size), replace=False)
    chosen = histories.take(np.sort(rows))  # in the order of the log: what is read lies side by side
    return history_module.fit(history_module.encode_batch([row.tolist() for row in chosen], max_len=max_len), max_len)
