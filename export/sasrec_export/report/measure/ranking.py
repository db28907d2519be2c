"""What a variant recommends to every held-out user, and the rank of the held-out item."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.signature import PAD_ID
from sasrec_train.split import HeldOut

__all__ = ["LIST_LENGTH", "NOT_LISTED", "Lists", "ranks", "recommend_all", "tied"]

LIST_LENGTH = 50
"""Items asked for per user: the largest k reported is 20, and the rest shows ties at its end."""

BATCH_ROWS = 64
NOT_LISTED = np.iinfo(np.int64).max
"""Rank of an item that is not in the list."""


@dataclass(frozen=True, slots=True)
class Lists:
    """What a variant recommends to every user."""

    items: NDArray[np.int32]
    """(H, k), best first, PAD_ID where no item was left."""
    scores: NDArray[np.float32]
    """(H, k), -inf where no item was left."""


def recommend_all(
    session: Session,
    held_out: HeldOut,
    *,
    k: int,
    keep_seen: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Lists:
    """Return the top k of every held-out user, in batches of bounded memory.

    Args:
        session: The loaded variant.
        held_out: Users with their histories.
        k: Items per user.
        keep_seen: Recommend items of the user's own history too.
        progress: Called with the number of users just done.
    """
    users = len(held_out.targets)
    items = np.full((users, k), PAD_ID, np.int32)
    scores = np.full((users, k), -np.inf, np.float32)
    order = np.argsort(held_out.histories.lengths, kind="stable")  # rows of one batch are of like length
    for start in range(0, users, BATCH_ROWS):
        rows = order[start : start + BATCH_ROWS]
        batch = held_out.histories.take(rows)
        history = history_module.encode_batch([row.tolist() for row in batch], max_len=int(batch.lengths.max()))
        exclude = np.zeros((len(rows), 0), np.int32) if keep_seen else history
        items[rows], scores[rows] = session.recommend(history, exclude, k)
        if progress is not None:
            progress(len(rows))
    return Lists(items=items, scores=scores)


def ranks(lists: Lists, targets: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the rank of each target (H,), 0 for the best; ties count against it, NOT_LISTED if it is not there."""
    hit = lists.items == targets[:, None]
    own = np.where(hit, lists.scores, -np.inf).max(axis=1)
    at_least = (lists.scores >= own[:, None]) & (lists.items != PAD_ID)
    return np.where(hit.any(axis=1), at_least.sum(axis=1) - 1, NOT_LISTED)


def tied(lists: Lists, *, k: int) -> float:
    """Return the share of users with two equal scores among their first k."""
    scores, listed = lists.scores[:, :k], lists.items[:, :k] != PAD_ID
    equal = (scores[:, 1:] == scores[:, :-1]) & listed[:, 1:]
    return float(equal.any(axis=1).mean())
