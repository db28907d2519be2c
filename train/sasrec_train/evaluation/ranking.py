"""The rank of every user's held-out item, against the whole catalogue and against sampled negatives."""

import itertools
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation.scorers import Scorer, TiledScorer
from sasrec_train.evaluation.tiled_top_k import TopLists
from sasrec_train.log.interactions import Histories
from sasrec_train.negatives import NO_NEGATIVE, Negatives
from sasrec_train.split import HeldOut

__all__ = ["NUM_NEGATIVES", "Ranking", "rank"]

logger = logging.getLogger(__name__)

NUM_NEGATIVES = 100  # Kang & McAuley 2018, section 4.3.
MAX_SCORES = 2**22  # Scores held at once: 16 MiB, about the size of a processor's cache.
TILE_ITEMS = 2**12  # Items scored at once by a TiledScorer, then for 1,024 users.
GROUP_USERS = 2**14  # Users whose negatives are drawn at once. Another number draws others.


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks of every user's held-out item, and lists of recommended items."""

    full: NDArray[np.int64]
    """(H,). Rank from 0 against the whole catalogue."""
    sampled: NDArray[np.int64]
    """(H,). Rank from 0 against the sampled negatives."""
    lists: NDArray[np.int32]
    """(H, list_length). The best items, best first, ties to the lower id; 0 where no item is left."""

    @property
    def ranks(self) -> dict[str, NDArray[np.int64]]:
        """Both ranks, under the names of their protocols."""
        return {"full": self.full, "sampled": self.sampled}


def rank(
    scorer: Scorer,
    held_out: HeldOut,
    *,
    n_items: int,
    keep_seen: bool = False,
    seed: int = 0,
    num_negatives: int = NUM_NEGATIVES,
    list_length: int = 0,
) -> Ranking:
    """Rank each target: how many items are not worse. So ties and missing scores (NaN) count against it.

    Memory is bounded, whatever the number of users, and with a TiledScorer whatever the number of items.

    Args:
        scorer: What is evaluated.
        held_out: Users with their histories and held-out items.
        n_items: Catalogue size without the padding id.
        keep_seen: Rank and list items of the user's own history too. By default they are excluded, as when
            recommending; a target among them cannot be recommended and has rank n_items.
        seed: Seed of the sampled negatives.
        num_negatives: Negatives per user, uniform and outside the history; 0 leaves the sampled ranks at 0.
        list_length: Items in the lists.
    """
    outside = _outside(held_out, n_items, num_negatives) if num_negatives else None
    rng = np.random.default_rng(seed)
    users = held_out.targets.size
    found = Ranking(np.zeros(users, np.int64), np.zeros(users, np.int64), np.zeros((users, list_length), np.int32))
    tiles = _Tiles(scorer, n_items + 1, users)
    for first in range(0, users, GROUP_USERS):
        group = np.arange(first, min(first + GROUP_USERS, users))
        negatives = np.zeros((group.size, 0), np.int32)
        if outside is not None:
            negatives = outside.sample_distinct(rng, group, num_negatives)
        for start in range(0, group.size, tiles.max_rows):
            rows = group[start : start + tiles.max_rows]
            seen = held_out.histories.take(rows, without_last=held_out.histories.lengths[rows] if keep_seen else 0)
            lists = TopLists(rows.size, list_length)
            found.full[rows], found.sampled[rows] = _rank_rows(
                tiles, rows, held_out.targets[rows].astype(np.int64), seen, negatives[start : start + rows.size], lists
            )
            found.lists[rows] = lists.items
    return found


def _outside(held_out: HeldOut, n_items: int, num_negatives: int) -> Negatives:
    """The items outside each user's history and target. Warns where they are fewer than asked for."""
    outside = Negatives(held_out.histories.append(held_out.targets), n_items)
    if few := int((outside.counts < num_negatives).sum()):
        logger.warning(
            "1 + %d sampled: %d of %d users have fewer than %d items outside their history; all of those are taken.",
            num_negatives,
            few,
            outside.counts.size,
            num_negatives,
        )
    return outside


