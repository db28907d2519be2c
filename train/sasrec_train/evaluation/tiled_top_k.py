"""Exact top-k of many users over a catalogue that is scored in tiles."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["TopLists"]

LANES = 256  # Interleaved groups of columns, whose maxima give a lower bound of the k-th best score.
MANY = 8  # Candidates per list entry above which a tighter bound pays.
LOWEST = np.finfo(np.float32).min


class TopLists:
    """Lists as a runtime makes them: best first, ties to the lower id, no item with a score of NaN or -inf.

    Law: whatever the tiles and their order, `items` is the start of the full sort.

    Args:
        users: Number of lists, H.
        length: Items per list, k.
    """

    def __init__(self, users: int, length: int):
        self.items: NDArray[np.int32] = np.zeros((users, length), np.int32)
        """(H, k). Item ids, best first, 0 where no item is left."""
        self._scores = np.full((users, length), -np.inf, np.float32)

    def add(self, scores: NDArray[np.float32], first_id: int) -> None:
        """Merge the scores of the next tile into the lists.

        Args:
            scores: (H, tile), contiguous. -inf where an item may not be listed.
            first_id: Item id of the first column.
        """
        users, length = self.items.shape
        new_rows, columns = self._candidates(scores)
        listed_rows, _ = np.nonzero(self.items)
        # Merge the listed items with the candidates: all as (row, item, score), sorted by row, score and id.
        rows = np.concatenate([listed_rows, new_rows])
        items = np.concatenate([self.items[self.items > 0], (columns + first_id).astype(np.int32)])
        values = np.concatenate([self._scores[self.items > 0], scores[new_rows, columns]])
        order = np.lexsort((items, -values, rows))
        rows, items, values = rows[order], items[order], values[order]
        rank = _rank_in_row(rows, users)
        kept = rank < length
        self.items[rows[kept], rank[kept]] = items[kept]
        self._scores[rows[kept], rank[kept]] = values[kept]

    def _candidates(self, scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return rows and columns of the scores that may enter a list: those not below a bound of the k-th best.

        The best k of each row are among them, NaN and -inf never.
        """
        users, length = self.items.shape
        bound = np.maximum(self._scores[:, -1], LOWEST)
        above = scores >= bound[:, None]
        if np.count_nonzero(above) > MANY * users * length and scores.shape[1] >= 2 * LANES >= 2 * length:
            bound = np.maximum(bound, _kth_of_lanes(scores, length))
            np.greater_equal(scores, bound[:, None], out=above)
        rows, columns = np.divmod(np.flatnonzero(above), scores.shape[1])
        tied = scores[rows, columns] == bound[rows]  # of scores equal to the bound, the first k of a row suffice
        kept = ~tied
        kept[tied] = _rank_in_row(rows[tied], users) < length
        return rows[kept], columns[kept]


def _kth_of_lanes(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """Return the k-th best of the maxima of LANES groups of columns, (H,): a lower bound of the k-th best score."""
    best = scores[:, :LANES].copy()
    for start in range(LANES, scores.shape[1] - LANES + 1, LANES):
        np.fmax(best, scores[:, start : start + LANES], out=best)
    best[np.isnan(best)] = -np.inf
    return np.partition(best, LANES - k, axis=1)[:, LANES - k]


def _rank_in_row(rows: NDArray[np.int64], users: int) -> NDArray[np.int64]:
    """Return how many entries of the same row come before each entry; rows are sorted."""
    return np.asarray(np.arange(rows.size) - np.searchsorted(rows, np.arange(users))[rows])
