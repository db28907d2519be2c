"""The one interface over both runtimes: arrays of the graph contract in, arrays of the graph contract out."""

import importlib
import re
from types import ModuleType
from typing import Final, Protocol, Unpack

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.options import OptionNames, SessionOptions
from sasrec_runtime.errors import MissingRuntimeError, RequestError, SignatureError, shown
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = [
    "BATCH_ROWS",
    "INPUTS",
    "MODULES",
    "OUTPUTS",
    "Session",
    "check_ids",
    "check_k",
    "check_signature",
    "load_runtime",
    "open_session",
    "runnable_variants",
]

_RECOMMEND_INPUTS: Final = {"history": ("int32", 2), "exclude": ("int32", 2), "k": ("int64", 1)}
_RECOMMEND_OUTPUTS: Final = {"items": ("int32", 2), "scores": ("float32", 2)}

INPUTS: Final = {
    RECOMMEND: _RECOMMEND_INPUTS,
    RECOMMEND_BATCH: _RECOMMEND_INPUTS,
    SCORE: {"history": ("int32", 2), "candidates": ("int32", 2)},
}
"""Entry → input name → dtype and rank. A file of a variant with fixed_k has no `k`."""

OUTPUTS: Final = {
    RECOMMEND: _RECOMMEND_OUTPUTS,
    RECOMMEND_BATCH: _RECOMMEND_OUTPUTS,
    SCORE: {"scores": ("float32", 2)},
}
"""Entry → output name → dtype and rank."""

BATCH_ROWS: Final = 8
"""Rows from which the entry recommend_batch is faster, and used where a variant has it."""

MODULES: Final = {"onnx": "onnxruntime", "tflite": "ai_edge_litert"}
"""Runtime of a variant → module that must be importable."""

REMEDIES: Final = {
    "onnx": "Run: pip install -U onnxruntime",
    "tflite": "Run: pip install -U ai-edge-litert, or pip install 'sasrec-edge[export]'",
}


class Session(Protocol):
    """A loaded variant. Safe to call from several threads."""

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the k best items of each row.

        Args:
            history: (B, T), item ids, newest last; ids outside 1…n_items count as padding.
            exclude: (B, E), item ids not to return; PAD_ID fills free places. E may be 0.
            k: Items per row, in 1…n_items (TFLite: in 1…fixed_k).

        Returns:
            items (B, k), best first, ties to the lower id; PAD_ID in places that no item can take. scores (B, k). Their
            shapes are checked, their values are not: see `answers`.
        """
        ...

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the scores (B, C) of `candidates` (B, C), item ids, for the histories (B, T) of the same rows."""
        ...


def open_session(bundle: Bundle, variant: Variant, **options: Unpack[OptionNames]) -> Session:
    """Return a session of that variant, its recommend model loaded.

    Args:
        bundle: The bundle that holds the variant.
        variant: One of `bundle.manifest.variants`.
        options: The fields of `SessionOptions`.

    Raises:
        BundleError: A file differs from the manifest, or the engine cannot load it.
        BundleReplacedError: The folder holds another bundle than the one that was opened.
        MissingRuntimeError: The runtime is not installed or too old.
        ProviderError: It has no such execution provider.
        SignatureError: A model file has other inputs or outputs than the contract.
    """
    chosen = SessionOptions(**options)
    return bundle.steadily(lambda: _opened(bundle, variant, chosen))


def _opened(bundle: Bundle, variant: Variant, options: SessionOptions) -> Session:
    from sasrec_runtime.engines.fixed_shapes import FittedSession, has_fixed_shapes  # noqa: PLC0415 - it builds on this file

    model = bundle.manifest.model
    if variant.runtime == "tflite":
        from sasrec_runtime.engines.litert import TfliteSession  # noqa: PLC0415 - loads LiteRT

        return FittedSession(
            TfliteSession(bundle, variant, options), variant, model.n_items, rounded=True, history_columns=model.max_len
        )
    from sasrec_runtime.engines.onnx import OnnxSession  # noqa: PLC0415 - loads onnxruntime

    session = OnnxSession(bundle, variant, options)
    return FittedSession(session, variant, model.n_items) if has_fixed_shapes(variant) else session


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
    if _release(module.__version__) < _release(variant.min_runtime_version):
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


def check_k(k: int, variant: Variant, n_items: int) -> None:
    """Refuse a k that the variant cannot answer."""
    if not 1 <= k <= n_items:
        raise RequestError(f"k is {shown(k)}, expected 1…{n_items}. The catalogue has {n_items} items.")
    if variant.fixed_k and k > variant.fixed_k:
        raise RequestError(
            f"k is {k}, expected 1…{variant.fixed_k}. Variant {variant.name} returns fixed_k = {variant.fixed_k} "
            "items: ask for fewer, take an ONNX variant, or export it with a larger k."
        )


def check_ids(name: str, array: NDArray[np.int32], rows: int | None = None) -> None:
    """Refuse an array that is not int32 (B, columns)."""
    if array.dtype != np.int32 or array.ndim != 2:
        raise SignatureError(f"{name} is {array.dtype} {array.shape}, expected int32 with two dimensions.")
    if rows is not None and len(array) != rows:
        raise SignatureError(f"{name} has {len(array)} rows, expected {rows}, as many as history.")


def check_signature(
    place: str, kind: str, seen: dict[str, tuple[str, int]], expected: dict[str, tuple[str, int]]
) -> None:
    """Refuse a model whose tensors differ from the contract; a rank of -1 is unknown to the runtime."""
    same = seen.keys() == expected.keys() and all(
        seen[name][0] == dtype and seen[name][1] in {rank, -1} for name, (dtype, rank) in expected.items()
    )
    if not same:
        raise SignatureError(
            f"{place}: {kind} are {_describe(seen)}, expected {_describe(expected)}. "
            "Export the bundle again, or upgrade sasrec-edge."
        )


def _describe(tensors: dict[str, tuple[str, int]]) -> str:
    return ", ".join(f"{name} {dtype} rank {'?' if rank < 0 else rank}" for name, (dtype, rank) in tensors.items())


def _release(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: "1.32.0.dev3" is (1, 32, 0)."""
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