class _Tiles:
    """The catalogue in tiles, scored for some users at a time, all tiles in one buffer."""

    def __init__(self, scorer: Scorer, n_columns: int, users: int):
        if isinstance(scorer, TiledScorer):
            count, self._fill = math.ceil(n_columns / TILE_ITEMS), scorer.fill
        else:
            count, self._fill = 1, lambda rows, _, out: np.copyto(out, scorer(rows))
        # Tiles have equal width: BLAS rounds differently for narrow matrices, which would break exact ties.
        self._edges = np.linspace(0, n_columns, count + 1).astype(np.int64).tolist()
        self.n_columns = n_columns
        self.width = math.ceil(n_columns / count)
        self.max_rows = max(1, min(users, MAX_SCORES // self.width, self.width if count > 1 else users))
        self._memory = np.empty(self.max_rows * self.width, np.float32)

    def scores(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the first id and the scores (rows, tile) of each tile; they may be overwritten."""
        for start, stop in itertools.pairwise(self._edges):
            yield start, self._filled(rows, slice(start, stop), stop - start)

    def target_scores(self, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the targets' own scores, from a product of the shape that scores their rivals; None for one tile.

        A product of another shape may round differently, and so may another column of it. Columns are permuted, so
        that a degenerate model with identical items cannot rank the target first systematically.
        """
        if len(self._edges) == 2:
            return None
        columns = np.random.default_rng(0).permutation(self.width)[: rows.size]
        ids = np.zeros(self.width, np.int64)
        ids[columns] = targets
        return self._filled(rows, ids, self.width)[np.arange(rows.size), columns]

    def _filled(self, rows: NDArray[np.int64], ids: slice | NDArray[np.int64], width: int) -> NDArray[np.float32]:
        scores = self._memory[: rows.size * width].reshape(rows.size, width)
        self._fill(rows, ids, scores)
        return scores


def _rank_rows(
    tiles: _Tiles,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    seen: Histories,
    negatives: NDArray[np.int32],
    lists: TopLists,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the ranks of some users' targets in the whole catalogue and among the negatives; make their lists."""
    users = rows.size
    rivals = tiles.n_columns - 1  # every id but the target
    # Excluded (item, user) pairs, sorted by item: padding for every user, and the seen items.
    pairs = np.concatenate([np.arange(users), seen.item_ids.astype(np.int64) * users + seen.rows()])
    excluded_items, excluded_users = np.divmod(np.unique(pairs), users)
    full = rivals - np.bincount(excluded_users, minlength=users)
    sampled = np.count_nonzero(negatives != NO_NEGATIVE, axis=1)
    target_scores = tiles.target_scores(rows, targets)
    for start, scores in tiles.scores(rows):
        stop = start + scores.shape[1]
        if target_scores is None:
            target_scores = scores[np.arange(users), targets]
        worse = scores < target_scores[:, None]  # (users, tile); False for NaN and ties, which count against the target
        in_tile = np.flatnonzero((targets >= start) & (targets < stop))
        worse[in_tile, targets[in_tile] - start] = False  # not a rival of itself, however its score was rounded
        full -= np.array([np.count_nonzero(row) for row in worse])  # faster than along an axis

        first, last = np.searchsorted(excluded_items, (start, stop))
        out_users, out_columns = excluded_users[first:last], excluded_items[first:last] - start
        full += np.bincount(out_users[worse[out_users, out_columns]], minlength=users)  # they never were rivals
        if lists.items.size:
            scores[out_users, out_columns] = -np.inf
            lists.add(scores, start)

        drawn_users, draws = np.nonzero((negatives >= max(start, NO_NEGATIVE + 1)) & (negatives < stop))
        drawn_columns = negatives[drawn_users, draws] - start
        sampled -= np.bincount(drawn_users[worse[drawn_users, drawn_columns]], minlength=users)
    full[excluded_users[excluded_items == targets[excluded_users]]] = rivals  # a target that cannot be recommended
    return full, sampled
