"""golden.json: histories with the answers each variant must give, and the check that any client can make of itself."""

import itertools
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import answers
from sasrec_runtime.engines.contract import BATCH_ROWS, Session
from sasrec_runtime.errors import (
    AnswerError,
    BundleError,
    EngineError,
    FormatVersionError,
    HistoryError,
    RequestError,
    UnknownItemError,
)
from sasrec_runtime.manifest import MAX_ITEMS
from sasrec_runtime.recommender import Recommender
from sasrec_runtime.signature import PAD_ID, RECOMMEND_BATCH
from sasrec_runtime.vocabulary.vocabulary import Vocabulary

__all__ = ["GOLDEN_VERSION", "Answer", "Case", "Golden", "answer", "check", "decode", "encode", "read"]

GOLDEN_VERSION: Final = 1
"""Version of golden.json that this code writes, and the newest it reads."""

LIMIT_BYTES: Final = 32 << 20
"""A golden.json has some hundred kilobytes; a far larger one is not read."""

ANSWER_ERRORS: Final = (AnswerError, EngineError, RequestError)
"""Errors of a valid case for which the model of the variant, or its manifest, is to blame."""

ItemId = Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS)]
HistoryId = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]
"""An input of the graph: int32. Ids outside 1…n_items count as padding."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer of one variant to a case."""

    item_ids: list[ItemId]
    """Output `items`, without padding."""
    item_keys: list[str]
    """The keys of those ids."""
    scores: list[float]
    """Output `scores`, of those items."""
    candidate_scores: list[float]
    """Output `scores` of the entry `score`, one for each of the case's candidates."""

    def __post_init__(self) -> None:
        lengths = len(self.item_ids), len(self.item_keys), len(self.scores)
        if len(set(lengths)) > 1:
            raise ValueError(f"item_ids, item_keys and scores have {lengths} values, expected as many of each")


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request."""

    name: str
    """What is special about the request, for messages."""
    history: list[str]
    """Item keys, oldest first."""
    history_ids: list[HistoryId]
    """The ids of those keys."""
    exclude_ids: list[HistoryId]
    """Input `exclude`."""
    k: ItemId
    """Input `k`."""
    candidate_ids: list[ItemId]
    """Input `candidates` of the entry `score`."""
    answers: dict[str, Answer]
    """Variant name → its answer."""

    def __post_init__(self) -> None:
        for name, answer in self.answers.items():
            if len(answer.item_ids) > self.k:
                raise ValueError(f"{name}: item_ids has {len(answer.item_ids)} values, expected at most k = {self.k}")
            if len(answer.candidate_scores) != len(self.candidate_ids):
                raise ValueError(
                    f"{name}: candidate_scores has {len(answer.candidate_scores)} values, "
                    f"expected {len(self.candidate_ids)}, one per candidate"
                )


class Golden(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of golden.json."""

    format_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of this file's layout."""
    cases: list[Case]
    """The requests."""


class _Version(msgspec.Struct):
    """The one field that is read before the rest, so that a newer file is named as such."""

    format_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of this file's layout."""


def decode(data: bytes) -> Golden:
    """Return the goldens in `data`, the content of golden.json.

    Law: ``decode(encode(g)) == g``.

    Raises:
        BundleError: It is not JSON, misses a field, or has one of another type or name.
        FormatVersionError: It was written in a newer format.
    """
    if len(data) > LIMIT_BYTES:
        raise BundleError(f"golden.json is {len(data)} bytes, expected at most {LIMIT_BYTES}. Export the bundle again.")
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
        if version > GOLDEN_VERSION:
            raise FormatVersionError(  # noqa: TRY301 - it is one of the errors of reading
                f"golden.json: format_version is {version}, this reader knows up to {GOLDEN_VERSION}. "
                "Upgrade sasrec-edge, or export the bundle with this version."
            )
        return msgspec.json.decode(data, type=Golden)
    except FormatVersionError:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BundleError(f"golden.json: {error}. Export the bundle again.") from error


