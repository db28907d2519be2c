"""Where every user's held-out item stands, against the whole catalogue and against sampled negatives."""

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
MAX_SCORES = 2**22  # Scores held at once: 16 MiB, about what a processor's cache takes.
TILE_ITEMS = 2**12  # Items scored at once by a TiledScorer, then for 1,024 users.
GROUP_USERS = 2**14  # Users whose negatives are drawn at once. Another number draws others.


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a scorer did with every user's held-out item."""

    full: NDArray[np.int64]
    """(H,). Rank from 0 against the whole catalogue."""
    sampled: NDArray[np.int64]
    """(H,). Rank from 0 against the sampled negatives."""
    lists: NDArray[np.int32]
    """(H, list_length). The best items, best first, ties to the lower id; 0 in places that no item can take."""

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
    """Rank each target: how many items are not worse. Ties and missing scores (NaN) so count against it.

    Memory is bounded, whatever the number of users, and with a TiledScorer whatever the number of items.

    Args:
        scorer: What is judged.
        held_out: Users with their histories and held-out items.
        n_items: Catalogue size without the padding id.
        keep_seen: Rank and list items of the user's own history too. By default they are left out, as when
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
    """The items outside each user's history and target. Says where they are fewer than asked for."""
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
    """The catalogue in parts, scored for some users at a time, each part in the memory of the last."""

    def __init__(self, scorer: Scorer, n_columns: int, users: int):
        if isinstance(scorer, TiledScorer):
            count, self._fill = math.ceil(n_columns / TILE_ITEMS), scorer.fill
        else:
            count, self._fill = 1, lambda rows, _, out: np.copyto(out, scorer(rows))
        # Of like width, for a product with a narrow matrix rounds otherwise, and equal items would differ.
        self._edges = np.linspace(0, n_columns, count + 1).astype(np.int64).tolist()
        self.n_columns = n_columns
        self.width = math.ceil(n_columns / count)
        self.max_rows = max(1, min(users, MAX_SCORES // self.width, self.width if count > 1 else users))
        self._memory = np.empty(self.max_rows * self.width, np.float32)

    def scores(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give the first id and the scores (rows, tile) of each part; they may be written to."""
        for start, stop in itertools.pairwise(self._edges):
            yield start, self._filled(rows, slice(start, stop), stop - start)

    def target_scores(self, rows: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Return the targets' own scores, from a product of the shape that scores their rivals; None for one part.

        Another shape may round otherwise. So may another place in the matrix; the places are random, that a network
        whose items are all alike has no chance to rank the target first each time.
        """
        if len(self._edges) == 2:
            return None
        places = np.random.default_rng(0).permutation(self.width)[: rows.size]
        ids = np.zeros(self.width, np.int64)
        ids[places] = targets
        return self._filled(rows, ids, self.width)[np.arange(rows.size), places]

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
    # Who does not compete, as pairs sorted by item: padding, and what was seen.
    pairs = np.concatenate([np.arange(users), seen.item_ids.astype(np.int64) * users + seen.rows()])
    barred, barred_user = np.divmod(np.unique(pairs), users)
    full = tiles.n_columns - 1 - np.bincount(barred_user, minlength=users)  # without the target itself
    sampled = np.count_nonzero(negatives != NO_NEGATIVE, axis=1)
    own = tiles.target_scores(rows, targets)
    for start, scores in tiles.scores(rows):
        stop = start + scores.shape[1]
        own = scores[np.arange(users), targets] if own is None else own
        worse = scores < own[:, None]
        user = np.flatnonzero((targets >= start) & (targets < stop))
        worse[user, targets[user] - start] = False  # no rival of itself, however its own score was rounded
        full -= np.array([np.count_nonzero(row) for row in worse])
        here = slice(*np.searchsorted(barred, (start, stop)))
        user, column = barred_user[here], barred[here] - start
        full += np.bincount(user[worse[user, column]], minlength=users)
        if lists.items.size:
            scores[user, column] = -np.inf
            lists.add(scores, start)
        user, place = np.nonzero((negatives >= max(start, NO_NEGATIVE + 1)) & (negatives < stop))
        sampled -= np.bincount(user[worse[user, negatives[user, place] - start]], minlength=users)
    full[barred_user[barred == targets[barred_user]]] = tiles.n_columns - 1
    return full, sampled
