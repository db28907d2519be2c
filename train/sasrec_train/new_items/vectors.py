"""Vectors of new items: from the users who took them, from their features, or from both."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import metrics, ranking
from sasrec_train.log.interactions import Histories
from sasrec_train.new_items import item_prior, popularity_trend, row_estimate
from sasrec_train.new_items.feature_table import FeatureTable
from sasrec_train.new_items.item_prior import ItemPrior
from sasrec_train.new_items.joined_log import Joined
from sasrec_train.new_items.row_estimate import RowEstimate
from sasrec_train.new_items.user_states import ItemStates, Places, Prefixes, most_per_item
from sasrec_train.split import HeldOut

__all__ = ["Estimator", "NewVectors"]

logger = logging.getLogger(__name__)

MAX_STATES = (
    2**17
)  # States that the estimate is learned from; more make it no better, and each is a pass of the network.
MOST_TRAINED = 2**8  # States of one trained item among them.
MOST_NEW = 2**10  # States that a new item's vector is made of.
LEAST_TRAINED = 5  # Interactions of a trained item that is learned from: the row of a rarer one has moved little.
MAX_ASKED, MOST_ASKED = 2**12, 2**5  # Interactions of new items that are ranked, in all and of one item.


@dataclass(frozen=True, slots=True)
class NewVectors:
    """Rows for the new items."""

    rows: NDArray[np.float32]
    """(I, D). Of length 1 where the network scores cosines."""
    counts: NDArray[np.int64]
    """(I,). Interactions that each was made of."""
    from_features: NDArray[np.bool_]
    """(I,). Whether features had a say."""
    explained: float | None
    """Share of the variance of trained rows that features explain, see ItemPrior; None without features."""
    left_out: dict[str, float]
    """Metrics of interactions with new items, each ranked with a vector that was made without it."""
    asked: int
    """How many interactions that were."""


class Estimator:
    """Makes vectors of new items for one trained network.

    Args:
        model: The network, a SASRec.
        trained: Histories that it was trained on, of ids up to n_trained.
        n_trained: Items that were trained; those after them were added by an earlier estimate.
        seed: Seed of what is drawn where there is too much of it.
        expected_count: Interactions that a new item is taken to have at least, when its place among popular and rare
            items is chosen; None: the median of the trained items.
    """

    def __init__(
        self, model: Any, trained: Histories, n_trained: int, *, seed: int, expected_count: float | None = None
    ):
        self.model, self.seed = model, seed
        self.encode = model.encoder()
        self.table = np.array(model.item_table, np.float64)
        self.table[0] = 0.0
        prefixes = Prefixes(trained, model.config.n_items)
        places = prefixes.places.take(prefixes.places.item_ids <= n_trained)
        places = _at_most(most_per_item(places, MOST_TRAINED, seed), MAX_STATES, seed)
        states = prefixes.states(model, places, encode=self.encode)
        self.states = ItemStates.of(states, places.item_ids, first=0, n_items=n_trained + 1)
        enough = np.flatnonzero(self.states.counts >= LEAST_TRAINED)
        self.learned_from = enough if enough.size > 1 else np.flatnonzero(self.states.counts)
        """(K,). Ids of the trained items that the estimate is learned from."""
        counts = np.bincount(trained.item_ids, minlength=n_trained + 1)[: n_trained + 1].astype(np.float64)
        self.expected_count = float(np.median(counts[1:])) if expected_count is None else expected_count
        by_id = counts[self.learned_from], self.table[self.learned_from], self.states.means[self.learned_from]
        self.row_trend, self.state_trend = (popularity_trend.fit(by_id[0], values) for values in by_id[1:])
        # By id, what rows and mean states have beyond the trend.
        self.beyond = np.zeros((2, n_trained + 1, self.table.shape[1]))
        self.beyond[0, self.learned_from] = by_id[1] - self.row_trend.at(by_id[0])
        self.beyond[1, self.learned_from] = by_id[2] - self.state_trend.at(by_id[0])
        self.estimate = self._fit(self.learned_from, *self.beyond[:, self.learned_from])

    def vectors(self, joined: Joined, features: FeatureTable | None) -> NewVectors:
        """Return vectors of the new items of a log.

        Raises:
            DataError: The features do not fit the catalogue.
        """
        n_known, n_items = joined.n_known, joined.interactions.n_items
        new = np.arange(n_known + 1, n_items + 1)
        prefixes = Prefixes(joined.interactions.histories, n_known)
        places = prefixes.places.take(prefixes.places.item_ids > n_known)
        places = most_per_item(places, MOST_NEW, self.seed)
        states = prefixes.states(self.model, places, encode=self.encode)
        seen = ItemStates.of(states, places.item_ids, first=n_known + 1, n_items=new.size)
        prior = self._prior(joined, features)
        rows = self._rows(new, seen.means, seen.counts, prior)
        left_out, asked = self._left_out(joined, rows, prefixes, places, states, seen, prior)
        return NewVectors(
            rows=rows.astype(np.float32),
            counts=seen.counts.astype(np.int64),
            from_features=np.zeros(new.size, bool) if prior is None else prior[0].has(new),
            explained=None if prior is None else prior[0].explained,
            left_out=left_out,
            asked=asked,
        )

    def _fit(self, item_ids: NDArray[np.int64], rows: NDArray[np.float64], means: NDArray[np.float64]) -> RowEstimate:
        return row_estimate.fit(rows, means, self.states.counts[item_ids], self.states.within)

    def _prior(self, joined: Joined, features: FeatureTable | None) -> tuple[ItemPrior, RowEstimate] | None:
        """Return what features say, and the estimate of what they leave unsaid."""
        if features is None:
            return None
        prior = item_prior.fit(features, joined.interactions.item_keys, self.learned_from, *self.beyond)
        return prior, self._fit(prior.fitted, *prior.errors())

    def _rows(
        self,
        item_ids: NDArray[np.int64],
        means: NDArray[np.float64],
        counts: NDArray[np.float64],
        prior: tuple[ItemPrior, RowEstimate] | None,
    ) -> NDArray[np.float64]:
        """Return the rows of new items with such mean states."""
        popularity = np.maximum(counts, self.expected_count)
        expected, surprises = self.row_trend.at(popularity), means - self.state_trend.at(popularity)
        rows = expected + self.estimate.rows(surprises, counts)
        if prior is not None and (described := prior[0].has(item_ids)).any():
            said, said_states = prior[0].predict(item_ids[described])
            unsaid = prior[1].rows(surprises[described] - said_states, counts[described])
            rows[described] = expected[described] + said + unsaid
        if self.model.config.similarity == "cosine":
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return rows

    def _left_out(
        self,
        joined: Joined,
        rows: NDArray[np.float64],
        prefixes: Prefixes,
        places: Places,
        states: NDArray[np.float32],
        seen: ItemStates,
        prior: tuple[ItemPrior, RowEstimate] | None,
    ) -> tuple[dict[str, float], int]:
        """Rank interactions with new items, each by a vector made without it."""
        chosen = most_per_item(places, MOST_ASKED, self.seed)
        chosen = _at_most(chosen, MAX_ASKED, self.seed)
        asked = np.searchsorted(places.positions, chosen.positions)
        users, item_ids = states[asked], chosen.item_ids.astype(np.int64)
        number = item_ids - joined.n_known - 1
        counts = seen.counts[number] - 1
        means = (seen.means[number] * seen.counts[number, None] - users) / np.maximum(counts, 1)[:, None]
        own = np.einsum("pd,pd->p", users, self._rows(item_ids, means, counts, prior)).astype(np.float32)
        table = np.concatenate([self.table, rows]).astype(np.float32)

        def scores(some: NDArray[np.int64]) -> NDArray[np.float32]:
            found = users[some] @ table.T
            found[np.arange(some.size), item_ids[some]] = own[some]
            return found

        held_out = HeldOut(chosen.users, prefixes.before(chosen), chosen.item_ids)
        n_items = joined.interactions.n_items
        found = ranking.rank(scores, held_out, n_items=n_items, num_negatives=0, seed=self.seed)
        return metrics.ranking_metrics(found.full), len(chosen)


def _at_most(places: Places, most: int, seed: int) -> Places:
    """Return at most that many interactions, drawn from the seed, in the order of the log."""
    if len(places) <= most:
        return places
    return places.take(np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False)))
