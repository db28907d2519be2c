"""The k best items of many users, found while the catalogue passes by in tiles."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["TopLists"]

LANES = 256  # Groups of columns for a first guess.
MANY = 8  # Candidates per place of a list that are worth a better guess.
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
        """(H, k). Item ids, best first, 0 in places that no item can take."""
        self._scores = np.full((users, length), -np.inf, np.float32)

    def add(self, scores: NDArray[np.float32], first_id: int) -> None:
        """Let the next tile compete.

        Args:
            scores: (H, tile), contiguous. -inf where an item may not be listed.
            first_id: Item id of the first column.
        """
        users, length = self.items.shape
        rows, columns = self._candidates(scores)
        listed = self.items > 0
        row = np.concatenate([np.nonzero(listed)[0], rows])
        items = np.concatenate([self.items[listed], (columns + first_id).astype(np.int32)])
        values = np.concatenate([self._scores[listed], scores[rows, columns]])
        order = np.lexsort((items, -values, row))
        place = _place_in_row(row[order], users)
        order, place = order[place < length], place[place < length]
        self.items[row[order], place] = items[order]
        self._scores[row[order], place] = values[order]

    def _candidates(self, scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns of a few scores, the best k of each row among them; NaN and -inf never are."""
        users, length = self.items.shape
        bound = np.maximum(self._scores[:, -1], LOWEST)
        above = scores >= bound[:, None]
        if np.count_nonzero(above) > MANY * users * length and scores.shape[1] >= 2 * LANES >= 2 * length:
            bound = np.maximum(bound, _kth_of_lanes(scores, length))
            np.greater_equal(scores, bound[:, None], out=above)
        rows, columns = np.divmod(np.flatnonzero(above), scores.shape[1])
        tied = scores[rows, columns] == bound[rows]  # of those with the bound's score, only k can be of use
        kept = ~tied
        kept[tied] = _place_in_row(rows[tied], users) < length
        return rows[kept], columns[kept]


def _kth_of_lanes(scores: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """The k-th best of the maxima of LANES groups of columns: at most the k-th best of all, mostly little less."""
    best = scores[:, :LANES].copy()
    for start in range(LANES, scores.shape[1] - LANES + 1, LANES):
        np.fmax(best, scores[:, start : start + LANES], out=best)
    best[np.isnan(best)] = -np.inf
    return np.partition(best, LANES - k, axis=1)[:, LANES - k]


def _place_in_row(rows: NDArray[np.int64], users: int) -> NDArray[np.int64]:
    """How many entries of the same row stand before each entry; rows are sorted."""
    return np.asarray(np.arange(rows.size) - np.searchsorted(rows, np.arange(users))[rows])
