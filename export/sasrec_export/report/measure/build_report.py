"""Build the report: evaluate every variant on the same users and time them interleaved."""

import importlib.util
import platform

import msgspec

from sasrec_export.errors import ExportError
from sasrec_export.report import verdict
from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.settings import Settings
from sasrec_export.report.measure.variants import measure_variants
from sasrec_export.report.progress import Progress, unseen
from sasrec_export.report.schema import (
    REPORT_VERSION,
    Budget,
    NotMeasured,
    Report,
    Sensitivity,
    VariantReport,
    Verdict,
)
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import installed
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_runtime.manifest import Variant

__all__ = ["build_report", "reference_variant"]

NO_BUDGET = Budget()


def build_report(
    bundle: Bundle,
    evaluation_set: EvaluationSet,
    *,
    against: str = "fp32",
    budget: Budget = NO_BUDGET,
    users: int | None = None,
    seed: int = 0,
    detail: bool = True,
    keep_seen: bool = False,
    threads: int = 1,
    progress: Progress = unseen,
) -> Report:
    """Return what report.json says.

    Args:
        bundle: The bundle to report on; its golden histories are used for the latency.
        evaluation_set: Users with histories and held-out items, in ids of the bundle.
        against: Recipe or name of the variant that the others are compared with.
        budget: What a variant may cost. Where it does not limit the drop of NDCG@10 and there is a reference, 1 % is
            the limit.
        users: Evaluate on a sample of so many users.
        seed: Of the sample and of the bootstrap.
        detail: Add the users who lost most, and what each layer would lose in int8.
        keep_seen: Recommend items of the user's own history too.
        threads: Threads of a call.
        progress: Told how far it is.

    Raises:
        ExportError: There is no variant `against`.
        MissingRuntimeError: No variant can run here.
    """
    runnable, not_measured = _runnable(bundle)
    reference = reference_variant(runnable, against, bundle=bundle)
    total = len(evaluation_set.held_out.targets)
    evaluated = evaluation_set if users is None else evaluation_set.sample(users, seed)
    settings = Settings(detail=detail, keep_seen=keep_seen, threads=threads, seed=seed, progress=progress)
    measured = measure_variants(bundle, evaluated, runnable, reference, settings)
    manifest = bundle.manifest
    return Report(
        output_version=REPORT_VERSION,
        report_version=REPORT_VERSION,
        verdict=_verdict(measured, not_measured, reference, budget),
        data=evaluation_set.data,
        users=len(evaluated.held_out.targets),
        users_total=total,
        seed=seed,
        protocol=f"{evaluation_set.split}, whole catalogue, seen items {'kept' if keep_seen else 'excluded'}",
        reference=reference.name if reference else None,
        n_items=manifest.model.n_items,
        max_len=manifest.model.max_len,
        hidden_dim=manifest.model.hidden_dim,
        threads=threads,
        machine=_machine(runnable),
        variants=measured,
        not_measured=not_measured,
        sensitivity=_sensitivity(bundle, runnable, evaluated, settings),
    )


def _sensitivity(
    bundle: Bundle, runnable: list[Variant], evaluation_set: EvaluationSet, settings: Settings
) -> Sensitivity | None:
    """Return what each layer loses in int8; None where that was not asked for, or cannot be measured here."""
    if not settings.detail or importlib.util.find_spec("onnx_ir") is None:
        return None
    from sasrec_export.report.measure import layer_sensitivity  # noqa: PLC0415 - an extra

    graph = layer_sensitivity.graph_variant(bundle)
    if graph is None or graph not in runnable:
        return None
    return layer_sensitivity.measure(bundle, graph, evaluation_set, settings)


def _machine(runnable: list[Variant]) -> str:
    """Return where it was measured, and by which engines."""
    engines = {installed.load_runtime(variant).__name__: variant for variant in runnable}
    versions = [f"{name} {installed.load_runtime(variant).__version__}" for name, variant in engines.items()]
    return ", ".join([f"{platform.system()} {platform.machine()}", f"Python {platform.python_version()}", *versions])


def reference_variant(
    variants: list[Variant], against: str = "fp32", *, bundle: Bundle | None = None
) -> Variant | None:
    """Return the variant that others are compared with: by its name, or the first of that recipe.

    None where nothing is fp32 and nothing else was asked for.

    Raises:
        ExportError: There is none of another name or recipe.
    """
    chosen = next((v for v in variants if v.name == against), None)
    chosen = chosen or next((v for v in variants if v.recipe == against), None)
    if chosen is None and against != "fp32":
        names = ", ".join(variant.name for variant in variants)
        place = f" of {bundle.path}" if bundle else ""
        raise ExportError(f"--against is {against!r}, expected a recipe or one of the variants{place}: {names}.")
    return chosen


def _runnable(bundle: Bundle) -> tuple[list[Variant], list[NotMeasured]]:
    runnable, others = [], []
    for variant in bundle.manifest.variants:
        try:
            installed.load_runtime(variant)
            runnable.append(variant)
        except MissingRuntimeError as error:
            others.append(NotMeasured(name=variant.name, reason=f"not measured: {error}"))
    if not runnable:
        raise MissingRuntimeError(f"No variant of {bundle.path} can run here. {others[0].reason if others else ''}")
    return runnable, others


def _verdict(
    measured: list[VariantReport], not_measured: list[NotMeasured], reference: Variant | None, budget: Budget
) -> Verdict:
    found = next((row for row in measured if reference is not None and row.name == reference.name), None)
    if budget.max_ndcg_drop is None and found is not None:
        budget = msgspec.structs.replace(budget, max_ndcg_drop=verdict.DEFAULT_NDCG_DROP)
    return verdict.judge(measured, not_measured, reference=found, budget=budget)
