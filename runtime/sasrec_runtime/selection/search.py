"""The k best items of an allowed set, with a limit for each group: exact, on either entry of a variant.

Few allowed items are scored by the entry `score`. Many are ranked by the entry `recommend`, all others excluded; so is
the whole catalogue. The limit for a group is kept by taking items from the best down; where the list ends too early,
the entry is asked again without the groups that are full.

Laws, for the scores of the entry that a request runs on:

- The answer is the k best of all lists that keep to the set, the exclusions and the limit, ties to the lower id.
- It is shorter than k only where fewer items can be taken.
- A request is answered as if it had been asked alone, but for rounding.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import batching
from sasrec_runtime import history as history_module
from sasrec_runtime.engines import answers
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.manifest import ModelCard, Variant
from sasrec_runtime.selection import item_set
from sasrec_runtime.selection.allowed_set import AllowedSet
from sasrec_runtime.selection.limits import Limits
from sasrec_runtime.signature import PAD_ID

__all__ = ["Ranked", "Request", "Search"]

SCORED_ITEMS: Final = 1024
"""Allowed items up to which `score` is taken whatever the catalogue's size."""

SCORED_SHARE: Final = 16
"""Beyond, `score` is taken up to one of so many items of the catalogue: tools/bench_among.py shows where both cost the
same, at 20,000 and at 100,000 items."""

SCORED_AT_ONCE: Final = 1 << 14
"""Candidates in one call at most: it holds the vector of each, 12 MB in all at 64 dimensions."""


class Request(NamedTuple):
    """One history, and which items may be its answer."""

    newest: list[int]
    """Ids of its newest items, oldest first; at least one that is not padding."""
    excluded: NDArray[np.int32]
    """Ids not to return, in ascending order, each once."""
    among: AllowedSet | None
    """Items that may be returned; None: all."""


class Ranked(NamedTuple):
    """The answer to a request."""

    item_ids: list[int]
    """The best first, at most k."""
    scores: list[float]
    """One for each."""