def encode(golden: Golden) -> bytes:
    """Return golden.json.

    Raises:
        BundleError: A score is not finite, which JSON cannot express.
    """
    data = msgspec.json.format(msgspec.json.encode(golden), indent=1) + b"\n"
    decode(data)  # msgspec writes NaN and infinities as null, which no reader takes for a score
    return data


def read(bundle: Bundle) -> Golden:
    """Return the goldens of a bundle.

    Raises:
        BundleError: The file cannot be read, differs from the manifest (DigestError), or is not valid.
    """
    return decode(bundle.read(bundle.manifest.golden, LIMIT_BYTES))


def answer(session: Session, vocabulary: Vocabulary, case: Case) -> Answer:
    """Return what a session gives for a case: what export writes, and what `check` compares."""
    items, scores = _recommend(session, [case], case.k)
    return _answer_of(vocabulary, items[0], scores[0], _candidate_scores(session, case))


def check(golden: Golden, recommender: Recommender) -> list[str]:
    """Return how the recommender's answers differ from those of its variant; empty if they pass.

    The rule is that of runtime/BUNDLE.md: scores within the variant's `atol`, ids equal except among near-ties. A
    variant with the entry `recommend_batch` is asked again, in batches that run it.

    Raises:
        BundleError: A model of the variant cannot be loaded, or the bundle was replaced.
        SignatureError: A model differs from the contract.
    """
    name = recommender.variant.name
    cases = [(case, case.answers[name]) for case in golden.cases if name in case.answers]
    if not cases:
        return [f"golden.json has no answers of variant {name}, expected at least one."]
    failures = []
    for case, expected in cases:
        history = _history_failures(case, recommender.vocabulary)
        try:
            items, scores = _recommend(recommender.session, [case], case.k)
            candidate_scores = _candidate_scores(recommender.session, case)
        except ANSWER_ERRORS as error:
            failures.append(f"{case.name}: {error}")
            continue
        sentences = _row_failures(case, expected, recommender, items, scores, candidate_scores)
        failures += [f"{case.name}: {sentence}" for sentence in history + sentences]
    if RECOMMEND_BATCH in recommender.variant.entries:
        failures += _batch_failures(cases, recommender)
    return failures


def _batch_failures(cases: list[tuple[Case, Answer]], recommender: Recommender) -> list[str]:
    """Ask the cases again as rows of batches, one for each k, filled up by asking some of them several times."""
    failures = []
    for k in sorted({case.k for case, _ in cases}):
        of_k = [(case, expected) for case, expected in cases if case.k == k]
        rows = list(itertools.islice(itertools.cycle(of_k), max(len(of_k), BATCH_ROWS)))
        place = f"in a batch of {len(rows)} rows"
        try:
            items, scores = _recommend(recommender.session, [case for case, _ in rows], k)
        except ANSWER_ERRORS as error:
            failures.append(f"k = {k}, {place}: {error}")
            continue
        for row, (case, expected) in enumerate(rows):
            outputs = items[row : row + 1], scores[row : row + 1]
            sentences = _row_failures(case, expected, recommender, *outputs, expected.candidate_scores)
            failures += [f"{case.name}, {place}: {sentence}" for sentence in sentences]
    return list(dict.fromkeys(failures))


