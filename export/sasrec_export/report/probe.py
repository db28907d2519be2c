"""One variant in a process of its own: how long it takes to load, and how much memory it takes.

Run as `python -m sasrec_export.report.probe BUNDLE VARIANT THREADS`; prints one JSON object.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sasrec_export.errors import ExportError

__all__ = ["probe"]

CALLS = 20
TIMEOUT_S = 300
STATUS = Path("/proc/self/status")


def probe(bundle: Path, variant: str, *, threads: int) -> dict[str, Any]:
    """Return load_ms, first_call_ms, peak_memory_bytes and loaded_memory_bytes of a fresh process.

    The memory is None where the system does not tell.

    Raises:
        ExportError: The process failed.
    """
    command = [sys.executable, "-m", "sasrec_export.report.probe", str(bundle), variant, str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise ExportError(f"{variant}: a process of its own took longer than {TIMEOUT_S} s. Measure again.") from error
    if done.returncode:
        *_, last = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ExportError(f"{variant}: a process of its own could not run it: {last:.300}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _measure(path: Path, name: str, threads: int) -> dict[str, Any]:
    from sasrec_runtime.bundle import Bundle  # noqa: PLC0415
    from sasrec_runtime.checks import golden as golden_module  # noqa: PLC0415 - the parent does not need it
    from sasrec_runtime.engines import installed  # noqa: PLC0415
    from sasrec_runtime.recommender import Recommender  # noqa: PLC0415

    bundle = Bundle.open(path)
    variant = bundle.variant(name)
    installed.load_runtime(variant, ".interpreter" if variant.runtime == "tflite" else "")
    histories = [case.history for case in golden_module.read(bundle).cases if case.history]
    before = _peak_bytes()
    started = time.perf_counter()
    recommender = Recommender.load(Bundle.open(path), variant=name, threads=threads)
    loaded = time.perf_counter()
    k = min(10, bundle.manifest.model.n_items, variant.fixed_k or 10)
    recommender.recommend(histories[0], k)
    called = time.perf_counter()
    for turn in range(CALLS):
        recommender.recommend(histories[turn % len(histories)], k)
    peak = _peak_bytes()
    return {
        "load_ms": (loaded - started) * 1e3,
        "first_call_ms": (called - loaded) * 1e3,
        "peak_memory_bytes": peak,
        "loaded_memory_bytes": None if peak is None or before is None else peak - before,
    }


def _peak_bytes() -> int | None:
    """Return the peak of resident memory; getrusage would count the parent's too, from before the child's exec."""
    if not STATUS.exists():
        return None
    lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))) + "\n")
