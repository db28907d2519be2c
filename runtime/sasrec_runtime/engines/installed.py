"""Which engines are installed here, and whether they are new enough for a variant."""

import importlib
from types import ModuleType
from typing import Final

from sasrec_runtime import versions
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import MissingRuntimeError
from sasrec_runtime.manifest import Variant

__all__ = ["MODULES", "load_runtime", "runnable_variants"]

MODULES: Final = {"onnx": "onnxruntime", "tflite": "ai_edge_litert"}
"""Runtime of a variant → module that must be importable."""

REMEDIES: Final = {
    "onnx": "Run: pip install -U onnxruntime",
    "tflite": "Run: pip install -U ai-edge-litert, or pip install 'sasrec-edge[export]'",
}
"""Runtime of a variant → how to install its engine, for messages."""


def load_runtime(variant: Variant, submodule: str = "") -> ModuleType:
    """Return the module that runs a variant.

    Raises:
        MissingRuntimeError: It is not installed, or older than the variant needs.
    """
    name = MODULES[variant.runtime]
    try:
        module = importlib.import_module(name)
        wanted = importlib.import_module(name + submodule)
    except ImportError as error:
        raise MissingRuntimeError(
            f"variant {variant.name} needs {name}, which cannot be imported ({error}). {REMEDIES[variant.runtime]}"
        ) from error
    if versions.release(module.__version__) < versions.release(variant.min_runtime_version):
        raise MissingRuntimeError(
            f"{name} is {module.__version__}, variant {variant.name} needs at least {variant.min_runtime_version}. "
            f"{REMEDIES[variant.runtime]}"
        )
    return wanted


def runnable_variants(bundle: Bundle) -> list[Variant]:
    """Return the variants whose runtime is installed, and new enough.

    Raises:
        MissingRuntimeError: There is none.
    """
    runnable, reasons = [], []
    for variant in bundle.manifest.variants:
        try:
            load_runtime(variant)
            runnable.append(variant)
        except MissingRuntimeError as error:
            reasons.append(str(error))
    if not runnable:
        raise MissingRuntimeError(f"No variant of {bundle.path} can run here. {' '.join(reasons)}")
    return runnable
