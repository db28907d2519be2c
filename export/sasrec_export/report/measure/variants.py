"""The figures of every variant, on the same held-out users and in the same race."""

from dataclasses import dataclass
from typing import Any

from sasrec_export.report import probe
from sasrec_export.report.measure import ranking, row_errors, variant_metrics
from sasrec_export.report.measure.evaluation_data import Evidence
from sasrec_export.report.measure.variant_metrics import Answers, Groups
from sasrec_export.report.schema import VariantReport
from sasrec_export.report.show.progress import Progress
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import bench as bench_module
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.manifest import Variant

__all__ = ["Measurement"]

LATENCY_CALLS = 300


@dataclass(frozen=True, slots=True)
class Measurement:
    """The variants of a bundle, one after the other; lists of two are in memory at a time."""

    bundle: Bundle
    """Its golden histories are used for the latency."""
    evidence: Evidence
    """The users to judge by."""
    runnable: list[Variant]
    """What is measured."""
    reference: Variant | None
    """One of them."""
    detail: bool
    """Add the users who lost most."""
    keep_seen: bool
    """Recommend items of the user's own history too."""
    threads: int
    """Of a call."""
    seed: int
    """Of samples and of the bootstrap."""
    progress: Progress
    """Told how far it is."""

    def variants(self) -> list[VariantReport]:
        """Return what was measured, in the order of the bundle."""
        reference = self._answers(self.reference) if self.reference else None
        groups = Groups.of(self.evidence, self._n_items)
        fields = {variant.name: self._figures(variant, reference, groups) for variant in self.runnable}
        del reference
        timings = self._race()
        found = []
        with self.progress("load and memory in a process of its own", len(self.runnable)) as done:
            for variant in self.runnable:
                timing = timings[variant.name]
                alone = probe.probe(self.bundle.path, variant.name, threads=self.threads)
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

    def _figures(self, variant: Variant, reference: Answers | None, groups: Groups) -> dict[str, Any]:
        same = self.reference is not None and variant.name == self.reference.name
        answers = reference if same and reference else self._answers(variant)
        fields = variant_metrics.stored(self.bundle, variant)
        fields |= variant_metrics.beside(
            answers, reference, groups, self.evidence, self.bundle.vocabulary,
            same=same, detail=self.detail, seed=self.seed,
        )  # fmt: skip
        if reference is not None and not same:
            fields |= variant_metrics.worst_rows(answers, reference, self.bundle.vocabulary)
        return fields

    def _answers(self, variant: Variant) -> Answers:
        session = open_session(self.bundle, variant, threads=self.threads)
        held_out = self.evidence.held_out
        k = self._listed(variant)
        with self.progress(f"{variant.name}: recommending to {len(held_out.targets):,} users",
                            len(held_out.targets)) as done:  # fmt: skip
            lists = ranking.recommend_all(session, held_out, k=k, keep_seen=self.keep_seen, progress=done)
        scores = row_errors.score_all(
            session, held_out, n_items=self._n_items, max_len=self.bundle.manifest.model.max_len, seed=self.seed
        )
        return Answers(lists=lists, ranks=ranking.ranks(lists, held_out.targets), scores=scores)

    def _listed(self, variant: Variant) -> int:
        return min(ranking.LIST_LENGTH, self._n_items, variant.fixed_k or self._n_items)

    def _race(self) -> dict[str, bench_module.Timing]:
        names = [variant.name for variant in self.runnable]
        k = min(10, *(self._listed(variant) for variant in self.runnable))
        with self.progress(f"latency: {LATENCY_CALLS} calls of each variant, taking turns", 1) as done:
            race = bench_module.bench(self.bundle.path, names, threads=self.threads, k=k, calls=LATENCY_CALLS)
            done(1)
        return {timing.variant: timing for timing in race}

    @property
    def _n_items(self) -> int:
        return self.bundle.manifest.model.n_items
