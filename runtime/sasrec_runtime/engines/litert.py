"""TFLite variants on LiteRT."""

import platform
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import answers, contract, engine_errors, installed, weight_cache
from sasrec_runtime.engines.options import CPU, SessionOptions
from sasrec_runtime.errors import ProviderError, SasrecError, SignatureError
from sasrec_runtime.manifest import FileEntry, Variant
from sasrec_runtime.signature import ENTRIES, RECOMMEND

__all__ = ["TfliteSession"]


class TfliteSession:
    """One model file with two signatures, in the shapes its variant fixes: `FittedSession` brings requests to them.

    An interpreter runs one call at a time, so calls wait for a lock.
    """

    def __init__(self, bundle: Bundle, variant: Variant, options: SessionOptions) -> None:
        if tuple(options.providers) not in {(CPU,), ("cpu",), ()}:
            raise ProviderError(
                f"execution provider is {options.providers[0]!r:.80}, but variant {variant.name} runs on LiteRT, which "
                "has none. Leave the provider out, or choose an ONNX variant."
            )
        litert: Any = installed.load_runtime(variant, ".interpreter")
        self._variant = variant
        self._engine = f"LiteRT {installed.load_runtime(variant).__version__}"
        self._lock = threading.Lock()
        relative_path = variant.entries[RECOMMEND]
        path = bundle.file(relative_path)
        bundle.check(variant.files, bundle.to_hash(variant, options.verify))
        model = next(file for file in variant.files if file.path == relative_path)
        try:
            interpreter = self._opened(litert, path, model, options)
            signatures = interpreter.get_signature_list()
        except SasrecError:
            raise
        except Exception as error:
            raise engine_errors.failed_to_load(path, variant.name, self._engine, error) from error
        if not set(ENTRIES) <= set(signatures):
            raise SignatureError(
                f"{relative_path}: signatures are {', '.join(signatures) or 'none'}, expected {', '.join(ENTRIES)}. "
                "Export the bundle again."
            )
        try:
            runners = [interpreter.get_signature_runner(entry) for entry in ENTRIES]
            details = [(runner.get_input_details(), runner.get_output_details()) for runner in runners]
        except Exception as error:
            raise engine_errors.failed_to_load(path, variant.name, self._engine, error) from error
        self._recommend, self._score = runners
        for entry, (inputs, outputs) in zip(ENTRIES, details, strict=True):
            place = f"{relative_path} {entry}"
            expected = {name: spec for name, spec in contract.INPUTS[entry].items() if name != "k"}
            contract.check_signature(place, "inputs", _tensors(inputs), expected)
            contract.check_signature(place, "outputs", _tensors(outputs, ranked=False), contract.OUTPUTS[entry])
            if options.weight_cache is None:  # CompiledModel says 1 for what is not fixed, too
                _check_rows(place, inputs, variant)

    def recommend(
        self,
        history: NDArray[np.int32],
        exclude: NDArray[np.int32],
        k: int,  # noqa: ARG002 - the graph returns fixed_k items
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, fixed_k) and scores (B, fixed_k); see `Session`.

        Raises:
            AnswerError: The model's outputs have another shape.
            EngineError: LiteRT failed.
        """
        try:
            with self._lock:
                answer = self._recommend(history=history, exclude=exclude)
        except Exception as error:
            raise engine_errors.failed_to_run(self._variant.name, self._engine, error) from error
        expected = (len(history), self._variant.fixed_k)
        return self._shaped("items", answer["items"], expected), self._shaped("scores", answer["scores"], expected)

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`. Errors as of `recommend`."""
        try:
            with self._lock:
                answer = self._score(history=history, candidates=candidates)
        except Exception as error:
            raise engine_errors.failed_to_run(self._variant.name, self._engine, error) from error
        return self._shaped("scores", answer["scores"], candidates.shape)

    def _shaped(self, output: str, values: NDArray[Any], expected: tuple[int, ...]) -> NDArray[Any]:
        """Return an output in two dimensions; a graph of one row may leave out the first."""
        if values.shape == expected:
            return values
        if values.size != expected[0] * expected[1]:
            raise answers.wrong_shape(self._variant.name, output, values.shape, expected)
        return values.reshape(expected)

    def _opened(self, litert: Any, path: Path, model: FileEntry, options: SessionOptions) -> Any:
        """XNNPACK is on in both; only CompiledModel can keep what it packed."""
        if options.weight_cache is None:
            return litert.Interpreter(model_path=str(path), num_threads=options.threads)
        from sasrec_runtime.engines.litert_compiled import CompiledModel  # noqa: PLC0415 - loads LiteRT

        key = weight_cache.Key(model_sha256=model.sha256, engine=self._engine, machine=platform.machine())
        return weight_cache.load(
            Path(options.weight_cache),
            key,
            lambda file: CompiledModel(path, threads=options.threads, weight_cache=file),
            verify=options.verify,
        )


def _check_rows(place: str, inputs: dict[str, dict[str, Any]], variant: Variant) -> None:
    """Refuse a graph that takes another number of rows than the manifest says."""
    rows = int(inputs["history"]["shape_signature"][0])
    if rows > 0 and rows != variant.fixed_batch:
        raise SignatureError(
            f"{place}: history has {rows} rows, expected {variant.fixed_batch or 'any number'} (fixed_batch). "
            "Export the bundle again."
        )


def _tensors(details: dict[str, dict[str, Any]], *, ranked: bool = True) -> dict[str, tuple[str, int]]:
    """Name → dtype and rank of LiteRT's descriptions; an output has no rank before its first run."""
    return {
        name: (np.dtype(detail["dtype"]).name, len(detail["shape_signature"]) if ranked else -1)
        for name, detail in details.items()
    }
