"""Prove that a bundle is whole and that its variants answer here as they did where they were exported."""

import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_runtime.recommender import Recommender

__all__ = ["VariantCheck", "verify"]


class VariantCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What the goldens say of one variant."""

    variant: str
    """Its name."""
    status: Literal["passed", "failed", "skipped"]
    """Skipped: its runtime is not installed, or too old."""
    cases: int
    """Golden cases that were compared."""
    failures: list[str]
    """One sentence per difference."""
    reason: str | None
    """Why it was skipped."""
    check_ms: float
    """Time that loading and comparing took."""


def verify(
    bundle: Bundle, variants: Sequence[str] = (), *, progress: Callable[[int], object] | None = None
) -> list[VariantCheck]:
    """Compare every digest, then the answers of each variant with the goldens.

    Args:
        bundle: The bundle.
        variants: Names of those to check; empty means all whose runtime is installed.
        progress: As in `Bundle.verify_digests`.

    Raises:
        BundleError: A file is not what the manifest says, or cannot be loaded.
        MissingRuntimeError: A variant was named, and its runtime is not installed; or no variant can run.
        VariantError: There is no variant of that name.
    """
    chosen = [bundle.variant(name) for name in variants] or bundle.manifest.variants
    bundle.verify_digests(progress)
    checks = [_check(bundle, variant.name, must_run=bool(variants)) for variant in chosen]
    if all(check.status == "skipped" for check in checks):
        raise MissingRuntimeError(
            f"No variant of {bundle.path} can run here. {' '.join(check.reason or '' for check in checks)}"
        )
    return checks


def _check(bundle: Bundle, name: str, *, must_run: bool) -> VariantCheck:
    started = time.perf_counter()
    try:
        recommender = Recommender.load(bundle, variant=name)
    except MissingRuntimeError as error:
        if must_run:
            raise
        return VariantCheck(
            variant=name, status="skipped", cases=0, failures=[], reason=str(error), check_ms=_ms_since(started)
        )
    golden = golden_module.read(bundle)
    failures = golden_module.check(golden, recommender)
    return VariantCheck(
        variant=name,
        status="failed" if failures else "passed",
        cases=sum(name in case.answers for case in golden.cases),
        failures=failures,
        reason=None,
        check_ms=_ms_since(started),
    )


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1e3
