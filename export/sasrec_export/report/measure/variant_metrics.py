"""The figures of one variant on the held-out users, alone and beside the reference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.measure import (
    agreement,
    file_contents,
    paired_bootstrap,
    ranking,
    row_errors,
    worst_users,
)
from sasrec_export.report.measure.evaluation_data import Evidence
from sasrec_export.report.measure.ranking import Lists
from sasrec_export.report.schema import METRICS, Histogram, RowError, ScoreError
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant
from sasrec_runtime.vocabulary.vocabulary import Vocabulary
from sasrec_train.evaluation import metrics, strata

__all__ = ["Answers", "Groups", "beside", "reported", "stored", "worst_rows"]

BINS = 41
SHOWN_ROWS = 10
OVERLAPS = (5, 10, 20)
TOP = 10


@dataclass(frozen=True, slots=True)
class Answers:
    """What a variant answered."""

    lists: Lists
    """Of every held-out user."""
    ranks: NDArray[np.int64]
    """(H,), rank of the held-out item."""
    scores: NDArray[np.float32]
    """(users, n_items), of a sample of users, see row_errors.score_all."""


@dataclass(frozen=True, slots=True)
class Groups:
    """The users apart."""

    by_target_count: list[strata.Stratum]
    by_history_length: list[strata.Stratum]

    @classmethod
    def of(cls, evidence: Evidence, n_items: int) -> "Groups":
        """Return the buckets of the users of a report."""
        counts = np.bincount(evidence.train.item_ids, minlength=n_items + 1)
        held_out = evidence.held_out
        return cls(
            strata.by_target_count(counts, held_out.targets), strata.by_history_length(held_out.histories.lengths)
        )


def reported(listed: int, n_items: int) -> tuple[str, ...]:
    """Return the metrics that lists of that length can tell: those up to it, or all where it is the catalogue."""
    return tuple(name for name in METRICS if listed == n_items or int(name.partition("@")[2]) <= listed)


def beside(
    answers: Answers,
    reference: Answers | None,
    groups: Groups,
    evidence: Evidence,
    vocabulary: Vocabulary,
    *,
    same: bool,
    detail: bool,
    seed: int,
) -> dict[str, Any]:
    """Return the fields of schema.VariantReport that tell of quality.

    Args:
        answers: The variant's.
        reference: The reference's; None without one.
        groups: The users apart.
        evidence: The users.
        vocabulary: Keys and titles.
        same: Whether the variant is the reference itself.
        detail: Add the users who lost most.
        seed: Of the bootstrap.
    """
    n_items = len(vocabulary)
    names = reported(answers.lists.items.shape[1], n_items)
    overlap: NDArray[np.float64] | None = None
    fields: dict[str, Any] = {"tied_top10": ranking.tied(answers.lists, k=TOP), "difference": {}}
    found = metrics.ranking_metrics(answers.ranks)
    fields |= {name.replace("@", "_"): found[name] for name in names}
    if reference is not None:
        names = tuple(name for name in names if name in reported(reference.lists.items.shape[1], n_items))
        fields |= _agreement(agreed := agreement.agreement(answers.lists, reference.lists), n_items)
        overlap = agreement.overlaps(agreed, k=TOP)
        if not same:
            fields |= _changes(answers, reference, names, seed)
            fields["score_error"] = _score_error(agreed)
        if detail and not same:
            fields["worst_users"] = worst_users.worst_users(
                evidence, vocabulary, answers.lists, reference.lists,
                ranks=answers.ranks, reference_ranks=reference.ranks, overlap=overlap,
            )  # fmt: skip
    other = None if reference is None or same else reference.ranks
    for field in ("by_target_count", "by_history_length"):
        fields[field] = [
            paired_bootstrap.bucket(bucket, answers.ranks, other, overlap, names=names, seed=seed)
            for bucket in getattr(groups, field)
        ]
    return fields


def stored(bundle: Bundle, variant: Variant) -> dict[str, Any]:
    """Return the fields that tell of the files."""
    size = sum(file.bytes for file in variant.files)
    files = bundle.manifest.vocabulary
    fields: dict[str, Any] = {
        "name": variant.name,
        "runtime": variant.runtime,
        "recipe": variant.recipe,
        "bytes": size,
        "bytes_vocabulary": files.items.bytes + (files.titles.bytes if files.titles else 0),
        "min_runtime_version": variant.min_runtime_version,
        "operators": {},
    }
    found = file_contents.read(bundle, variant)
    if found is not None:
        table = min(found.table_bytes, size)
        fields |= {"bytes_table": table, "bytes_encoder": size - table, "operators": found.operators}
        if found.row_scales is not None and found.row_scales.size:
            fields["row_scales"] = histogram(found.row_scales, logarithmic=True)
    return fields


def worst_rows(answers: Answers, reference: Answers, vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the fields that tell which items' scores moved most; suspect ones come first."""
    found = row_errors.compare(answers.scores, reference.scores)
    suspect = found.suspect
    order = np.lexsort((-found.error, ~suspect))[:SHOWN_ROWS]
    shown = [
        RowError(
            item_id=int(row) + 1,
            key=vocabulary.key(int(row) + 1),
            title=vocabulary.title(int(row) + 1),
            error=float(found.error[row]),
            relative=float(found.relative[row]),
            suspect=bool(suspect[row]),
        )
        for row in order
    ]
    return {"rows": shown, "suspect_rows": int(suspect.sum())}


def histogram(values: NDArray[np.floating[Any]], *, logarithmic: bool = False) -> Histogram:
    """Return where values lie: 41 bins over the middle 99.8 % of them, the outer bins with what lies beyond."""
    low, high = (float(bound) for bound in np.quantile(values, (0.001, 0.999)))
    if logarithmic:
        edges = np.geomspace(low, high if high > low else low * 1.01, BINS + 1)
    else:
        bound = max(abs(low), abs(high)) or 1e-9
        edges = np.linspace(-bound, bound, BINS + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _agreement(found: agreement.Agreement, n_items: int) -> dict[str, Any]:
    depth = found.common.shape[1]
    fields: dict[str, Any] = {
        f"overlap_{k}": float(agreement.overlaps(found, k=k).mean()) for k in OVERLAPS if min(k, n_items) <= depth
    }
    fields["rbo"] = float(agreement.rank_biased_overlap(found).mean())
    fields["changed_top1"] = float(found.changed_top1.mean())
    return fields


def _changes(answers: Answers, reference: Answers, names: tuple[str, ...], seed: int) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "difference": paired_bootstrap.differences(answers.ranks, reference.ranks, names=names, seed=seed)
    }
    if "hr@10" in names:
        ours, theirs = answers.ranks < TOP, reference.ranks < TOP
        fields |= {"hits_appeared": int((ours & ~theirs).sum()), "hits_vanished": int((theirs & ~ours).sum())}
    return fields


def _score_error(found: agreement.Agreement) -> ScoreError | None:
    differences = found.score_differences[np.isfinite(found.score_differences)]
    if not differences.size:
        return None
    mean = float(np.abs(differences).mean(dtype=np.float64))
    return ScoreError(
        mean=mean,
        max=float(np.abs(differences).max()),
        relative=mean / found.spread if found.spread > 0 else 0.0,
        spread=found.spread,
        histogram=histogram(differences),
    )
