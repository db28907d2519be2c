"""Latency, throughput and memory of variants on this machine, on the histories of golden.json."""

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Unpack

import msgspec
import numpy as np

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.checks.probe import probe
from sasrec_runtime.engines import contract, installed
from sasrec_runtime.engines.options import OptionNames, SessionOptions
from sasrec_runtime.errors import BundleError, RequestError, shown
from sasrec_runtime.recommender import Recommender

__all__ = ["BATCH_SIZES", "Timing", "bench"]

BATCH_SIZES: Final = (1, 8, 64, 256)
"""Histories in one `recommend_batch` whose throughput is measured."""

WARM_UP_CALLS: Final = 20
"""Calls before the measured ones, so that caches, memory arenas and clock speeds settle."""

BATCH_REPETITIONS: Final = 5
"""Batches of each size; the median counts."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Latency, throughput and memory of one variant."""

    variant: str
    """Name of the variant."""
    load_ms: float | None
    """`Recommender.load` in a fresh process, in milliseconds, see `probe.FreshProcess`; None where none was started."""
    first_call_ms: float | None
    """The first `recommend` after it, in milliseconds."""
    p50_us: float
    """`recommend`, median, in microseconds."""
    p90_us: float
    """`recommend`, 90th percentile, in microseconds."""
    p99_us: float
    """`recommend`, 99th percentile, in microseconds."""
    session_p50_us: float
    """`Session.recommend` on the same histories, median; the rest of p50_us is the overhead of `Recommender`."""
    rows_per_s: dict[str, float]
    """Histories in one `recommend_batch` → histories a second."""
    resident_mib: float | None
    """What loading and the first call added to the resident memory of that process, mapped files included; None where
    the system does not say (it is read from /proc)."""
    anonymous_mib: float | None
    """The part of it that is not backed by a file: memory that the system cannot reclaim."""


class _TimedVariant:
    """One variant being timed."""

    def __init__(self, path: Path, name: str, options: SessionOptions, k: int, *, fresh: bool) -> None:
        self.fresh = probe(path, name, k=k, options=options) if fresh else None
        self.recommender = Recommender.load(Bundle.open(path), variant=name, **msgspec.structs.asdict(options))
        self.public_s: list[float] = []
        self.session_s: list[float] = []
        self.batch_s: dict[int, list[float]] = {}

    def call(self, keys: list[str], k: int) -> float:
        """Time one `recommend`, in seconds."""
        started = time.perf_counter()
        self.recommender.recommend(keys, k)
        return time.perf_counter() - started

    def call_session(self, keys: list[str], k: int) -> float:
        """Time the session's part of that call, in seconds."""
        ids = self.recommender.vocabulary.ids(keys)[np.newaxis]
        newest = ids[:, -self.recommender.bundle.manifest.model.max_len :]
        started = time.perf_counter()
        self.recommender.session.recommend(newest, ids, k)
        return time.perf_counter() - started

    def call_batch(self, histories: list[list[str]], k: int) -> None:
        """Time one `recommend_batch`."""
        started = time.perf_counter()
        self.recommender.recommend_batch(histories, k)
        self.batch_s.setdefault(len(histories), []).append(time.perf_counter() - started)

    def timing(self) -> Timing:
        """Return the percentiles and medians of what was timed."""
        fresh = self.fresh
        p50_us, p90_us, p99_us = (np.percentile(self.public_s, [50, 90, 99]) * 1e6).tolist()
        return Timing(
            variant=self.recommender.variant.name,
            p50_us=p50_us,
            p90_us=p90_us,
            p99_us=p99_us,
            session_p50_us=float(np.median(self.session_s)) * 1e6,
            rows_per_s={str(size): size / float(np.median(seconds)) for size, seconds in self.batch_s.items()},
            load_ms=None if fresh is None else fresh.load_ms,
            first_call_ms=None if fresh is None else fresh.first_call_ms,
            resident_mib=None if fresh is None else fresh.resident_mib,
            anonymous_mib=None if fresh is None else fresh.anonymous_mib,
        )


def bench(
    path: str | Path,
    variants: Sequence[str] = (),
    *,
    k: int = 10,
    calls: int = 1000,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    fresh: bool = True,
    **options: Unpack[OptionNames],
) -> list[Timing]:
    """Time variants interleaved: calls take turns, so that a busy moment of the machine affects all of them.

    Args:
        path: The bundle.
        variants: Names of those to time; empty means all whose runtime is installed.
        k: Items per call.
        calls: Measured calls of each variant.
        batch_sizes: Histories in the batches whose throughput is measured; empty: none.
        fresh: Start a process for each variant and measure load time and memory in it.
        options: The fields of `SessionOptions`.
    """
    if calls < 1:
        raise RequestError(f"calls is {shown(calls)}, expected at least 1.")
    chosen_options = SessionOptions(**options)
    path = Path(path)
    bundle = Bundle.open(path)
    chosen = [bundle.variant(name) for name in variants] or installed.runnable_variants(bundle)
    for variant in chosen:
        installed.load_runtime(variant)
        contract.check_k(k, variant, bundle.manifest.model.n_items)
    histories = [case.history for case in golden_module.read(bundle).cases if case.history]
    if not histories:
        raise BundleError(f"{path}: golden.json has no history to time. Export the bundle again.")
    timed = [_TimedVariant(path, variant.name, chosen_options, k, fresh=fresh) for variant in chosen]
    for turn in range(-WARM_UP_CALLS, calls):
        keys = histories[turn % len(histories)]
        # Two rounds, so that neither kind of call finds the caches warm from the other on the same variant.
        public_s = [one.call(keys, k) for one in timed]
        session_s = [one.call_session(keys, k) for one in timed]
        if turn >= 0:
            for one, *seconds in zip(timed, public_s, session_s, strict=True):
                one.public_s.append(seconds[0])
                one.session_s.append(seconds[1])
    for size in batch_sizes:
        batch = list(itertools.islice(itertools.cycle(histories), size))
        for _ in range(BATCH_REPETITIONS):
            for one in timed:
                one.call_batch(batch, k)
    return [one.timing() for one in timed]
