"""What users asked for when they took an item: user vectors of their histories before it, in a RUN's network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import scorers
from sasrec_train.log.interactions import Histories

__all__ = ["in_ids_of_run", "mean_directions", "unit", "user_directions"]

TINY = 1e-12  # Below it a vector has no direction.


def mean_directions(
    items: NDArray[np.int64], train: Histories, old_ids: NDArray[np.int64], network: Any, *, most: int
) -> NDArray[np.float32]:
    """Return the mean direction of the user vectors before each item was taken, (len(items), D); 0 for nobody.

    Args:
        items: Ids of the log, different ones. They are left out of the histories too.
        train: What may be learned from, in the ids of the log.
        old_ids: (V,). Id in the RUN of each id of the log; below 1 where it has none.
        network: The SASRec of the RUN.
        most: Takers that are asked for an item.
    """
    number = np.full(old_ids.size, -1, np.int64)
    number[items] = np.arange(items.size)
    known = old_ids.copy()
    known[items] = 0
    of_item = number[train.item_ids]
    places = np.flatnonzero(of_item >= 0)
    places = places[np.argsort(of_item[places], kind="stable")]
    ordered = of_item[places]
    nth = np.arange(ordered.size) - np.searchsorted(ordered, ordered)
    places, ordered = places[nth < most], ordered[nth < most]
    rows = train.rows()[places]
    before = in_ids_of_run(train.take(rows, without_last=train.offsets[1:][rows] - places), known)
    asked = np.flatnonzero(before.lengths)  # who took it first of all has no history to speak for them
    directions = user_directions(network, before.take(asked))
    sums = np.zeros((items.size, directions.shape[1]), np.float32)
    np.add.at(sums, ordered[asked], directions)
    return sums / np.maximum(np.bincount(ordered[asked], minlength=items.size), 1).astype(np.float32)[:, None]


def in_ids_of_run(histories: Histories, old_ids: NDArray[np.int64]) -> Histories:
    """Return histories of the log in the ids of the RUN, without the items that it does not know."""
    ids = old_ids[histories.item_ids]
    known = ids > 0
    lengths = np.bincount(histories.rows()[known], minlength=len(histories))
    return Histories.from_lengths(lengths, ids[known].astype(np.int32))


def user_directions(network: Any, histories: Histories) -> NDArray[np.float32]:
    """Return the user vectors of histories, (U, D), all of length 1."""
    return unit(scorers.user_vectors(network, histories))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (…, D) of length 1 in the same directions; zero vectors stay zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, TINY), np.float32)
