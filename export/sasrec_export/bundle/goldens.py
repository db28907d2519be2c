"""golden.json of a new bundle: made-up requests of every kind, and what each variant answers to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sasrec_export.bundle.made_up import POPULAR_SHARE, MadeUp
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.golden import Case, Golden
from sasrec_runtime.engines.open import open_session
from sasrec_train.log.interactions import Histories

__all__ = ["Request", "draw", "record"]

CANDIDATES = 11
K = 10
MOST_K = 100
"""k of the case that asks for as many items as can be asked for."""
MANY = 200
"""Items that the case with many exclusions excludes, where the catalogue has more."""
EXAMPLE = 5
"""Items of the first case, which the bundle's card shows."""
BEYOND = 200
"""Items by which the longest history may exceed the window."""
BATCH_ROWS = 8
"""Cases that are also asked as rows of one batch; their lengths are those of the log's users."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a case asks, before it is known what the variants of the bundle can be asked."""

    name: str
    """What is special about it."""
    history_ids: list[int]
    """Oldest first; nobody's."""
    exclude_ids: list[int]
    """As many as are wished."""
    candidate_ids: list[int]
    """Items to score, each once."""
    k: int
    """Wished."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """How a request is drawn. `exclude`: "history", "nothing", "one" or "many"."""

    name: str
    length: int
    exclude: str
    repeats: bool = False
    popular_only: bool = False
    k: int = K


def draw(
    real: Sequence[Histories], *, n_items: int, max_len: int, popular: Sequence[int], seed: int = 0
) -> list[Request]:
    """Return requests of every kind, none with a history that somebody in the log had.

    Of every length, from one item to far beyond the window; with repeated items and without; popular ones and others;
    for one item, ten, and as many as can be; with nothing, the history, one item and many excluded. Equal for equal
    arguments. A kind that cannot be drawn without meeting a real history is left out; one or two items always can be,
    for so few are in everybody's.

    Args:
        real: The histories of the log, and what its split left of them; the lengths of the first set's are usual ones.
        n_items: Size of the catalogue.
        max_len: Newest items of a history that the network sees.
        popular: Ids of popular items, at least one.
        seed: Of everything drawn.
    """
    rng = np.random.default_rng(seed)
    made_up = MadeUp(real, np.array(popular, np.int32), n_items, max_len, rng)
    requests = []
    for wish in _wishes(max_len, real[0]):
        share = 1.0 if wish.popular_only else POPULAR_SHARE
        history = made_up.history(wish.length, repeats=wish.repeats, share=share)
        if history is None:
            continue
        counts = {"nothing": 0, "one": 1, "many": min(MANY, n_items - 1)}
        excluded = history if wish.exclude == "history" else made_up.distinct(counts[wish.exclude])
        candidates = made_up.distinct(min(CANDIDATES, n_items))
        requests.append(Request(wish.name, history, excluded, candidates, wish.k))
    return requests


def _wishes(max_len: int, log: Histories) -> list[_Wish]:
    longest = max_len + max(10, min(3 * max_len, BEYOND))
    usual = np.quantile(log.lengths, (np.arange(BATCH_ROWS) + 0.5) / BATCH_ROWS, method="nearest").clip(1, longest)
    median = int(usual[BATCH_ROWS // 2])
    return [
        _Wish("a short history", EXAMPLE, "history", popular_only=True),
        _Wish("one item", 1, "nothing"),
        _Wish("two items", 2, "history"),
        _Wish("half a window", max(1, max_len // 2), "nothing"),
        _Wish("a full window", max_len, "history"),
        _Wish("one item more than the window", max_len + 1, "nothing", repeats=True),
        _Wish("far more than the window", longest, "history"),
        _Wish("one item asked for", median, "nothing", repeats=True, k=1),
        _Wish("as many items as can be asked for", median, "history", k=MOST_K),
        _Wish("many items excluded", median, "many", repeats=True),
        *(
            _Wish(f"batch row {row}", int(length), ("history", "nothing", "history", "one")[row % 4], row % 3 == 0)
            for row, length in enumerate(usual, 1)
        ),
    ]


def record(bundle: Bundle, requests: Sequence[Request]) -> Golden:
    """Return the requests as golden cases of a bundle, answered by each of its variants.

    Args:
        bundle: Variants and vocabulary are complete.
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
    """Return the ids, or the newest of them where a variant has so many places; 0: any number."""
    return item_ids if not places or len(item_ids) <= places else list(dict.fromkeys(reversed(item_ids)))[:places]
