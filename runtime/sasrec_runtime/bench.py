"""How long a variant takes on this machine, through the public API, on the histories of golden.json."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from sasrec_runtime import golden as golden_module
from sasrec_runtime import session as session_module
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import BundleError, RequestError
from sasrec_runtime.recommender import Recommender

__all__ = ["Timing", "bench"]

WARM_UP_CALLS: Final = 20
"""Calls before the measured ones: caches, memory arenas and clock speeds settle."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The times of one variant."""

    variant: str
    """Its name."""
    load_ms: float
    """`Recommender.load`, vocabulary included; the import of the runtime is not."""
    first_call_ms: float
    """The first `recommend` after it."""
    p50_us: float
    """`recommend`, median."""
    p90_us: float
    """`recommend`, 90th percentile."""
    p99_us: float
    """`recommend`, 99th percentile."""
    session_p50_us: float
    """`Session.recommend` on the same histories, median: what remains of p50_us is the wrapper's."""


class _Racer:
    """One variant on the track."""

    def __init__(self, path: Path, name: str, threads: int) -> None:
        started = time.perf_counter()
        self.recommender = Recommender.load(Bundle.open(path), variant=name, threads=threads)
        self.load_s = time.perf_counter() - started
        self.first_call_s = 0.0
        self.public_s: list[float] = []
        self.session_s: list[float] = []

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

    def timing(self) -> Timing:
        """Sum up."""
        p50_us, p90_us, p99_us = (np.percentile(self.public_s, [50, 90, 99]) * 1e6).tolist()
        return Timing(
            variant=self.recommender.variant.name,
            load_ms=self.load_s * 1e3,
            first_call_ms=self.first_call_s * 1e3,
            p50_us=p50_us,
            p90_us=p90_us,
            p99_us=p99_us,
            session_p50_us=float(np.median(self.session_s)) * 1e6,
        )


def bench(
    path: str | Path, variants: Sequence[str] = (), *, threads: int = 1, k: int = 10, calls: int = 1000
) -> list[Timing]:
    """Time variants side by side: calls take turns, so that a busy moment of the machine meets all of them.

    Args:
        path: The bundle.
        variants: Names of those to time; empty means all whose runtime is installed.
        threads: Threads one call computes on.
        k: Items per call.
        calls: Measured calls of each variant.
    """
    if calls < 1:
        raise RequestError(f"calls is {calls}, expected at least 1.")
    path = Path(path)
    bundle = Bundle.open(path)
    chosen = [bundle.variant(name) for name in variants] or session_module.runnable_variants(bundle)
    for variant in chosen:
        session_module.load_runtime(variant)  # before the clock starts
    racers = [_Racer(path, variant.name, threads) for variant in chosen]
    histories = [case.history for case in golden_module.read(bundle).cases if case.history]
    if not histories:
        raise BundleError(f"{path}: golden.json has no history to time. Export the bundle again.")
    for racer in racers:
        racer.first_call_s = racer.call(histories[0], k)
    for turn in range(-WARM_UP_CALLS, calls):
        keys = histories[turn % len(histories)]
        # Two rounds, so that neither kind of call finds the caches warm from the other on the same variant.
        public_s = [racer.call(keys, k) for racer in racers]
        session_s = [racer.call_session(keys, k) for racer in racers]
        if turn >= 0:
            for racer, *seconds in zip(racers, public_s, session_s, strict=True):
                racer.public_s.append(seconds[0])
                racer.session_s.append(seconds[1])
    return [racer.timing() for racer in racers]
