"""TFLite variants on LiteRT."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import contract
from sasrec_runtime.engines.options import CPU, SessionOptions
from sasrec_runtime.errors import BundleError, ProviderError, SignatureError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import ENTRIES, RECOMMEND

__all__ = ["TfliteSession"]


class TfliteSession:
    """One model file with two signatures, in the shapes its variant fixes: `FittedSession` brings requests to them.

    An interpreter runs one call at a time, so calls wait for a lock.
    """

    def __init__(self, bundle: Bundle, variant: Variant, options: SessionOptions) -> None:
        if options.providers not in {(CPU,), ("cpu",), ()}:
            raise ProviderError(
                f"execution provider is {options.providers[0]!r:.80}, but variant {variant.name} runs on LiteRT, which "
                "has none. Leave the provider out, or choose an ONNX variant."
            )
        litert: Any = contract.load_runtime(variant, ".interpreter")
        self._lock = threading.Lock()
        relative_path = variant.entries[RECOMMEND]
        path = bundle.file(relative_path)
        try:
            interpreter = _opened(litert, path, options)
            signatures = interpreter.get_signature_list()
        except (ValueError, RuntimeError) as error:
            raise BundleError(
                f"{path}: LiteRT cannot load it: {error!s:.300}. "
                "Check the files with `sasrec-edge verify`, or export the bundle again."
            ) from error
        if not set(ENTRIES) <= set(signatures):
            raise SignatureError(
                f"{relative_path}: signatures are {', '.join(signatures) or 'none'}, expected {', '.join(ENTRIES)}. "
                "Export the bundle again."
            )
        self._recommend, self._score = (interpreter.get_signature_runner(entry) for entry in ENTRIES)
        for entry, runner in zip(ENTRIES, (self._recommend, self._score), strict=True):
            inputs = {name: spec for name, spec in contract.INPUTS[entry].items() if name != "k"}
            contract.check_signature(f"{relative_path} {entry}", "inputs", _tensors(runner.get_input_details()), inputs)
            outputs = _tensors(runner.get_output_details(), ranked=False)
            contract.check_signature(f"{relative_path} {entry}", "outputs", outputs, contract.OUTPUTS[entry])

    def recommend(
        self,
        history: NDArray[np.int32],
        exclude: NDArray[np.int32],
        k: int,  # noqa: ARG002 - the graph returns fixed_k items
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, fixed_k) and scores (B, fixed_k); see `Session`."""
        with self._lock:
            answer = self._recommend(history=history, exclude=exclude)
        rows = len(history)
        return answer["items"].reshape(rows, -1), answer["scores"].reshape(rows, -1)

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`."""
        with self._lock:
            answer = self._score(history=history, candidates=candidates)
        scores: NDArray[np.float32] = answer["scores"].reshape(candidates.shape)
        return scores


def _opened(litert: Any, path: Path, options: SessionOptions) -> Any:
    """XNNPACK is on in both; only CompiledModel can keep what it packed."""
    if options.weight_cache is None:
        return litert.Interpreter(model_path=str(path), num_threads=options.threads)
    from sasrec_runtime.engines.litert_compiled import CompiledModel  # noqa: PLC0415 - loads LiteRT

    return CompiledModel(path, threads=options.threads, weight_cache=Path(options.weight_cache))


def _tensors(details: dict[str, dict[str, Any]], *, ranked: bool = True) -> dict[str, tuple[str, int]]:
    """Name → dtype and rank of LiteRT's descriptions; an output has no rank before its first run."""
    return {
        name: (np.dtype(detail["dtype"]).name, len(detail["shape_signature"]) if ranked else -1)
        for name, detail in details.items()
    }
