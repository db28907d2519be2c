"""A report: every variant of a bundle on the same held-out items and in the same race."""

import importlib.util
import platform
from typing import Any

import msgspec

from sasrec_export.errors import ExportError
from sasrec_export.report import figures, probe, quality, rows, sensitivity, verdict
from sasrec_export.report.figures import Answers, Groups
from sasrec_export.report.log import Evidence
from sasrec_export.report.progress import Progress, unseen
from sasrec_export.report.schema import (
    REPORT_VERSION,
    Budget,
    NotMeasured,
    Report,
    VariantReport,
    Verdict,
)
from sasrec_runtime import bench as bench_module
from sasrec_runtime import session as session_module
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_runtime.manifest import Variant

__all__ = ["measure", "reference_variant"]

LATENCY_CALLS = 300
NO_BUDGET = Budget()


def measure(
    bundle: Bundle,
    evidence: Evidence,
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
        bundle: The bundle to judge; its golden histories are used for the latency.
        evidence: Users with histories and held-out items, in ids of the bundle.
        against: Recipe or name of the variant that the others are compared with.
        budget: What a variant may cost. Where it does not limit the drop of NDCG@10 and there is a reference, 1 % is
            the limit.
        users: Judge by a sample of so many users.
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
    total = len(evidence.held_out.targets)
    judged = evidence if users is None else evidence.sample(users, seed)
    measured = _Measurement(bundle, judged, reference, runnable, detail, keep_seen, threads, seed, progress).variants()
    graph = sensitivity.graph_variant(bundle)
    layers = None
    if detail and graph is not None and graph in runnable and importlib.util.find_spec("onnx_ir"):
        layers = sensitivity.measure(
            bundle, graph, judged, keep_seen=keep_seen, seed=seed, threads=threads, progress=progress
        )
    manifest = bundle.manifest
    return Report(
        output_version=REPORT_VERSION,
        report_version=REPORT_VERSION,
        verdict=_judge(measured, not_measured, reference, budget),
        data=evidence.data,
        users=len(judged.held_out.targets),
        users_total=total,
        seed=seed,
        protocol=f"{evidence.split}, whole catalogue, seen items {'kept' if keep_seen else 'excluded'}",
        reference=reference.name if reference else None,
        n_items=manifest.model.n_items,
        max_len=manifest.model.max_len,
        hidden_dim=manifest.model.hidden_dim,
        threads=threads,
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        variants=measured,
        not_measured=not_measured,
        sensitivity=layers,
    )


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
            session_module.load_runtime(variant)
            runnable.append(variant)
        except MissingRuntimeError as error:
            others.append(NotMeasured(name=variant.name, reason=f"not measured: {error}"))
    if not runnable:
        raise MissingRuntimeError(f"No variant of {bundle.path} can run here. {others[0].reason if others else ''}")
    return runnable, others


def _judge(
    measured: list[VariantReport], not_measured: list[NotMeasured], reference: Variant | None, budget: Budget
) -> Verdict:
    found = next((row for row in measured if reference is not None and row.name == reference.name), None)
    if budget.max_ndcg_drop is None and found is not None:
        budget = msgspec.structs.replace(budget, max_ndcg_drop=verdict.DEFAULT_NDCG_DROP)
    return verdict.judge(measured, not_measured, reference=found, budget=budget)


class _Measurement:
    """The variants of a bundle, one after the other; lists of two are in memory at a time."""

    def __init__(
        self,
        bundle: Bundle,
        evidence: Evidence,
        reference: Variant | None,
        runnable: list[Variant],
        detail: bool,
        keep_seen: bool,
        threads: int,
        seed: int,
        progress: Progress,
    ) -> None:
        self._bundle, self._evidence, self._reference, self._runnable = bundle, evidence, reference, runnable
        self._detail, self._keep_seen, self._threads, self._seed = detail, keep_seen, threads, seed
        self._progress = progress
        self._n_items = bundle.manifest.model.n_items
        self._groups = Groups.of(evidence, self._n_items)

    def variants(self) -> list[VariantReport]:
        """Return what was measured, in the order of the bundle."""
        reference = self._answers(self._reference) if self._reference else None
        fields = {variant.name: self._figures(variant, reference) for variant in self._runnable}
        del reference
        timings = self._race()
        found = []
        with self._progress("load and memory in a process of its own", len(self._runnable)) as done:
            for variant in self._runnable:
                timing = timings[variant.name]
                alone = probe.probe(self._bundle.path, variant.name, threads=self._threads)
                done(1)
                found.append(
                    VariantReport(
                        **fields[variant.name],
                        **alone,
                        latency_p50_ms=timing.p50_us / 1e3,
                        latency_p99_ms=timing.p99_us / 1e3,
                    )
                )
        return found

    def _figures(self, variant: Variant, reference: Answers | None) -> dict[str, Any]:
        same = self._reference is not None and variant.name == self._reference.name
        answers = reference if same and reference else self._answers(variant)
        fields = figures.stored(self._bundle, variant)
        fields |= figures.beside(
            answers, reference, self._groups, self._evidence, self._bundle.vocabulary,
            same=same, detail=self._detail, seed=self._seed,
        )  # fmt: skip
        if reference is not None and not same:
            fields |= figures.worst_rows(answers, reference, self._bundle.vocabulary)
        return fields

    def _answers(self, variant: Variant) -> Answers:
        session = session_module.open_session(self._bundle, variant, threads=self._threads)
        held_out = self._evidence.held_out
        k = self._listed(variant)
        with self._progress(f"{variant.name}: recommending to {len(held_out.targets):,} users",
                            len(held_out.targets)) as done:  # fmt: skip
            lists = quality.recommend_all(session, held_out, k=k, keep_seen=self._keep_seen, progress=done)
        scores = rows.score_all(
            session, held_out, n_items=self._n_items, max_len=self._bundle.manifest.model.max_len, seed=self._seed
        )
        return Answers(lists=lists, ranks=quality.ranks(lists, held_out.targets), scores=scores)

    def _listed(self, variant: Variant) -> int:
        return min(quality.LIST_LENGTH, self._n_items, variant.fixed_k or self._n_items)

    def _race(self) -> dict[str, bench_module.Timing]:
        names = [variant.name for variant in self._runnable]
        k = min(10, *(self._listed(variant) for variant in self._runnable))
        with self._progress(f"latency: {LATENCY_CALLS} calls of each variant, taking turns", 1) as done:
            race = bench_module.bench(self._bundle.path, names, threads=self._threads, k=k, calls=LATENCY_CALLS)
            done(1)
        return {timing.variant: timing for timing in race}
