"""Time and memory of loading a variant and of its first call, measured in a fresh process.

`probe` starts that process and returns what it measured. It runs
``python -m sasrec_runtime.checks.probe '{"bundle": …, "variant": …, "options": {…}, "k": 10}'``.

Two figures of Linux tell the memory. `smaps_rollup` holds what is resident now; its anonymous part has no file behind
it. `VmHWM` of `status` holds the peak of resident memory, and unlike getrusage it does not count the parent process.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.children import ChildError, run_module
from sasrec_runtime.engines import installed
from sasrec_runtime.engines.options import SessionOptions
from sasrec_runtime.errors import RequestError, SasrecError
from sasrec_runtime.recommender import Recommender

__all__ = ["FreshProcess", "main", "measure", "mebibytes", "peak_bytes", "probe"]

ROLLUP: Final = Path("/proc/self/smaps_rollup")
"""File in which Linux sums up the memory of a process."""

STATUS: Final = Path("/proc/self/status")
"""Where Linux keeps the peak of a process's resident memory."""

CALLS: Final = 20
"""Calls after the first one before the peak of memory is read: memory arenas have their size then."""

TIMEOUT_S: Final = 600
"""Time for the process, in seconds."""


class FreshProcess(msgspec.Struct, frozen=True, kw_only=True):
    """What one variant takes in a process of its own. Memory is None where the system does not tell it."""

    load_ms: float
    """`Recommender.load`, vocabulary included, in milliseconds; the import of the runtime is not counted."""
    first_call_ms: float
    """The first `recommend` after it, in milliseconds."""
    resident_mib: float | None
    """Resident memory, in MiB, that loading and the first call added, mapped files included."""
    anonymous_mib: float | None
    """The anonymous part of it, in MiB: not backed by a file, so that the system cannot reclaim it."""
    peak_memory_bytes: int | None
    """The peak of resident memory over loading and some calls, Python and the runtime included."""
    loaded_memory_bytes: int | None
    """The part of the peak that came on top of Python and the imported runtime."""


def probe(path: Path, variant: str, *, k: int, options: SessionOptions | None = None) -> FreshProcess:
    """Return what loading and calling a variant takes in a fresh process.

    Args:
        path: The bundle.
        variant: Name of one of its variants.
        k: Items per call.
        options: How the engine runs it; None: the defaults.

    Raises:
        RequestError: The process failed; the message says why.
    """
    request = {"bundle": str(path), "variant": variant, "k": k}
    request["options"] = msgspec.structs.asdict(options or SessionOptions())
    try:
        reply: dict[str, Any] = json.loads(run_module("sasrec_runtime.checks.probe", request, timeout_s=TIMEOUT_S))
    except ChildError as error:
        raise RequestError(
            f"variant {variant} cannot be timed: {error}. Run `sasrec-edge verify` on the bundle."
        ) from error
    if "error" in reply:
        raise RequestError(f"variant {variant} cannot be timed: {reply['error']}")
    return msgspec.convert(reply, FreshProcess)


def mebibytes() -> dict[str, float | None]:
    """Return the resident and the anonymous memory of this process in MiB; None where the system does not tell it."""
    try:
        fields = dict(line.split(":") for line in ROLLUP.read_text(encoding="ascii").splitlines()[1:])
        return {name: int(fields[name].split()[0]) / 1024 for name in ("Rss", "Anonymous")}
    except (OSError, KeyError, ValueError):
        return {"Rss": None, "Anonymous": None}


def peak_bytes() -> int | None:
    """Return the peak of this process's resident memory in bytes; None where the system does not tell it."""
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)


def measure(path: Path, variant: str, options: dict[str, Any], k: int) -> dict[str, float | None]:
    """Return the fields of `FreshProcess`, measured in this process.

    Args:
        path: The bundle.
        variant: Name of one of its variants.
        options: The fields of `SessionOptions`.
        k: Items per call.
    """
    bundle = Bundle.open(path)
    histories = [case.history for case in golden.read(bundle).cases if case.history]
    chosen = bundle.variant(variant)
    installed.load_runtime(chosen, ".interpreter" if chosen.runtime == "tflite" else "")  # before the clock starts
    before, peak_before = mebibytes(), peak_bytes()
    started = time.perf_counter()
    recommender = Recommender.load(Bundle.open(path), variant=variant, **options)
    loaded = time.perf_counter()
    recommender.recommend(histories[0], k)
    called = time.perf_counter()
    after = mebibytes()
    for turn in range(CALLS):
        recommender.recommend(histories[turn % len(histories)], k)
    peak = peak_bytes()
    return {
        "load_ms": (loaded - started) * 1e3,
        "first_call_ms": (called - loaded) * 1e3,
        "resident_mib": _added(after["Rss"], before["Rss"]),
        "anonymous_mib": _added(after["Anonymous"], before["Anonymous"]),
        "peak_memory_bytes": peak,
        "loaded_memory_bytes": _added(peak, peak_before),
    }


def _added(now: float | None, then: float | None) -> float | None:
    return None if now is None or then is None else now - then


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
