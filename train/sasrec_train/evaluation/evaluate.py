"""Rank every user's held-out item, against the whole catalogue and against 100 sampled negatives."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import bootstrap, metrics, ranking, strata
from sasrec_train.evaluation.coverage import coverage
from sasrec_train.evaluation.ranking import Ranking
from sasrec_train.evaluation.scorers import Scorer, model_scorer, popularity_scorer
from sasrec_train.log.interactions import Histories
from sasrec_train.split import HeldOut, Split

__all__ = ["Scorer", "count_excluded_targets", "evaluate", "model_scorer", "on_test", "popularity_scorer", "rank"]

logger = logging.getLogger(__name__)

MAX_SCORES = 2**34  # Users × items above which a sample of the users is evaluated: a million items would take hours.
LISTED = 10  # Items a user is recommended, for the coverage.


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
        scorer: What is evaluated; see model_scorer and popularity_scorer.
        held_out: Users with their histories and held-out items.
        n_items: Catalogue size without the padding id.
        keep_seen: Rank items of the user's own history too. By default they are excluded, as when recommending; a
            target among them cannot be recommended and counts as a miss.
        seed: Seed of the sampled negatives.

    Returns:
        {"full": {"hr@10": …}, "sampled": {…}}: against the whole catalogue, and against 100 uniform negatives outside
        the user's history. Ties count against the target.
    """
    return _metrics(ranking.rank(scorer, held_out, n_items=n_items, keep_seen=keep_seen, seed=seed))


def rank(
    scorer: Scorer,
    held_out: HeldOut,
    *,
    n_items: int,
    keep_seen: bool = False,
    seed: int = 0,
    num_negatives: int = ranking.NUM_NEGATIVES,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each target's rank from 0 against the whole catalogue and against sampled negatives, both (H,).

    See ranking.rank.
    """
    found = ranking.rank(scorer, held_out, n_items=n_items, keep_seen=keep_seen, seed=seed, num_negatives=num_negatives)
    return found.full, found.sampled


def count_excluded_targets(held_out: HeldOut) -> int:
    """Return how many targets repeat an item of their own history, and so are misses unless seen items are kept."""
    histories = held_out.histories
    repeats = histories.item_ids == np.repeat(held_out.targets, histories.lengths)
    return int(np.unique(histories.rows()[repeats]).size)


def on_test(
    model: Any, split: Split, *, keep_seen: bool = False, seed: int = 0, users: int | None = None
) -> dict[str, Any]:
    """Return what metrics.json and `evaluate --json` hold, as train/README.md describes it.

    Args:
        model: A SASRec.
        split: The log, split.
        keep_seen: See evaluate.
        seed: Seed of the sampled negatives, the same for model and baseline, of the resamples and the users drawn.
        users: Most users to evaluate, 0 for all; by default all, capped at MAX_SCORES scores.
    """
    n_items = model.config.n_items
    most = max(1, MAX_SCORES // n_items) if users is None else users or split.test.users.size
    test = split.test.sample(most, seed)
    if users is None and test is not split.test:
        logger.warning(
            "%d of %d test users are evaluated, drawn from the seed. Use `evaluate --users` for more.",
            test.users.size,
            split.test.users.size,
        )
    repeats = 0 if keep_seen else count_excluded_targets(test)
    if repeats:
        logger.warning(
            "%d of %d test items repeat an item of their own history and count as misses. "
            "Give --keep-seen to rank seen items too.",
            repeats,
            test.targets.size,
        )
    scorers = (model_scorer(model, test.histories), popularity_scorer(split.train, n_items))
    ours, popular = (
        ranking.rank(scorer, test, n_items=n_items, keep_seen=keep_seen, seed=seed, list_length=LISTED)
        for scorer in scorers
    )
    rng = np.random.default_rng(seed)
    return {
        "output_version": 1,
        "split": "test",
        "users": int(test.targets.size),
        "keep_seen": keep_seen,
        **_metrics(ours),
        "popularity": _metrics(popular),
        "seed": seed,
        "intervals": _intervals(ours, popular, rng),
        f"coverage@{LISTED}": {**coverage(ours.lists, n_items), "popularity": coverage(popular.lists, n_items)},
        "buckets": _buckets(ours, split.train, test, n_items, rng),
    }


def _metrics(ranked: Ranking) -> dict[str, dict[str, float]]:
    return {protocol: metrics.ranking_metrics(ranks) for protocol, ranks in ranked.ranks.items()}


def _intervals(ours: Ranking, popular: Ranking, rng: np.random.Generator) -> dict[str, Any]:
    result: dict[str, Any] = {"level": bootstrap.LEVEL, "resamples": bootstrap.RESAMPLES}
    result |= {"full": {}, "sampled": {}, "popularity": {}, "difference": {}}
    for protocol, ranks in ours.ranks.items():
        model, baseline = bootstrap.resample(ranks, popular.ranks[protocol], rng=rng)
        result[protocol] = bootstrap.intervals(model)
        result["popularity"][protocol] = bootstrap.intervals(baseline)
        result["difference"][protocol] = bootstrap.intervals({name: model[name] - baseline[name] for name in model})
    return result


def _buckets(
    ours: Ranking, train: Histories, test: HeldOut, n_items: int, rng: np.random.Generator
) -> dict[str, list[dict[str, Any]]]:
    counts = np.bincount(train.item_ids, minlength=n_items + 1)
    parts = {
        "target_count": strata.by_target_count(counts, test.targets),
        "history_length": strata.by_history_length(test.histories.lengths),
    }
    return {name: [strata.measure(bucket, ours.ranks, rng=rng) for bucket in part] for name, part in parts.items()}
