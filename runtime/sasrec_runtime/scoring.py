"""Scores of given candidates: requests of `score`, alone and in batches."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import batching
from sasrec_runtime import history as history_module
from sasrec_runtime.engines import answers
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.errors import HistoryError, RequestError
from sasrec_runtime.manifest import ModelCard, Variant

__all__ = ["Request", "checked", "score", "score_batch"]


class Request(NamedTuple):
    """One history, and what to score for it."""

    newest: list[int]
    """Ids of its newest items, oldest first."""
    candidates: list[int]
    """Ids to score."""


def checked(newest: list[int], candidates: list[int], history_place: str, candidates_place: str) -> Request:
    """Return a request that can be answered; the places are what messages call its two parts.

    Raises:
        HistoryError: The history is empty.
        RequestError: There are no candidates.
    """
    if not candidates:
        raise RequestError(f"{candidates_place} is empty, expected at least one item key.")
    if not any(newest):
        raise HistoryError(
            f"{history_place} is empty, or none of its newest items is known; expected at least one known item. "
            "Rank newcomers by recommend([]), the most popular items."
        )
    return Request(newest, candidates)


def score(session: Session, variant: Variant, request: Request) -> NDArray[np.float32]:
    """Return the scores of one request, float32 (C,)."""
    candidates = np.array([request.candidates], np.int32)
    scores = session.score(np.array([request.newest], np.int32), candidates)
    answers.check_scores(variant.name, scores, candidates)
    return scores.reshape(-1)


def score_batch(
    session: Session, variant: Variant, model: ModelCard, requests: Sequence[Request], batch_bytes: int
) -> list[NDArray[np.float32]]:
    """Return the scores of several requests, float32 (C,) for each; `batch_bytes` is the memory for one call."""
    found: dict[int, NDArray[np.float32]] = {}
    sizes = [(len(request.newest), len(request.candidates)) for request in requests]
    for group in batching.to_score(model, sizes, batch_bytes):
        scores = _together(session, variant, model, [requests[row] for row in group])
        found.update(zip(group, scores, strict=True))
    return [found[row] for row in range(len(requests))]


def _together(
    session: Session, variant: Variant, model: ModelCard, requests: list[Request]
) -> Iterator[NDArray[np.float32]]:
    history = history_module.encode_batch([request.newest for request in requests], max_len=model.max_len)
    wanted = [request.candidates for request in requests]
    candidates = history_module.encode_batch(wanted, max_len=max(map(len, wanted)))  # padded on the left, too
    scores = session.score(history, candidates)
    answers.check_scores(variant.name, scores, candidates)
    # A copy, for a view would keep the whole group's scores.
    return (row[-len(candidate_ids) :].copy() for row, candidate_ids in zip(scores, wanted, strict=True))
