"""Check that a bundle is complete and that its variants give here the answers recorded at export.

Each variant runs in a process of its own, ``python -m sasrec_runtime.checks.verify '{"bundle": …, "variant": …}'``: a
model file that makes its engine crash or hang fails its variant, and nothing else.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.checks.children import ChildError, run_module
from sasrec_runtime.engines import installed
from sasrec_runtime.errors import BundleReplacedError, MissingRuntimeError, SasrecError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.recommender import Recommender

__all__ = ["VariantCheck", "verify"]

TIMEOUT_S: Final = 600
"""Time for one variant, in seconds; with a million items it takes some seconds."""


class VariantCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result for one variant."""

    variant: str
    """Name of the variant."""
    status: Literal["passed", "failed", "skipped"]
    """Skipped: its runtime is not installed, or too old."""
    cases: int
    """Golden cases that were compared."""
    failures: list[str]
    """One sentence per difference."""
    reason: str | None
    """Why it was skipped."""
    check_ms: float
    """Time that loading and comparing took, in milliseconds."""


def verify(
    bundle: Bundle, variants: Sequence[str] = (), *, progress: Callable[[int], object] | None = None
) -> list[VariantCheck]:
    """Compare every digest, then the answers of each variant with the goldens, each in a process of its own.

    Args:
        bundle: The bundle.
        variants: Names of those to check; empty means all whose runtime is installed.
        progress: As in `Bundle.verify_digests`.

    Returns:
        One check for each. A variant fails if an answer differs, if its engine refuses a file, crashes or hangs.

    Raises:
        BundleError: A file is not what the manifest says, or golden.json is not valid.
        BundleReplacedError: The folder holds another bundle than the one that was opened.
        MissingRuntimeError: A variant was named, and its runtime is not installed; or no variant can run.
        VariantError: There is no variant of that name.
    """
    chosen = [bundle.variant(name) for name in variants] or bundle.manifest.variants
    bundle.verify_digests(progress)
    golden_module.read(bundle)  # what is wrong with it is wrong with all variants
    checks = [_check(bundle, variant, must_run=bool(variants)) for variant in chosen]
    if all(check.status == "skipped" for check in checks):
        raise MissingRuntimeError(
            f"No variant of {bundle.path} can run here. {' '.join(check.reason or '' for check in checks)}"
        )
    return checks


class _Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The result that the process of one variant prints."""

    cases: int
    """Golden cases that were compared."""
    failures: list[str]
    """One sentence per difference."""
    check_ms: float
    """Time that loading and comparing took."""
    missing: str | None = None
    """Why its runtime cannot be used."""
    replaced: str | None = None
    """The message, if the bundle was replaced meanwhile."""


def _check(bundle: Bundle, variant: Variant, *, must_run: bool) -> VariantCheck:
    started = time.perf_counter()
    try:
        installed.load_runtime(variant)
        reply = _ask(bundle, variant)
    except MissingRuntimeError as error:
        if must_run:
            raise
        return VariantCheck(
            variant=variant.name, status="skipped", cases=0, failures=[], reason=str(error), check_ms=_ms_since(started)
        )
    except ChildError as error:
        sentence = f"variant {variant.name} could not be checked: {error}. Export the bundle again, or leave it out."
        reply = _Reply(cases=0, failures=[sentence], check_ms=_ms_since(started))
    return VariantCheck(
        variant=variant.name,
        status="failed" if reply.failures else "passed",
        cases=reply.cases,
        failures=reply.failures,
        reason=None,
        check_ms=reply.check_ms,
    )


def _ask(bundle: Bundle, variant: Variant) -> _Reply:
    """Check a variant in a process of its own and return the result."""
    request = {"bundle": str(bundle.root), "variant": variant.name, "manifest_sha256": bundle.manifest_sha256}
    line = run_module("sasrec_runtime.checks.verify", request, timeout_s=TIMEOUT_S)
    try:
        reply = msgspec.convert(json.loads(line), _Reply)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ChildError(f"its process printed {line!r:.80}, which is not its result") from error
    if reply.replaced is not None:
        raise BundleReplacedError(reply.replaced)
    if reply.missing is not None:
        raise MissingRuntimeError(reply.missing)
    return reply


def _check_here(path: Path, name: str, manifest_sha256: str | None) -> _Reply:
    """Load a variant in this process and compare its answers with the goldens."""
    started = time.perf_counter()
    cases, failures, missing, replaced = 0, [], None, None
    try:
        bundle = Bundle.open(path)
        if manifest_sha256 not in {None, bundle.manifest_sha256}:
            replaced = f"{path} was replaced while it was checked. Check it again."
            return _Reply(cases=0, failures=[], check_ms=_ms_since(started), replaced=replaced)
        golden = golden_module.read(bundle)
        cases = sum(name in case.answers for case in golden.cases)
        # Its digests have just been compared.
        failures = golden_module.check(golden, Recommender.load(bundle, variant=name, verify="sizes"))
    except BundleReplacedError as error:
        replaced = str(error)
    except MissingRuntimeError as error:
        missing = str(error)
    except SasrecError as error:
        failures = [str(error)]
    return _Reply(cases=cases, failures=failures, check_ms=_ms_since(started), missing=missing, replaced=replaced)


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    found = _check_here(Path(asked["bundle"]), asked["variant"], asked["manifest_sha256"])
    sys.stdout.write(json.dumps(msgspec.to_builtins(found)) + "\n")  # ASCII, whatever the path holds
