"""ONNX variants on onnxruntime, with the options of a device: few threads, no spinning, mapped weights."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import answers, contract, engine_errors, installed
from sasrec_runtime.engines.options import SessionOptions, provider_names
from sasrec_runtime.errors import ProviderError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = ["OnnxSession"]

RECOMMEND_OUTPUTS: Final = ["items", "scores"]

Run = Callable[[list[str], dict[str, NDArray[Any]]], list[NDArray[Any]]]


class OnnxSession:
    """The model files of an ONNX variant, in the shapes it fixes. onnxruntime runs one from many threads at once."""

    def __init__(self, bundle: Bundle, variant: Variant, options: SessionOptions) -> None:
        self._onnxruntime: Any = installed.load_runtime(variant)
        self._engine = f"onnxruntime {self._onnxruntime.__version__}"
        self._providers = provider_names(self._onnxruntime, options.providers)
        self._bundle = bundle
        self._variant = variant
        self._options = options
        self._n_items = bundle.manifest.model.n_items
        self._to_hash = bundle.to_hash(variant, options.verify)
        models = set(variant.entries.values())
        self._weights = [file for file in variant.files if file.path not in models]
        self._lock = threading.Lock()
        self._k = functools.lru_cache(maxsize=16)(_k_input)
        self._runs: dict[str, Run] = {RECOMMEND: self._open(RECOMMEND)}
        self._has_batch_entry = RECOMMEND_BATCH in variant.entries

    @property
    def loaded_entries(self) -> frozenset[str]:
        """The entries whose models are loaded; the others are loaded by the first call that needs them."""
        return frozenset(self._runs)

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, k) and scores (B, k); see `Session`. The first large batch may load a model.

        Raises:
            AnswerError: The model's outputs have another shape.
            EngineError: onnxruntime failed.
        """
        contract.check_k(k, self._variant, self._n_items)
        contract.check_ids("history", history)
        rows = len(history)
        contract.check_ids("exclude", exclude, rows)
        if not rows:
            return np.empty((0, k), np.int32), np.empty((0, k), np.float32)
        feed: dict[str, NDArray[Any]] = {"history": _any_column(history), "exclude": exclude}
        if not self._variant.fixed_k:
            feed["k"] = self._k(k)
        run = self._run(RECOMMEND_BATCH if rows >= contract.BATCH_ROWS and self._has_batch_entry else RECOMMEND)
        try:
            items, scores = run(RECOMMEND_OUTPUTS, feed)
        except Exception as error:
            raise engine_errors.failed_to_run(self._variant.name, self._engine, error) from error
        expected = (rows, self._variant.fixed_k or k)
        if items.shape != expected or scores.shape != expected:
            output, seen = ("items", items) if items.shape != expected else ("scores", scores)
            raise answers.wrong_shape(self._variant.name, output, seen.shape, expected)
        return items, scores

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`. The first call loads the model; errors as of `recommend`."""
        contract.check_ids("history", history)
        contract.check_ids("candidates", candidates, len(history))
        if not candidates.size:
            return np.empty(candidates.shape, np.float32)
        run = self._run(SCORE)
        try:
            (scores,) = run(["scores"], {"history": _any_column(history), "candidates": candidates})
        except Exception as error:
            raise engine_errors.failed_to_run(self._variant.name, self._engine, error) from error
        if scores.shape != candidates.shape:
            raise answers.wrong_shape(self._variant.name, "scores", scores.shape, candidates.shape)
        return scores

    def _run(self, entry: str) -> Run:
        """Return what runs an entry; its model is loaded once, by the first call that needs it."""
        run = self._runs.get(entry)
        if run is None:
            with self._lock:
                if entry not in self._runs:
                    self._runs[entry] = self._bundle.steadily(lambda: self._open(entry))
                run = self._runs[entry]
        return run

    def _open(self, entry: str) -> Run:
        relative_path = self._variant.entries[entry]
        path = self._bundle.file(relative_path)
        used = [file for file in self._variant.files if file.path == relative_path]
        self._bundle.check([*used, *self._weights], self._to_hash)
        try:
            model = self._onnxruntime.InferenceSession(path, self._session_options(), providers=self._providers)
        except Exception as error:
            raise engine_errors.failed_to_load(path, self._variant.name, self._engine, error) from error
        self._check_providers(model)
        expected = dict(contract.INPUTS[entry])
        if self._variant.fixed_k:
            expected.pop("k", None)
        contract.check_signature(relative_path, "inputs", _tensors(model.get_inputs()), expected)
        contract.check_signature(relative_path, "outputs", _tensors(model.get_outputs()), contract.OUTPUTS[entry])
        run: Run = model.run
        return run

    def _check_providers(self, model: Any) -> None:
        """Refuse a session that quietly left out a provider, because its driver or device is not there."""
        missing = [name for name in self._providers if name not in model.get_providers()]
        if missing:
            raise ProviderError(
                f"execution provider is {missing[0]}, which onnxruntime {self._onnxruntime.__version__} has but cannot "
                "start here. Check its driver and libraries, or choose another provider."
            )

    def _session_options(self) -> Any:
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._options.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: warnings name nodes, which say nothing to a caller
        options.enable_cpu_mem_arena = self._options.arena
        if self._options.threads > 1 and not self._options.spinning:
            # Spinning threads burn 18 ms of CPU per request at 50 requests a second.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


def _k_input(k: int) -> NDArray[np.int64]:
    return np.array((k,), np.int64)


def _any_column(history: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the history with a column of padding, where it has no column at all."""
    return history if history.shape[1] else np.zeros((len(history), 1), np.int32)


def _tensors(tensors: list[Any]) -> dict[str, tuple[str, int]]:
    """Name → numpy dtype and rank of onnxruntime's descriptions."""
    dtypes = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
    return {
        tensor.name: (
            dtypes.get(tensor.type, tensor.type.removeprefix("tensor(").removesuffix(")")),
            len(tensor.shape) or -1,
        )
        for tensor in tensors
    }
