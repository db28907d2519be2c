"""Turn what an engine raises into an error of this package: which variant, engine and processor, and what to do."""

import platform
from pathlib import Path

from sasrec_runtime.errors import BundleError, EngineError

__all__ = ["failed_to_load", "failed_to_run"]


def failed_to_load(path: Path, variant: str, engine: str, error: BaseException) -> BundleError:
    """Return the error for a model file that an engine cannot load.

    Args:
        path: The file.
        variant: Name of its variant.
        engine: Name and version of the engine.
        error: What the engine raised.
    """
    return BundleError(
        f"{path}: {engine} cannot load it: {_in_one_line(error)}. It belongs to variant {variant}, the processor is "
        f"{platform.machine()}. Check the files with `sasrec-edge verify`, choose another variant, or export the "
        "bundle again."
    )


def failed_to_run(variant: str, engine: str, error: BaseException) -> EngineError:
    """Return the error for a model that an engine cannot run; arguments as for `failed_to_load`."""
    return EngineError(
        f"variant {variant}: {engine} failed on {platform.machine()} while it ran: {_in_one_line(error)}. "
        "Check the bundle with `sasrec-edge verify`, or choose another variant."
    )


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {text[:300].rstrip('.')}"