def _recommend(session: Session, cases: list[Case], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return items (B, k) and scores (B, k) of several cases."""
    history_ids, exclude_ids = [case.history_ids for case in cases], [case.exclude_ids for case in cases]
    history = history_module.encode_batch(history_ids, max_len=max(1, *map(len, history_ids)))
    width = max(map(len, exclude_ids))
    if not width:
        return session.recommend(history, np.empty((len(cases), 0), np.int32), k)
    return session.recommend(history, history_module.encode_batch(exclude_ids, max_len=width), k)


def _candidate_scores(session: Session, case: Case) -> list[float]:
    if not case.candidate_ids:
        return []
    history = history_module.encode_batch([case.history_ids], max_len=max(1, len(case.history_ids)))
    scores: list[float] = session.score(history, np.array([case.candidate_ids], np.int32))[0].tolist()
    return scores


def _answer_of(
    vocabulary: Vocabulary, items: NDArray[np.int32], scores: NDArray[np.float32], candidate_scores: list[float]
) -> Answer:
    """Return one row of outputs without padding."""
    taken = items != PAD_ID
    item_ids: list[int] = items[taken].tolist()
    return Answer(
        item_ids=item_ids,
        item_keys=[vocabulary.key(item_id) for item_id in item_ids],
        scores=scores[taken].tolist(),
        candidate_scores=candidate_scores,
    )


def _row_failures(
    case: Case,
    expected: Answer,
    recommender: Recommender,
    items: NDArray[np.int32],
    scores: NDArray[np.float32],
    candidate_scores: list[float],
) -> list[str]:
    """Compare a row (1, k) of outputs, and scores of candidates, with the expected answer."""
    try:
        seen = _answer_of(recommender.vocabulary, items[0], scores[0], candidate_scores)
    except HistoryError as error:  # an answer that is not an item
        return [str(error)]
    failures = _answer_failures(case, seen, expected, recommender.variant.atol)
    if failures:
        return failures
    # Within atol of the expected scores, but in an order or at a rank that the contract does not allow.
    exclude = np.array([case.exclude_ids], np.int32)
    unsound = answers.problem(items, scores, exclude, len(recommender.vocabulary))
    return [f"{unsound.partition(': ')[2]}."] if unsound else []


def _history_failures(case: Case, vocabulary: Vocabulary) -> list[str]:
    try:
        ids = vocabulary.id_list(case.history, place="history")
    except UnknownItemError as error:
        return [str(error)]
    return [] if ids == case.history_ids else [f"ids of the history are {ids}, expected {case.history_ids}."]


def _answer_failures(case: Case, seen: Answer, expected: Answer, atol: float) -> list[str]:
    if len(seen.item_ids) != len(expected.item_ids):
        return [f"recommend gives {len(seen.item_ids)} items, expected {len(expected.item_ids)}."]
    failures = _score_failures("scores", seen.scores, expected.scores, atol)
    failures += _id_failures(seen.item_ids, expected, 2 * atol)
    if allowed := set(seen.item_ids) & set(case.exclude_ids):
        failures.append(f"items hold {sorted(allowed)}, which the case excludes.")
    keys = dict(zip(expected.item_ids, expected.item_keys, strict=True))
    failures += [
        f"key of item {item_id} is {key!r:.80}, expected {keys[item_id]!r:.80}."
        for item_id, key in zip(seen.item_ids, seen.item_keys, strict=True)
        if keys.get(item_id, key) != key
    ]
    return failures + _score_failures("candidate_scores", seen.candidate_scores, expected.candidate_scores, atol)


def _score_failures(place: str, seen: list[float], expected: list[float], atol: float) -> list[str]:
    if len(seen) != len(expected):
        return [f"{place} has {len(seen)} values, expected {len(expected)}."]
    return [
        f"{place}[{i}] is {a:.6g}, expected {b:.6g} within {atol:.3g}."
        for i, (a, b) in enumerate(zip(seen, expected, strict=True))
        if not abs(a - b) <= atol  # not the other way round: NaN fails
    ]


def _id_failures(seen: list[int], expected: Answer, tie: float) -> list[str]:
    """Compare ids rank by rank; scores at most `tie` apart may stand in any order, and at the last rank drop out."""
    if len(set(seen)) < len(seen):
        return [f"items are {seen}, expected each item once."]
    last = len(seen) - 1
    rank_seen = {item_id: rank for rank, item_id in enumerate(seen)}
    rank_expected = {item_id: rank for rank, item_id in enumerate(expected.item_ids)}
    failures = []
    for item_id, rank in rank_expected.items():
        seen_rank = rank_seen.get(item_id, last)
        if seen_rank != rank and abs(expected.scores[rank] - expected.scores[seen_rank]) > tie:
            where = f"at rank {seen_rank}" if item_id in rank_seen else "missing"
            failures.append(f"item {item_id} is {where}, expected at rank {rank}, where items[{rank}] is {seen[rank]}.")
    for item_id, rank in rank_seen.items():
        if item_id not in rank_expected and abs(expected.scores[rank] - expected.scores[last]) > tie:
            failures.append(f"items[{rank}] is {item_id}, expected {expected.item_ids[rank]}.")
    return failures
