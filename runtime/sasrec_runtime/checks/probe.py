"""Time and memory of loading a variant and of its first call, measured in a fresh process.

Run by `bench`: ``python -m sasrec_runtime.checks.probe '{"bundle": …, "variant": …, "options": {…}, "k": 10}'``.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.engines import installed
from sasrec_runtime.errors import SasrecError
from sasrec_runtime.recommender import Recommender

__all__ = ["main", "measure", "mebibytes"]

ROLLUP: Final = Path("/proc/self/smaps_rollup")
"""File in which Linux sums up the memory of a process."""


def mebibytes() -> dict[str, float | None]:
    """Return the resident and the anonymous memory of this process in MiB; None where the system does not say."""
    try:
        fields = dict(line.split(":") for line in ROLLUP.read_text(encoding="ascii").splitlines()[1:])
        return {name: int(fields[name].split()[0]) / 1024 for name in ("Rss", "Anonymous")}
    except (OSError, KeyError, ValueError):
        return {"Rss": None, "Anonymous": None}


def measure(path: Path, variant: str, options: dict[str, Any], k: int) -> dict[str, float | None]:
    """Return load_ms, first_call_ms, resident_mib and anonymous_mib; see `sasrec_runtime.checks.bench.Timing`."""
    bundle = Bundle.open(path)
    history = next(case.history for case in golden.read(bundle).cases if case.history)
    installed.load_runtime(bundle.variant(variant))  # before the clock starts
    before = mebibytes()
    started = time.perf_counter()
    recommender = Recommender.load(Bundle.open(path), variant=variant, **options)
    loaded = time.perf_counter()
    recommender.recommend(history, k)
    called = time.perf_counter()
    after = mebibytes()
    added = {
        name: None if (now := after[name]) is None or (then := before[name]) is None else now - then for name in after
    }
    return {
        "load_ms": (loaded - started) * 1e3,
        "first_call_ms": (called - loaded) * 1e3,
        "resident_mib": added["Rss"],
        "anonymous_mib": added["Anonymous"],
    }


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    options = request["options"] | {"providers": tuple(request["options"].get("providers", ("cpu",)))}
    try:
        return {**measure(Path(request["bundle"]), request["variant"], options, request["k"])}
    except SasrecError as error:
        return {"error": str(error)}


def main() -> None:
    """Measure what the first argument asks for, a JSON object, and write a JSON object."""
    sys.stdout.write(json.dumps(_reply(json.loads(sys.argv[1]))) + "\n")


if __name__ == "__main__":
    main()
