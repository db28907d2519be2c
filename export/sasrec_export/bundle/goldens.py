"""golden.json of a new bundle: synthetic requests of every kind, and what each variant answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_export.bundle.golden_histories import POPULAR_SHARE, HistorySampler
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.golden import Case, Golden
from sasrec_runtime.engines.open import open_session
from sasrec_train.log.interactions import Histories

__all__ = ["Request", "draw", "record"]

CANDIDATES = 11
K = 10
MOST_K = 100
"""k of the case with the largest k."""
MANY = 200
"""Exclusions of the case with many exclusions, where the catalogue has more items."""
EXAMPLE = 5
"""Items of the first case, which the bundle's card shows."""
BEYOND = 200
"""Items by which the longest history may exceed the window."""
BATCH_ROWS = 8
"""Cases that are also sent as rows of one batch; their lengths are quantiles of the lengths in the log."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a case asks, before the limits of the bundle's variants are known."""

    name: str
    """What is special about it."""
    history_ids: list[int]
    """Oldest first; not the history of a user."""
    exclude_ids: list[int]
    """Excluded items; `record` shortens them to what the variants can take."""
    candidate_ids: list[int]
    """Items to score, each once."""
    k: int
    """Items asked for; `record` lowers it to what the variants can return."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a request of one kind is drawn."""

    name: str
    """Name of the case."""
    length: int
    """Items of the history."""
    exclude: str
    """What is excluded: "history", "nothing", "one" item or "many"."""
    repeats: bool = False
    """Whether an item occurs twice."""
    popular_only: bool = False
    """Whether all items are popular ones."""
    k: int = K
    """Items asked for."""


def draw(
    real: Sequence[Histories], *, n_items: int, max_len: int, popular: Sequence[int], seed: int = 0
) -> list[Request]:
    """Return requests of every kind, none with a history of a user in the log.

    Histories have every length, from one item to far beyond the window, with repeated items and without, of popular
    items and others. Requests ask for one item, ten, and as many as possible, and exclude nothing, the history, one
    item and many. Equal arguments give equal requests. A kind that cannot be drawn without revealing a real history is
    left out; histories of one or two items never reveal one.

    Args:
        real: The histories of the log, and what its split left of them; lengths are drawn from the first set.
        n_items: Size of the catalogue.
        max_len: Newest items of a history that the network sees.
        popular: Ids of popular items, at least one.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    sampler = HistorySampler(real, np.array(popular, np.int32), n_items, max_len, rng)
    requests = []
    for kind in _kinds(max_len, real[0]):
        share = 1.0 if kind.popular_only else POPULAR_SHARE
        history = sampler.history(kind.length, repeats=kind.repeats, share=share)
        if history is None:
            continue
        counts = {"nothing": 0, "one": 1, "many": min(MANY, n_items - 1)}
        excluded = history if kind.exclude == "history" else sampler.distinct(counts[kind.exclude])
        candidates = sampler.distinct(min(CANDIDATES, n_items))
        requests.append(Request(kind.name, history, excluded, candidates, kind.k))
    return requests


def _kinds(max_len: int, log: Histories) -> list[_Kind]:
    longest = max_len + max(10, min(3 * max_len, BEYOND))
    usual = np.quantile(log.lengths, (np.arange(BATCH_ROWS) + 0.5) / BATCH_ROWS, method="nearest").clip(1, longest)
    median = int(usual[BATCH_ROWS // 2])
    return [
        _Kind("a short history", EXAMPLE, "history", popular_only=True),
        _Kind("one item", 1, "nothing"),
        _Kind("two items", 2, "history"),
        _Kind("half a window", max(1, max_len // 2), "nothing"),
        _Kind("a full window", max_len, "history"),
        _Kind("one item more than the window", max_len + 1, "nothing", repeats=True),
        _Kind("far more than the window", longest, "history"),
        _Kind("one item asked for", median, "nothing", repeats=True, k=1),
        _Kind("as many items as can be asked for", median, "history", k=MOST_K),
        _Kind("many items excluded", median, "many", repeats=True),
        *(
            _Kind(f"batch row {row}", int(length), ("history", "nothing", "history", "one")[row % 4], row % 3 == 0)
            for row, length in enumerate(usual, 1)
        ),
    ]


def record(bundle: Bundle, requests: Sequence[Request]) -> Golden:
    """Return the requests as golden cases of a bundle, answered by each of its variants.

    Args:
        bundle: Its variants and vocabulary are complete.
        requests: What `draw` returned for its catalogue.
    """
    variants, n_items = bundle.manifest.variants, bundle.manifest.model.n_items
    most = min([n_items, *(variant.fixed_k for variant in variants if variant.fixed_k)])
    places = min((variant.fixed_exclude for variant in variants if variant.fixed_exclude), default=0)
    cases = [
        Case(
            name=request.name,
            history=[bundle.vocabulary.key(item_id) for item_id in request.history_ids],
            history_ids=request.history_ids,
            exclude_ids=_fitted(request.exclude_ids, places),
            k=min(request.k, most),
            candidate_ids=request.candidate_ids,
            answers={},
        )
        for request in requests
    ]
    for variant in variants:
        opened = open_session(bundle, variant)
        for case in cases:
            case.answers[variant.name] = golden.answer(opened, bundle.vocabulary, case)
    return Golden(format_version=golden.GOLDEN_VERSION, cases=cases)


def _fitted(item_ids: list[int], places: int) -> list[int]:
    """Return the ids, or the newest of them where a variant has only `places` columns for them; 0: any number."""
    return item_ids if not places or len(item_ids) <= places else list(dict.fromkeys(reversed(item_ids)))[:places]
