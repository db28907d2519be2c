"""Measure every variant on the same users: ranking quality, files, interleaved timing and fresh-process memory."""

from sasrec_export.report.measure import ranking, row_errors, stored_files, variant_quality
from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.settings import Settings
from sasrec_export.report.measure.stored_files import StoredFiles
from sasrec_export.report.measure.variant_quality import Answers, Quality, Strata
from sasrec_export.report.schema import VariantReport
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import bench as bench_module
from sasrec_runtime.checks.bench import Timing
from sasrec_runtime.checks.probe import FreshProcess, probe
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.engines.options import SessionOptions
from sasrec_runtime.manifest import Variant

__all__ = ["measure_variants"]

LATENCY_CALLS = 300
"""Timed calls of each variant."""

TIMED_K = 10
"""Items of a timed call, where the catalogue and the variant have as many."""


def measure_variants(
    bundle: Bundle,
    evaluation_set: EvaluationSet,
    runnable: list[Variant],
    reference: Variant | None,
    settings: Settings,
) -> list[VariantReport]:
    """Return what was measured of each variant, in the order of the bundle; lists of two are in memory at a time.

    Args:
        bundle: Its golden histories are used for the latency.
        evaluation_set: The users, H of them, that every variant is evaluated on.
        runnable: The variants to measure.
        reference: The one of them that the others are compared with; None: none.
        settings: How it is measured.
    """
    answers_of_reference = _answers(bundle, evaluation_set, reference, settings) if reference else None
    strata = Strata.of(evaluation_set, bundle.manifest.model.n_items)
    found: list[tuple[Variant, StoredFiles, Quality]] = []
    for variant in runnable:
        is_reference = reference is not None and variant.name == reference.name
        if answers_of_reference is not None and is_reference:
            answers = answers_of_reference
        else:
            answers = _answers(bundle, evaluation_set, variant, settings)
        quality = variant_quality.compare_with_reference(
            answers, answers_of_reference, strata, evaluation_set, bundle.vocabulary,
            is_reference=is_reference, detail=settings.detail, seed=settings.seed,
        )  # fmt: skip
        found.append((variant, stored_files.read(bundle, variant), quality))
    del answers, answers_of_reference
    timings = _timings(bundle, runnable, settings)
    reports = []
    with settings.progress("load and memory in a process of its own", len(runnable)) as done:
        for variant, files, quality in found:
            k = _timed_k(bundle, [variant])
            alone = probe(bundle.path, variant.name, k=k, options=SessionOptions(threads=settings.threads))
            done(1)
            reports.append(_report(variant, files, quality, timings[variant.name], alone))
    return reports


def _answers(bundle: Bundle, evaluation_set: EvaluationSet, variant: Variant, settings: Settings) -> Answers:
    """Return what a variant recommends to every user, and its scores of the whole catalogue for a sample of them."""
    session = open_session(bundle, variant, threads=settings.threads)
    held_out, model = evaluation_set.held_out, bundle.manifest.model
    users = len(held_out.targets)
    k = min(ranking.LIST_LENGTH, model.n_items, variant.fixed_k or model.n_items)
    with settings.progress(f"{variant.name}: recommending to {users:,} users", users) as done:
        lists = ranking.recommend_all(session, held_out, k=k, keep_seen=settings.keep_seen, progress=done)
    scores = row_errors.score_all(session, held_out, n_items=model.n_items, max_len=model.max_len, seed=settings.seed)
    return Answers(lists=lists, ranks=ranking.ranks(lists, held_out.targets), scores=scores)


def _timed_k(bundle: Bundle, variants: list[Variant]) -> int:
    """Return the items of a timed call that all these variants can return."""
    return min(TIMED_K, bundle.manifest.model.n_items, *(variant.fixed_k or TIMED_K for variant in variants))


def _timings(bundle: Bundle, runnable: list[Variant], settings: Settings) -> dict[str, Timing]:
    """Return variant → latency, the calls of all variants interleaved."""
    with settings.progress(f"latency: {LATENCY_CALLS} calls of each variant, taking turns", 1) as done:
        timings = bench_module.bench(
            bundle.path,
            [variant.name for variant in runnable],
            threads=settings.threads,
            k=_timed_k(bundle, runnable),
            calls=LATENCY_CALLS,
            batch_sizes=(),
            fresh=False,
        )
        done(1)
    return {timing.variant: timing for timing in timings}


def _report(
    variant: Variant, files: StoredFiles, quality: Quality, timing: Timing, alone: FreshProcess
) -> VariantReport:
    """Return what was measured of one variant as the struct of report.json."""
    metrics, agreement = quality.metrics, quality.agreement
    return VariantReport(
        name=variant.name,
        runtime=variant.runtime,
        recipe=variant.recipe,
        bytes=files.size_bytes,
        bytes_table=files.table_bytes,
        bytes_encoder=files.encoder_bytes,
        bytes_vocabulary=files.vocabulary_bytes,
        load_ms=alone.load_ms,
        first_call_ms=alone.first_call_ms,
        latency_p50_ms=timing.p50_us / 1e3,
        latency_p99_ms=timing.p99_us / 1e3,
        peak_memory_bytes=alone.peak_memory_bytes,
        loaded_memory_bytes=alone.loaded_memory_bytes,
        min_runtime_version=variant.min_runtime_version,
        operators=files.operators,
        hr_1=metrics.get("hr@1"),
        hr_5=metrics.get("hr@5"),
        hr_10=metrics.get("hr@10"),
        hr_20=metrics.get("hr@20"),
        ndcg_5=metrics.get("ndcg@5"),
        ndcg_10=metrics.get("ndcg@10"),
        ndcg_20=metrics.get("ndcg@20"),
        mrr_10=metrics.get("mrr@10"),
        tied_top10=quality.tied_top10,
        difference=quality.difference,
        hits_appeared=quality.hits_appeared,
        hits_vanished=quality.hits_vanished,
        overlap_5=agreement.overlap.get(5) if agreement else None,
        overlap_10=agreement.overlap.get(10) if agreement else None,
        overlap_20=agreement.overlap.get(20) if agreement else None,
        rbo=agreement.rbo if agreement else None,
        changed_top1=agreement.changed_top1 if agreement else None,
        score_error=quality.score_error,
        row_scales=files.row_scales,
        rows=quality.rows,
        suspect_rows=quality.outlier_rows,
        by_target_count=quality.by_target_count,
        by_history_length=quality.by_history_length,
        worst_users=quality.worst_users,
    )