class Search:
    """Answers requests on one session.

    Args:
        session: A loaded variant.
        variant: Which one it is.
        model: Its network.
        batch_bytes: Memory for the arrays of one call.
    """

    def __init__(self, session: Session, variant: Variant, model: ModelCard, batch_bytes: int) -> None:
        self._session = session
        self._variant = variant
        self._model = model
        self._batch_bytes = batch_bytes

    def best(self, requests: Sequence[Request], k: int, limits: Limits) -> list[Ranked]:
        """Return the answer to each request, in their order.

        Args:
            requests: What is asked.
            k: Items for each, in what the variant can answer.
            limits: What holds for every answer beside its request.

        Raises:
            AnswerError, BundleReplacedError, EngineError: As `Recommender.recommend`.
        """
        found: dict[int, Ranked] = {}
        excluded = [item_set.union(request.excluded, limits.left_out) for request in requests]
        ranked = [row for row, request in enumerate(requests) if not self._is_scored(request.among)]
        found.update(self._by_recommend(requests, {row: excluded[row] for row in ranked}, k, limits))
        left = [row for row in range(len(requests)) if row not in found]
        found.update(self._by_score(requests, {row: excluded[row] for row in left}, k, limits))
        return [found[row] for row in range(len(requests))]

    def _is_scored(self, among: AllowedSet | None) -> bool:
        most = max(SCORED_ITEMS, self._model.n_items // SCORED_SHARE)
        return among is not None and len(among) <= most

    def _by_score(
        self, requests: Sequence[Request], excluded: dict[int, NDArray[np.int32]], k: int, limits: Limits
    ) -> Iterator[tuple[int, Ranked]]:
        """Yield row → answer, for rows whose every candidate is scored."""
        candidates = {row: item_set.without(self._allowed(requests[row].among), excluded[row]) for row in excluded}
        rows = [row for row in excluded if len(candidates[row])]
        yield from ((row, Ranked([], [])) for row in excluded if not len(candidates[row]))
        sizes = [(len(requests[row].newest), len(candidates[row])) for row in rows]
        for group in batching.to_score(self._model, sizes, self._batch_bytes):
            together = [rows[place] for place in group]
            history = self._histories([requests[row] for row in together])
            scores = self._scores(history, _stacked([candidates[row] for row in together]))
            for row, row_scores in zip(together, scores, strict=True):
                yield row, _best(candidates[row], row_scores[: len(candidates[row])], k, limits)

    def _allowed(self, among: AllowedSet | None) -> NDArray[np.int32]:
        return np.arange(1, self._model.n_items + 1, dtype=np.int32) if among is None else among.item_ids

    def _scores(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        scores = np.empty(candidates.shape, np.float32)
        for start in range(0, candidates.shape[1], SCORED_AT_ONCE):
            part = candidates[:, start : start + SCORED_AT_ONCE]
            scores[:, start : start + SCORED_AT_ONCE] = self._session.score(history, np.ascontiguousarray(part))
        answers.check_scores(self._variant.name, scores, candidates)
        return scores

    def _by_recommend(
        self, requests: Sequence[Request], excluded: dict[int, NDArray[np.int32]], k: int, limits: Limits
    ) -> Iterator[tuple[int, Ranked]]:
        """Yield row → answer, for rows that the entry can rank: their exclusions must fit into the variant."""
        states = {}
        for row, left_out in excluded.items():
            among = requests[row].among
            states[row] = _State(left_out if among is None else item_set.union(left_out, among.rest))
        asked = self._asked(k, limits)
        while states:
            for row in [row for row, state in states.items() if not self._fits(state.excluded)]:
                del states[row]  # the entry `score` answers it
            lengths = {row: len(requests[row].newest) for row in states}
            widest = max((len(state.excluded) for state in states.values()), default=0)
            for group in batching.to_recommend(self._model, lengths, self._batch_bytes, excluded=widest):
                together = [requests[row] for row in group]
                items, scores = self._ranking(together, [states[row].excluded for row in group], asked)
                for row, row_items, row_scores in zip(group, items.tolist(), scores.tolist(), strict=True):
                    if states[row].take(row_items, row_scores, k, limits):
                        yield row, states.pop(row).ranked

    def _asked(self, k: int, limits: Limits) -> int:
        """Return how many items to ask for: with a limit some of the k best fall away."""
        most = self._variant.fixed_k or self._model.n_items
        return k if limits.groups is None else min(2 * k, most)

    def _fits(self, excluded: NDArray[np.int32]) -> bool:
        return not self._variant.fixed_exclude or len(excluded) <= self._variant.fixed_exclude

    def _ranking(
        self, requests: list[Request], excluded: list[NDArray[np.int32]], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        exclude = _stacked(excluded)
        items, scores = self._session.recommend(self._histories(requests), exclude, k)
        for row, row_items, row_scores in zip(excluded, items.tolist(), scores.tolist(), strict=True):
            # Without the exclusions, which may be the catalogue: looking up a few items in them is faster.
            sound = answers.is_sound(row_items, row_scores, self._model.n_items, ())
            if not (sound and item_set.is_disjoint(row, row_items)):
                answers.check(self._variant.name, items, scores, exclude, self._model.n_items)
                break  # nothing is wrong: some ranks hold padding
        return items, scores

    def _histories(self, requests: list[Request]) -> NDArray[np.int32]:
        return history_module.encode_batch([request.newest for request in requests], max_len=self._model.max_len)


class _State:
    """An answer that grows until it has k items, or no item is left."""

    def __init__(self, excluded: NDArray[np.int32]) -> None:
        self.excluded = excluded
        """Ids that cannot be taken any more, in ascending order."""
        self.ranked = Ranked([], [])
        """What was taken."""
        self._counts: Counter[int] = Counter()

    def take(self, item_ids: list[int], scores: list[float], k: int, limits: Limits) -> bool:
        """Take what there is room for from the next best items, and return whether the answer is whole."""
        is_last = item_ids[-1] == PAD_ID
        if is_last:
            item_ids = item_ids[: item_ids.index(PAD_ID)]
        places = limits.taken(item_ids, k - len(self.ranked.item_ids), self._counts)
        taken = [item_ids[place] for place in places]
        self.ranked.item_ids.extend(taken)
        self.ranked.scores.extend(scores[place] for place in places)
        if is_last or len(self.ranked.item_ids) == k:
            return True
        gone = item_set.union(item_set.distinct(taken), limits.full(self._counts))
        self.excluded = item_set.union(self.excluded, gone)
        return False


def _best(item_ids: NDArray[np.int32], scores: NDArray[np.float32], k: int, limits: Limits) -> Ranked:
    """Return the k best of scored items, whose ids are in ascending order, under the limits."""
    counts: Counter[int] = Counter()
    prefix = k if limits.groups is None else 2 * k
    while True:
        order = _order(scores, prefix)
        places = limits.taken(item_ids[order].tolist(), k, counts)
        if len(places) == k or len(order) == len(scores):
            chosen = order[places]
            return Ranked(item_ids[chosen].tolist(), scores[chosen].tolist())
        counts.clear()
        prefix *= 4


def _order(scores: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the places of the k best scores, the best first, ties to the first place."""
    if k < len(scores):
        lowest = -np.partition(-scores, k - 1)[k - 1]
        places = np.flatnonzero(scores >= lowest)  # all that tie with the last one, too
        return places[np.argsort(-scores[places], kind="stable")[:k]]
    return np.argsort(-scores, kind="stable")


def _stacked(sets: Sequence[NDArray[Any]]) -> NDArray[np.int32]:
    """Return sets of ids as rows, padded on the right: int32 (len(sets), the longest)."""
    stacked = np.full((len(sets), max(map(len, sets))), PAD_ID, np.int32)
    for row, item_ids in enumerate(sets):
        stacked[row, : len(item_ids)] = item_ids
    return stacked
