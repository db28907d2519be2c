"""The ranking quality of one variant on the held-out users, alone and compared with the reference."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.measure import agreement, paired_bootstrap, ranking, row_errors, worst_users
from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.histogram import histogram
from sasrec_export.report.measure.ranking import Lists
from sasrec_export.report.schema import METRICS, Bucket, Change, RowError, ScoreError, WorstUser
from sasrec_runtime.vocabulary.vocabulary import Vocabulary
from sasrec_train.evaluation import metrics, strata

__all__ = ["Agreement", "Answers", "Quality", "Strata", "compare_with_reference", "reported"]

SHOWN_ROWS = 10
"""Items with the largest row errors that a report shows."""
OVERLAPS = (5, 10, 20)
"""Depths k of overlap@k."""
TOP = 10
"""Places that count as the top list for ties and hits."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a variant answered."""

    lists: Lists
    """Recommended items of every held-out user."""
    ranks: NDArray[np.int64]
    """(H,), rank of the held-out item, from 0."""
    scores: NDArray[np.float32]
    """(users, n_items), scores of a sample of users, see row_errors.score_all."""


@dataclass(frozen=True, slots=True)
class Strata:
    """The users in groups."""

    by_target_count: list[strata.Stratum]
    """By the popularity of their held-out items."""
    by_history_length: list[strata.Stratum]
    """By how many items their histories have."""

    @classmethod
    def of(cls, evaluation_set: EvaluationSet, n_items: int) -> "Strata":
        """Return the strata of the users of a report."""
        counts = np.bincount(evaluation_set.train.item_ids, minlength=n_items + 1)
        held_out = evaluation_set.held_out
        return cls(
            strata.by_target_count(counts, held_out.targets), strata.by_history_length(held_out.histories.lengths)
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike a variant's lists are to the reference's, means over the users."""

    overlap: dict[int, float]
    """k → overlap@k, for those of OVERLAPS that the lists are long enough for."""
    rbo: float
    """Rank-biased overlap."""
    changed_top1: float
    """Share of users whose first item differs."""


@dataclass(slots=True)
class Quality:
    """The part of schema.VariantReport that tells of ranking quality."""

    metrics: dict[str, float]
    """Metric among METRICS → value, for those that the lists are long enough for."""
    tied_top10: float
    """Share of users with two equal scores among the first ten."""
    by_target_count: list[Bucket] = field(default_factory=list)
    """The strata by popularity of the held-out item."""
    by_history_length: list[Bucket] = field(default_factory=list)
    """The strata by history length."""
    difference: dict[str, Change] = field(default_factory=dict)
    """Metric → variant minus reference; empty for the reference and without one."""
    agreement: Agreement | None = None
    """With the reference; None without one."""
    hits_appeared: int | None = None
    """Users whose held-out item is in this variant's top ten only."""
    hits_vanished: int | None = None
    """Users whose held-out item is in the reference's top ten only."""
    score_error: ScoreError | None = None
    """Of items that both list; None for the reference and without one."""
    rows: list[RowError] = field(default_factory=list)
    """The items whose scores moved most."""
    outlier_rows: int = 0
    """How many items have a corrupted row."""
    worst_users: list[WorstUser] = field(default_factory=list)
    """The users who lost most."""


def reported(listed: int, n_items: int) -> tuple[str, ...]:
    """Return the metrics that lists of that length can tell: those up to it, or all where it is the catalogue."""
    return tuple(name for name in METRICS if listed == n_items or int(name.partition("@")[2]) <= listed)


def compare_with_reference(
    answers: Answers,
    reference: Answers | None,
    groups: Strata,
    evaluation_set: EvaluationSet,
    vocabulary: Vocabulary,
    *,
    is_reference: bool,
    detail: bool,
    seed: int,
) -> Quality:
    """Return the quality of a variant, compared with the reference where there is one.

    Args:
        answers: The variant's, of H users.
        reference: The reference's, of the same users; None without one.
        groups: The strata of the users.
        evaluation_set: The users.
        vocabulary: Keys and titles.
        is_reference: Whether the variant is the reference itself.
        detail: Add the users who lost most.
        seed: Of the bootstrap.
    """
    n_items = len(vocabulary)
    names = reported(answers.lists.items.shape[1], n_items)
    measured = metrics.ranking_metrics(answers.ranks)
    quality = Quality(metrics={name: measured[name] for name in names}, tied_top10=ranking.tied(answers.lists, k=TOP))
    overlap: NDArray[np.float64] | None = None
    other = None if is_reference else reference
    if reference is not None:
        names = tuple(name for name in names if name in reported(reference.lists.items.shape[1], n_items))
        compared = agreement.agreement(answers.lists, reference.lists)
        overlap = agreement.overlaps(compared, k=TOP)
        quality.agreement = _means(compared, n_items)
        if other is not None:
            quality.score_error = _score_error(compared)
    if other is not None and overlap is not None:
        _add_differences(quality, answers, other, names, seed)
        _add_row_errors(quality, answers, other, vocabulary)
        if detail:
            quality.worst_users = worst_users.worst_users(
                evaluation_set, vocabulary, answers.lists, other.lists,
                ranks=answers.ranks, reference_ranks=other.ranks, overlap=overlap,
            )  # fmt: skip

    def described(stratum: strata.Stratum) -> Bucket:
        return paired_bootstrap.bucket(
            stratum, answers.ranks, None if other is None else other.ranks, overlap, names=names, seed=seed
        )

    quality.by_target_count = [described(stratum) for stratum in groups.by_target_count]
    quality.by_history_length = [described(stratum) for stratum in groups.by_history_length]
    return quality


def _means(compared: agreement.Agreement, n_items: int) -> Agreement:
    depth = compared.common.shape[1]
    return Agreement(
        overlap={k: float(agreement.overlaps(compared, k=k).mean()) for k in OVERLAPS if min(k, n_items) <= depth},
        rbo=float(agreement.rank_biased_overlap(compared).mean()),
        changed_top1=float(compared.changed_top1.mean()),
    )


def _add_differences(quality: Quality, answers: Answers, reference: Answers, names: tuple[str, ...], seed: int) -> None:
    quality.difference = paired_bootstrap.differences(answers.ranks, reference.ranks, names=names, seed=seed)
    if "hr@10" in names:
        ours, theirs = answers.ranks < TOP, reference.ranks < TOP
        quality.hits_appeared = int((ours & ~theirs).sum())
        quality.hits_vanished = int((theirs & ~ours).sum())


def _add_row_errors(quality: Quality, answers: Answers, reference: Answers, vocabulary: Vocabulary) -> None:
    """Add the items whose scores moved most, outliers first."""
    errors = row_errors.compare(answers.scores, reference.scores)
    is_outlier = errors.is_outlier
    order = np.lexsort((-errors.error, ~is_outlier))[:SHOWN_ROWS]
    quality.rows = [
        RowError(
            item_id=int(row) + 1,
            key=vocabulary.key(int(row) + 1),
            title=vocabulary.title(int(row) + 1),
            error=float(errors.error[row]),
            relative=float(errors.relative[row]),
            suspect=bool(is_outlier[row]),
        )
        for row in order
    ]
    quality.outlier_rows = int(is_outlier.sum())


def _score_error(compared: agreement.Agreement) -> ScoreError | None:
    differences = compared.score_differences[np.isfinite(compared.score_differences)]
    if not differences.size:
        return None
    mean = float(np.abs(differences).mean(dtype=np.float64))
    return ScoreError(
        mean=mean,
        max=float(np.abs(differences).max()),
        relative=mean / compared.spread if compared.spread > 0 else 0.0,
        spread=compared.spread,
        histogram=histogram(differences),
    )
