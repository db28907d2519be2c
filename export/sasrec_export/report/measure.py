"""The figures of a report: every variant of a bundle on the same held-out items and in the same race."""

import platform
from collections.abc import Callable
from typing import Any

from sasrec_export.report import quality
from sasrec_runtime import bench as bench_module
from sasrec_runtime import session as session_module
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant
from sasrec_train import metrics
from sasrec_train.split import HeldOut

__all__ = ["OVERLAP_K", "REPORTED", "measure", "reference_variant"]

OUTPUT_VERSION = 1
OVERLAP_K = 10
REPORTED = ("hr@1", "hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr@10")
LATENCY_CALLS = 300

Say = Callable[[str], None]


def measure(
    bundle: Bundle,
    held_out: HeldOut,
    *,
    data: str,
    keep_seen: bool = False,
    threads: int = 1,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Return report.json as an object.

    Args:
        bundle: The bundle to judge; its golden histories are used for the latency.
        held_out: Users with histories and held-out items, in ids of the bundle.
        data: Name of the log.
        keep_seen: Recommend items of the user's own history too.
        threads: Threads of a call while latency is measured.
        say: Told what is being done.
    """
    manifest = bundle.manifest
    n_items = manifest.model.n_items
    runnable = session_module.runnable_variants(bundle)
    lengths = {variant.name: min(quality.LIST_LENGTH, n_items, variant.fixed_k or n_items) for variant in runnable}
    lists = {}
    for variant in runnable:
        say(f"{variant.name}: recommending to {len(held_out.targets)} users")
        session = session_module.open_session(bundle, variant, threads=threads)
        k = lengths[variant.name]
        lists[variant.name] = quality.recommend_all(session, held_out, k=k, keep_seen=keep_seen)
    say(f"latency: {LATENCY_CALLS} calls of each variant, taking turns")
    race = bench_module.bench(
        bundle.path,
        [variant.name for variant in runnable],
        threads=threads,
        k=min(10, *lengths.values()),
        calls=LATENCY_CALLS,
    )
    timings = {timing.variant: timing for timing in race}
    reference = reference_variant(runnable)
    rows = []
    for variant in runnable:
        found = metrics.ranking_metrics(quality.ranks(lists[variant.name], held_out.targets))
        timing = timings[variant.name]
        row: dict[str, Any] = {"name": variant.name, "runtime": variant.runtime, "recipe": variant.recipe}
        listed = lengths[variant.name]  # a list shorter than k says nothing about k, unless it is the whole catalogue
        row |= {name: found[name] for name in REPORTED if int(name.partition("@")[2]) <= listed or listed == n_items}
        if reference is not None and min(OVERLAP_K, n_items) <= listed:
            row["overlap@10"] = quality.overlap(lists[variant.name], lists[reference.name], k=OVERLAP_K)
        row |= {
            "bytes": sum(file.bytes for file in variant.files),
            "load_ms": timing.load_ms,
            "latency_p50_ms": timing.p50_us / 1e3,
            "latency_p99_ms": timing.p99_us / 1e3,
            "min_runtime_version": variant.min_runtime_version,
        }
        rows.append(row)
    return {
        "output_version": OUTPUT_VERSION,
        "data": data,
        "users": len(held_out.targets),
        "protocol": f"leave-one-out, whole catalogue, seen items {'kept' if keep_seen else 'excluded'}",
        "reference": reference.name if reference else None,
        "n_items": n_items,
        "max_len": manifest.model.max_len,
        "hidden_dim": manifest.model.hidden_dim,
        "threads": threads,
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "variants": rows,
    }


def reference_variant(variants: list[Variant]) -> Variant | None:
    """Return the variant that overlap is measured against: the first in float32, or None."""
    return next((variant for variant in variants if variant.recipe == "fp32"), None)
