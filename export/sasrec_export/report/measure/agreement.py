"""How alike two variants' lists are: overlap, rank-biased overlap, first items, and the scores of common items."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.measure.ranking import Lists
from sasrec_runtime.signature import PAD_ID

__all__ = ["PERSISTENCE", "Agreement", "agreement", "overlaps", "rank_biased_overlap"]

PERSISTENCE = 0.9
"""p of rank-biased overlap: the first ten places carry 86 % of the weight (Webber, Moffat and Zobel 2010)."""

CHUNK_USERS = 2048
"""Users compared at once: 5 MiB of comparisons at 50 items."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two variants side by side, user by user."""

    common: NDArray[np.int16]
    """(H, k). Items that stand in the first d + 1 places of both lists, at column d."""
    listed: NDArray[np.int64]
    """(H,). Items in the reference's list."""
    changed_top1: NDArray[np.bool_]
    """(H,). Whether the first item differs from the reference's."""
    score_differences: NDArray[np.float32]
    """(N,), N the common items of all users. Variant's score minus the reference's."""
    spread: float
    """Mean distance between the first and the last listed score, in the reference."""


def agreement(lists: Lists, reference: Lists) -> Agreement:
    """Compare the lists of the same users; the longer ones are cut to the length of the shorter."""
    k = min(lists.items.shape[1], reference.items.shape[1])
    ours, theirs = lists.items[:, :k], reference.items[:, :k]
    users = len(ours)
    common = np.zeros((users, k), np.int16)
    differences = []
    for start in range(0, users, CHUNK_USERS):
        rows = slice(start, start + CHUNK_USERS)
        same = (ours[rows, :, None] == theirs[rows, None, :]) & (theirs[rows] != PAD_ID)[:, None, :]
        row, our_place, their_place = np.nonzero(same)
        # An item counts from the depth at which it stands in both lists.
        np.add.at(common[rows], (row, np.maximum(our_place, their_place)), 1)
        differences.append(lists.scores[rows][row, our_place] - reference.scores[rows][row, their_place])
    listed = (theirs != PAD_ID).sum(axis=1)
    filled = reference.scores[listed > 0]  # the places of an empty list score -inf
    last = np.take_along_axis(filled, listed[listed > 0][:, None] - 1, axis=1)[:, 0]
    return Agreement(
        common=common.cumsum(axis=1, dtype=np.int16),
        listed=listed,
        changed_top1=ours[:, 0] != theirs[:, 0],
        score_differences=np.concatenate(differences),
        spread=float((filled[:, 0] - last).mean()) if len(filled) else 0.0,
    )


def overlaps(found: Agreement, *, k: int) -> NDArray[np.float64]:
    """Return overlap@k of each user (H,): the share of the reference's top k that is in the variant's too.

    Law: 1 for equal lists, empty ones included: of a small catalogue, some users have seen everything.
    """
    depth = min(k, found.common.shape[1])
    share: NDArray[np.float64] = found.common[:, depth - 1] / np.clip(found.listed, 1, depth)
    return np.where(found.listed > 0, share, 1.0)


def rank_biased_overlap(found: Agreement, *, p: float = PERSISTENCE) -> NDArray[np.float64]:
    """Return the extrapolated rank-biased overlap of each user, (H,): RBO_ext of equally deep lists.

    Law: 1 for equal lists, 0 for lists without a common item.
    """
    depth = np.arange(1, found.common.shape[1] + 1)
    within = depth <= found.listed[:, None]
    agreed = found.common / depth * within
    series = (1 - p) / p * (agreed * p**depth).sum(axis=1)
    last = np.maximum(found.listed, 1)
    ahead = np.take_along_axis(agreed, (last - 1)[:, None], axis=1)[:, 0] * p**last
    total: NDArray[np.float64] = np.where(found.listed > 0, series + ahead, 1.0)
    return total
