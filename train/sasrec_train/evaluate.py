"""Rank every user's held-out item, against the whole catalogue and against 100 sampled negatives."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train import metrics
from sasrec_train.batches import left_padded
from sasrec_train.interactions import Histories
from sasrec_train.negatives import NO_NEGATIVE, Negatives
from sasrec_train.split import HeldOut, Split

__all__ = ["Scorer", "count_excluded_targets", "evaluate", "model_scorer", "on_test", "popularity_scorer", "rank"]

logger = logging.getLogger(__name__)

NUM_NEGATIVES = 100  # Kang & McAuley 2018, section 4.3.
MAX_SCORES = 2**24  # Scores held at once, 64 MiB.
ENCODER_BATCH = 256  # Histories a model encodes at once.

Scorer = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Rows of a HeldOut → scores (rows, V), higher is better; column 0 (padding) means nothing."""


def evaluate(
    scorer: Scorer,
    held_out: HeldOut,
    *,
    n_items: int,
    keep_seen: bool = False,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return the metrics of both protocols.

    Args:
        scorer: What is judged; see model_scorer and popularity_scorer.
        held_out: Users with their histories and held-out items.
        n_items: Catalogue size without the padding id.
        keep_seen: Rank items of the user's own history too. By default they are left out, as when recommending; a
            target among them cannot be recommended and counts as a miss.
        seed: Seed of the sampled negatives.

    Returns:
        {"full": {"hr@10": …}, "sampled": {…}}: against the whole catalogue, and against 100 uniform negatives outside
        the user's history. Ties count against the target.
    """
    full, sampled = rank(scorer, held_out, n_items=n_items, keep_seen=keep_seen, seed=seed)
    return {"full": metrics.ranking_metrics(full), "sampled": metrics.ranking_metrics(sampled)}


def rank(
    scorer: Scorer,
    held_out: HeldOut,
    *,
    n_items: int,
    keep_seen: bool = False,
    seed: int = 0,
    num_negatives: int = NUM_NEGATIVES,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each target's rank from 0 against the whole catalogue and against sampled negatives, both (H,).

    `num_negatives` 0 leaves the sampled ranks at 0. Memory is bounded, whatever the number of users and items.
    """
    outside = Negatives(held_out.histories.append(held_out.targets), n_items) if num_negatives else None
    if outside is not None and (few := int((outside.counts < num_negatives).sum())):
        logger.warning(
            "1 + %d sampled: %d of %d users have fewer than %d items outside their history; all of those are taken.",
            num_negatives,
            few,
            outside.counts.size,
            num_negatives,
        )
    rng = np.random.default_rng(seed)
    full = np.zeros(held_out.targets.size, np.int64)
    sampled = np.zeros_like(full)
    step = max(1, MAX_SCORES // (n_items + 1))
    for start in range(0, full.size, step):
        rows = np.arange(start, min(start + step, full.size))
        scores = np.array(scorer(rows), np.float32, order="C")  # a copy, written to through a flat view
        target = np.take_along_axis(scores, held_out.targets[rows][:, None], axis=1)
        if outside is not None:
            negatives = outside.sample_distinct(rng, rows, num_negatives)
            worse = np.take_along_axis(scores, negatives, axis=1) < target
            sampled[rows] = np.count_nonzero(negatives != NO_NEGATIVE, axis=1)
            sampled[rows] -= np.count_nonzero(worse & (negatives != NO_NEGATIVE), axis=1)
        full[rows] = _full_rank(scores, target, held_out, rows, keep_seen=keep_seen)
    return full, sampled


def _full_rank(
    scores: NDArray[np.float32],
    target: NDArray[np.float32],
    held_out: HeldOut,
    rows: NDArray[np.int64],
    *,
    keep_seen: bool,
) -> NDArray[np.int64]:
    """Items not worse than the target. Counting the worse ones makes NaN scores count against the target, too."""
    n_items = scores.shape[1] - 1
    scores[:, 0] = np.inf
    excluded = np.zeros(rows.size, np.int64)
    if not keep_seen:
        seen = held_out.histories.take(rows)
        places = np.unique(seen.rows() * scores.shape[1] + seen.item_ids)
        scores.reshape(-1)[places] = np.inf  # never worse; taken off below
        excluded = np.bincount(places // scores.shape[1], minlength=rows.size)
    rank = n_items - 1 - excluded - np.count_nonzero(scores < target, axis=1)
    if not keep_seen:
        missed = np.isposinf(scores[np.arange(rows.size), held_out.targets[rows]])
        rank[missed] = n_items
    return np.asarray(rank, np.int64)


def count_excluded_targets(held_out: HeldOut) -> int:
    """Return how many targets repeat an item of their own history, and so are misses unless seen items are kept."""
    histories = held_out.histories
    repeats = histories.item_ids == np.repeat(held_out.targets, histories.lengths)
    return int(np.unique(histories.rows()[repeats]).size)


def model_scorer(model: Any, histories: Histories, *, encode: Callable[[Any], Any] | None = None) -> Scorer:
    """Return the scorer of a SASRec model over the given histories.

    Histories are encoded once, those of like length together, so that short ones cost little.

    Args:
        model: A SASRec.
        histories: One history per row that will be asked for.
        encode: What model.encoder() returned; give it where the same model is scored again and again.
    """
    encode = encode or model.encoder()
    lengths = np.minimum(histories.lengths, model.config.max_len)
    vectors = np.empty((len(histories), model.config.hidden_dim), np.float32)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, order.size, ENCODER_BATCH):
        rows = order[start : start + ENCODER_BATCH]
        width = max(1, int(lengths[rows[-1]]))
        batch = left_padded(histories.item_ids, histories.offsets[1:][rows], lengths[rows], width)
        vectors[rows] = np.asarray(encode(batch))
    table = np.asarray(model.item_table)
    return lambda rows: np.asarray(vectors[rows] @ table.T, np.float32)


def popularity_scorer(train: Histories, n_items: int) -> Scorer:
    """Return the baseline that scores every item by its count in the training histories, for every user alike."""
    counts = np.bincount(train.item_ids, minlength=n_items + 1).astype(np.float32)
    return lambda rows: np.broadcast_to(counts, (rows.size, counts.size))


def on_test(model: Any, split: Split, *, keep_seen: bool = False, seed: int = 0) -> dict[str, Any]:
    """Return what metrics.json and `evaluate --json` hold: the model's metrics on the test items, and popularity's.

    Args:
        model: A SASRec.
        split: The log, split.
        keep_seen: See evaluate.
        seed: Seed of the sampled negatives, the same for model and baseline.
    """
    n_items = model.config.n_items
    repeats = 0 if keep_seen else count_excluded_targets(split.test)
    if repeats:
        logger.warning(
            "%d of %d test items repeat an item of their own history and count as misses. "
            "Give --keep-seen to rank seen items too.",
            repeats,
            split.test.targets.size,
        )
    scorers = (model_scorer(model, split.test.histories), popularity_scorer(split.train, n_items))
    ours, popular = (
        evaluate(scorer, split.test, n_items=n_items, keep_seen=keep_seen, seed=seed) for scorer in scorers
    )
    users = int(split.test.targets.size)
    return {"output_version": 1, "split": "test", "users": users, "keep_seen": keep_seen, **ours, "popularity": popular}
