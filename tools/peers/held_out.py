"""Leave-one-out on a log, and the filtered rank of each held-out item: one definition for every library compared.

Needs numpy only, so that it runs in each library's own environment. The project's own split and ranking
(sasrec_train.split, sasrec_train.evaluation.evaluate) say the same; a test holds the two to it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MIN_INTERACTIONS = 3  # One to learn from, one for validation, one for the test.
TOP = 10
MAX_SCORES = 2**24  # Scores held at once, 64 MiB.


@dataclass(frozen=True)
class Log:
    """Every user's history as item ids 1…n_items, oldest first; 0 is padding."""

    offsets: np.ndarray
    """(U + 1,). History u is item_ids[offsets[u]:offsets[u + 1]]."""
    item_ids: np.ndarray
    n_items: int

    @property
    def lengths(self):
        return np.diff(self.offsets)

    @property
    def train_lengths(self):
        """(U,). Newest two held out, where there are three."""
        return self.lengths - np.where(self.lengths >= MIN_INTERACTIONS, 2, 0)

    @property
    def train_interactions(self):
        return int(self.train_lengths.sum())

    def train(self):
        """Return users (from 0), item ids and places in the history of the training part, user by user."""
        lengths = self.train_lengths
        users = np.repeat(np.arange(lengths.size), lengths)
        places = np.arange(users.size) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return users, self.item_ids[self.offsets[:-1][users] + places], places


def read(path: Path) -> Log:
    """Read `user item` lines in time order. Ids follow the sorted keys; numbers sort as numbers."""
    rows = [line.split()[:2] for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    keys = np.array(rows)
    if all(key.isdecimal() for row in rows for key in row):
        keys = keys.astype(np.int64)
    _, users = np.unique(keys[:, 0], return_inverse=True)
    item_keys, items = np.unique(keys[:, 1], return_inverse=True)
    order = np.argsort(users, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(users))])
    return Log(offsets, items[order] + 1, item_keys.size)


class Validation:
    """The newest item but one of every user with three, to be ranked against the catalogue without the seen items."""

    def __init__(self, log: Log):
        self.n_items = log.n_items
        users = np.flatnonzero(log.lengths >= MIN_INTERACTIONS)
        starts, ends = log.offsets[:-1][users], log.offsets[1:][users] - 2
        self.histories = [log.item_ids[start:end] for start, end in zip(starts, ends, strict=True)]
        self.targets = log.item_ids[ends]

    def inputs(self, max_len: int, own_ids: np.ndarray, *, left: bool):
        """Return the newest items of each history in a library's own ids, and how many there are.

        Args:
            max_len: Most items of a history.
            own_ids: (n_items + 1,). The library's id of each of ours, 0 where it has none; such items are left out.
            left: Whether the padding stands on the left.
        """
        padded = np.zeros((len(self.histories), max_len), np.int64)
        lengths = np.zeros(len(self.histories), np.int64)
        for row, history in enumerate(self.histories):
            own = own_ids[history]
            own = own[own > 0][-max_len:]
            lengths[row] = own.size
            padded[row, max_len - own.size if left else 0 :][: own.size] = own
        return padded, lengths

    def metrics(self, vectors: np.ndarray, table: np.ndarray, own_ids: np.ndarray) -> dict[str, float]:
        """Return NDCG@10 and HR@10.

        Args:
            vectors: (H, D). One per history; a user's scores are its products with the table's rows.
            table: (W, D). The library's item vectors, in its own order.
            own_ids: (n_items + 1,). The row of each of our items, 0 where the library does not know it.
        """
        ranks = np.empty(len(self.histories), np.int64)
        known = own_ids[1:] > 0
        items = np.ascontiguousarray(table[own_ids[1:]].T)  # (D, n_items), in the order of our ids
        step = max(1, MAX_SCORES // (self.n_items + 1))
        for start in range(0, ranks.size, step):
            rows = slice(start, start + step)
            scores = vectors[rows] @ items
            scores[:, ~known] = -np.inf
            ranks[rows] = self._ranks(scores, self.histories[rows], self.targets[rows])
        hits = ranks < TOP
        gains = 1 / np.log2(ranks[hits] + 2)
        return {f"ndcg@{TOP}": float(gains.sum() / ranks.size), f"hr@{TOP}": float(hits.mean())}

    def _ranks(self, scores, histories, targets):
        """Items not worse than the target, itself left out: ties and scores of NaN count against it."""
        n_items = scores.shape[1]
        of_target = scores[np.arange(targets.size), targets - 1].copy()
        worse = scores < of_target[:, None]
        ranks = np.empty(targets.size, np.int64)
        for row, history in enumerate(histories):
            seen = np.unique(history) - 1
            repeated = bool((history == targets[row]).any())  # never recommended, so a miss
            better = n_items - 1 - seen.size - int(worse[row].sum() - worse[row, seen].sum())
            ranks[row] = n_items if repeated else better
        return ranks
