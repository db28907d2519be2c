"""The public way to use a bundle: item keys in, item keys with scores and titles out."""

import operator
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import arguments, batching, scoring
from sasrec_runtime import history as history_module
from sasrec_runtime.batching import BATCH_BYTES
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import answers, contract, first_runnable
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.options import OptionNames
from sasrec_runtime.errors import BundleReplacedError, RequestError, shown
from sasrec_runtime.folder_state import opened_again
from sasrec_runtime.manifest import Variant
from sasrec_runtime.recommendations import Item, Recommendations
from sasrec_runtime.selection import allowed_set, fallback, item_set, search
from sasrec_runtime.selection import limits as limits_module
from sasrec_runtime.selection.allowed_set import AllowedSet, Keys
from sasrec_runtime.selection.groups import Groups
from sasrec_runtime.selection.limits import Limits
from sasrec_runtime.signature import PAD_ID
from sasrec_runtime.vocabulary.vocabulary import Unknown

__all__ = ["BATCH_BYTES", "AllowedSet", "Groups", "Item", "Recommendations", "Recommender"]


class Recommender:
    """A loaded variant of a bundle. Safe to call from several threads.

    Laws: `recommend` never returns an excluded item or one item twice; ``recommend(keys, j)`` is the start of
    ``recommend(keys, k)`` for j < k; `recommend_batch` answers as `recommend` does, row by row, and `score_batch` as
    `score` does, but for rounding. With `among`, `groups` or both, the answer is the exact best under them, as
    `selection.search` says.

    Example:
        ``Recommender.load("bundle").recommend(["50", "181", "172"], k=10)``
    """

    def __init__(self, bundle: Bundle, variant: Variant, session: Session, *, unknown: Unknown = "error") -> None:
        if unknown not in get_args(Unknown):
            raise RequestError(f"unknown is {shown(unknown)}, expected one of {', '.join(get_args(Unknown))}.")
        self.bundle = bundle
        self.variant = variant
        self.session = session
        self.vocabulary = bundle.vocabulary
        self._unknown: Unknown = unknown
        self._max_len = bundle.manifest.model.max_len
        self._n_items = bundle.manifest.model.n_items
        self._options: OptionNames | None = None

    @classmethod
    def load(
        cls,
        bundle: str | Path | Bundle,
        *,
        variant: str | None = None,
        unknown: Literal["error", "drop", "map"] = "error",
        **options: Unpack[OptionNames],
    ) -> "Recommender":
        """Return a recommender for a bundle.

        Everything is read from one state of the folder, also by the first `score` and `recommend_batch`, which load
        models of their own.

        Args:
            bundle: The folder, or one already open. A folder that is replaced meanwhile is opened again.
            variant: Name of the variant; None takes the first whose runtime is installed.
            unknown: For a history key outside the vocabulary: "error" raises, "drop" leaves it out, "map" keeps its
                place as padding.
            options: The fields of `SessionOptions`: threads=1, spinning=False, arena=True, providers=("cpu",),
                weight_cache=None, verify=None.

        Raises:
            BundleError: The bundle is missing, incomplete or not valid, or the engine cannot load it.
            BundleReplacedError: The folder holds another bundle than when `bundle` was opened; later, so may the first
                `score` or `recommend_batch`.
            DigestError: A file is not the one that the manifest describes.
            MissingRuntimeError: No runtime for it is installed, or only too old ones.
            ProviderError: The runtime has no such execution provider.
            RequestError: An option has a value that it cannot have.
            VariantError: It has no variant of that name.
        """
        if isinstance(bundle, Bundle):
            return cls._load(bundle, variant, unknown, options)
        return opened_again(lambda: cls._load(Bundle.open(bundle), variant, unknown, options))

    @classmethod
    def _load(cls, bundle: Bundle, variant: str | None, unknown: Unknown, options: OptionNames) -> "Recommender":
        candidates = bundle.manifest.variants if variant is None else [bundle.variant(variant)]
        to_hash = bundle.to_hash(candidates[0], options.get("verify"))

        def load() -> Recommender:
            with first_runnable.vocabulary_beside(bundle, to_hash):
                chosen, session = first_runnable.open_first(bundle, candidates, options)
            bundle.load_vocabulary(to_hash)
            return cls(bundle, chosen, session, unknown=unknown)

        recommender = bundle.steadily(load)
        recommender._options = options
        return recommender

    def __reduce__(self) -> tuple[Any, ...]:
        """Have pickle and deepcopy load the bundle again: an engine's memory cannot be serialized."""
        if self._options is None:
            raise RequestError("This recommender was not made by Recommender.load, so that it cannot be copied.")
        digest = self.bundle.manifest_sha256
        return _load_again, (str(self.bundle.root), digest, self.variant.name, self._unknown, self._options)

    def recommend(
        self,
        keys: Sequence[str],
        k: int = 10,
        *,
        exclude: Sequence[str] = (),
        exclude_seen: bool = True,
        among: Keys | None = None,
        groups: Groups | None = None,
        exclude_groups: Sequence[str] | None = None,
        at_most_per_group: int | None = None,
    ) -> Recommendations:
        """Return the items most likely to come next.

        Args:
            keys: The user's history as item keys, oldest first. Empty: the most popular items, marked as fallback.
            k: Number of items, in 1…n_items.
            exclude: Keys not to return; those outside the vocabulary never are, and are ignored.
            exclude_seen: Leave out every item of the history, however old.
            among: The only items to return: keys, or an `AllowedSet`, whose keys are looked up once for many calls.
                Those outside the vocabulary are ignored. With an empty history, allowed items that are not among the
                most popular ones follow these in the order of their ids.
            groups: The groups of the items, for the next two.
            exclude_groups: Names of groups whose items not to return.
            at_most_per_group: Items of one group at most. Items without a group are not counted.

        Raises:
            AnswerError: The model's answer breaks the graph contract.
            BundleReplacedError: `recommend_batch` or `score` were to be loaded, and the folder holds another bundle.
            EngineError: The engine failed.
            HistoryError: `keys`, `exclude` or `among` is not a sequence of text.
            RequestError: k is out of range, `among` holds no item, or a group is not there.
            UnknownItemError: A key of the history is unknown, and the recommender was loaded with unknown="error".
        """
        k = self._checked_k(k)
        ids = self.vocabulary.id_list(keys, self._unknown, place="history")
        nothing = isinstance(exclude, tuple) and not exclude  # as most callers leave it
        excluded = [] if nothing else self.vocabulary.id_list(exclude, "drop", place="exclude")
        if exclude_seen:
            excluded = excluded + ids if excluded else ids
        if not (among is None and groups is None and exclude_groups is None and at_most_per_group is None):
            limits = limits_module.limits_of(groups, exclude_groups, at_most_per_group, self.bundle)
            allowed = None if among is None else allowed_set.as_allowed_set(among, self.bundle)
            return self._restricted([(ids, excluded, allowed)], k, limits, BATCH_BYTES)[0]
        newest = ids[-self._max_len :]
        if not any(newest):
            return self._fallback(k, excluded)
        history = np.array([newest], np.int32)
        same = excluded is ids and len(newest) == len(ids)
        exclude_ids = history if same else np.array([excluded], np.int32)
        items, scores = self.session.recommend(history, exclude_ids, k)
        item_ids, item_scores = items[0].tolist(), scores[0].tolist()
        if not answers.is_sound(item_ids, item_scores, self._n_items, excluded):
            answers.check(self.variant.name, items, scores, exclude_ids, self._n_items)
        return self._answer(item_ids, item_scores)

    def recommend_batch(
        self,
        histories: Sequence[Sequence[str]],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        among: Keys | Sequence[Keys | None] | None = None,
        groups: Groups | None = None,
        exclude_groups: Sequence[str] | None = None,
        at_most_per_group: int | None = None,
        batch_bytes: int = BATCH_BYTES,
    ) -> list[Recommendations]:
        """Return what `recommend` returns, for each of several histories.

        Histories run in groups of similar length, so that short ones are not padded to the longest.

        Args:
            histories: Item keys of each user, oldest first.
            k: Number of items for each.
            exclude_seen: As for `recommend`.
            among: As for `recommend`, one set for all histories; or a sequence of sets, one for each history, None
                where all items are allowed.
            groups: As for `recommend`.
            exclude_groups: As for `recommend`.
            at_most_per_group: As for `recommend`, in each answer.
            batch_bytes: Memory that the session's own arrays may take in one call; a group has as many histories as
                fit, and at least one.

        Raises:
            As `recommend`; messages name the history, as in `histories[3][0]`.
        """
        k = self._checked_k(k)
        batch_bytes = arguments.checked_bytes(batch_bytes)
        id_lists = [
            self.vocabulary.id_list(keys, self._unknown, place=f"histories[{row}]")
            for row, keys in enumerate(arguments.as_lists("histories", histories, "histories"))
        ]
        if not (among is None and groups is None and exclude_groups is None and at_most_per_group is None):
            limits = limits_module.limits_of(groups, exclude_groups, at_most_per_group, self.bundle)
            sets = allowed_set.allowed_of_rows(among, len(id_lists), self.bundle)
            wanted = [(ids, ids if exclude_seen else [], one) for ids, one in zip(id_lists, sets, strict=True)]
            return self._restricted(wanted, k, limits, batch_bytes)
        answers: dict[int, Recommendations] = {}
        rows = []
        for row, ids in enumerate(id_lists):
            if any(ids[-self._max_len :]):
                rows.append(row)
            else:
                answers[row] = self._fallback(k, ids if exclude_seen else [])
        lengths = {row: len(id_lists[row]) for row in rows}
        for group in batching.to_recommend(self.bundle.manifest.model, lengths, batch_bytes):
            answers.update(zip(group, self._run([id_lists[row] for row in group], k, exclude_seen), strict=True))
        return [answers[row] for row in range(len(id_lists))]

    def score(self, keys: Sequence[str], candidates: Sequence[str]) -> NDArray[np.float32]:
        """Return how likely each candidate comes next, as `recommend` scores it.

        Args:
            keys: The user's history as item keys, oldest first; at least one known.
            candidates: Item keys to score, all known; seen ones are scored like any other.

        Returns:
            (len(candidates),), in their order.

        Raises:
            AnswerError, BundleReplacedError, EngineError: As `recommend`.
            HistoryError: The history is empty.
            RequestError: There are no candidates.
            UnknownItemError: A candidate is unknown, whatever `unknown` the recommender was loaded with.
        """
        return scoring.score(self.session, self.variant, self._scorable(keys, candidates))

    def score_batch(
        self,
        histories: Sequence[Sequence[str]],
        candidates: Sequence[Sequence[str]],
        *,
        batch_bytes: int = BATCH_BYTES,
    ) -> list[NDArray[np.float32]]:
        """Return what `score` returns, for each of several histories with candidates of its own.

        Rows run in groups of similar numbers of candidates and similar length, so that short ones are not padded to
        the longest.

        Args:
            histories: Item keys of each user, oldest first; at least one known in each.
            candidates: Item keys to score for each user, all known.
            batch_bytes: As for `recommend_batch`.

        Returns:
            float32 (len(candidates[row]),) for each row.

        Raises:
            As `score`; messages name the row, as in `candidates[3][0]`. RequestError also where there are not as many
            lists of candidates as histories.
        """
        batch_bytes = arguments.checked_bytes(batch_bytes)
        histories = arguments.as_lists("histories", histories, "histories")
        candidates = arguments.as_lists("candidates", candidates, "lists of item keys")
        if len(histories) != len(candidates):
            raise RequestError(
                f"candidates has {len(candidates)} lists, expected {len(histories)}, one for each history."
            )
        requests = [
            self._scorable(keys, wanted, f"histories[{row}]", f"candidates[{row}]")
            for row, (keys, wanted) in enumerate(zip(histories, candidates, strict=True))
        ]
        return scoring.score_batch(self.session, self.variant, self.bundle.manifest.model, requests, batch_bytes)

    def check_history(self, keys: Sequence[str], *, suggest: bool = True) -> None:
        """Raise what `recommend` would raise for this history, without running the model.

        With `suggest` the message names similar keys when one is unknown, which takes up to 0.1 s.
        """
        self.vocabulary.id_list(keys, self._unknown, place="history", suggest=suggest)

    def check_score(self, keys: Sequence[str], candidates: Sequence[str], *, suggest: bool = True) -> None:
        """Raise what `score` would raise for this history and these candidates, without running the model.

        `suggest` is as for `check_history`.
        """
        self._scorable(keys, candidates, suggest=suggest)

    def __repr__(self) -> str:
        return f"Recommender({str(self.bundle.path)!r}, variant={self.variant.name!r}, n_items={self._n_items})"

    def _checked_k(self, k: int) -> int:
        try:
            k = int(operator.index(k))
        except TypeError as error:
            raise RequestError(f"k is {shown(k)}, expected a whole number in 1…{self._n_items}.") from error
        contract.check_k(k, self.variant, self._n_items)
        return k

    def _scorable(
        self,
        keys: Sequence[str],
        candidates: Sequence[str],
        history_place: str = "history",
        candidates_place: str = "candidates",
        *,
        suggest: bool = True,
    ) -> scoring.Request:
        """Return what to score; the places are what messages call the two."""
        ids = self.vocabulary.id_list(keys, self._unknown, place=history_place, suggest=suggest)
        candidate_ids = self.vocabulary.id_list(candidates, place=candidates_place, suggest=suggest)
        return scoring.checked(ids[-self._max_len :], candidate_ids, history_place, candidates_place)

    def _run(self, id_lists: list[list[int]], k: int, exclude_seen: bool) -> Iterator[Recommendations]:
        history = history_module.encode_batch(id_lists, max_len=self._max_len)
        width = max(map(len, id_lists)) if exclude_seen else 0
        exclude = (
            history_module.encode_batch(id_lists, max_len=width) if width else np.empty((len(history), 0), np.int32)
        )
        items, scores = self.session.recommend(history, exclude, k)
        answers.check(self.variant.name, items, scores, exclude, self._n_items)
        return map(self._answer, items.tolist(), scores.tolist())

    def _restricted(
        self,
        wanted: list[tuple[list[int], list[int], AllowedSet | None]],
        k: int,
        limits: Limits,
        batch_bytes: int,
    ) -> list[Recommendations]:
        """Return the answers to several histories, each with what it excludes and what it allows."""
        found: dict[int, Recommendations] = {}
        requests: dict[int, search.Request] = {}
        for row, (ids, excluded, among) in enumerate(wanted):
            newest = ids[-self._max_len :]
            if any(newest):
                requests[row] = search.Request(newest, item_set.distinct(excluded), among)
            else:
                popular = fallback.popular(self.bundle.manifest.fallback_items, k, excluded, among, limits)
                found[row] = self._popular(popular)
        searching = search.Search(self.session, self.variant, self.bundle.manifest.model, batch_bytes)
        ranked = searching.best(list(requests.values()), k, limits)
        found.update(zip(requests, (self._answer(*answer) for answer in ranked), strict=True))
        return [found[row] for row in range(len(wanted))]

    def _answer(self, item_ids: list[int], scores: list[float]) -> Recommendations:
        keys: Sequence[Any] = self.vocabulary.keys
        titles = self.vocabulary.titles
        return Recommendations(
            [Item(keys[i], score, titles[i]) for i, score in zip(item_ids, scores, strict=True) if i != PAD_ID]
        )

    def _fallback(self, k: int, excluded: list[int]) -> Recommendations:
        left_out = set(excluded)
        return self._popular([i for i in self.bundle.manifest.fallback_items if i not in left_out][:k])

    def _popular(self, item_ids: list[int]) -> Recommendations:
        keys: Sequence[Any] = self.vocabulary.keys
        return Recommendations([Item(keys[i], None, self.vocabulary.titles[i]) for i in item_ids], is_fallback=True)


def _load_again(
    root: str, manifest_sha256: str | None, variant: str, unknown: Unknown, options: OptionNames
) -> Recommender:
    """Return what `Recommender.__reduce__` describes.

    Raises:
        BundleReplacedError: The folder holds another bundle by now.
    """
    bundle = Bundle.open(root)
    if bundle.manifest_sha256 != manifest_sha256:
        raise BundleReplacedError(f"{root} was replaced after the recommender was copied. Load it again.")
    return Recommender.load(bundle, variant=variant, unknown=unknown, **options)
