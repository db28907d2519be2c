"""ONNX variants on onnxruntime, with the options of a device: few threads, no spinning, mapped weights."""

import functools
import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import session
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import BundleError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND, RECOMMEND_BATCH, SCORE

__all__ = ["OnnxSession"]

BATCH_FROM: Final = 8
"""Rows from which the batch form, where a variant has one, is faster than the other."""


class OnnxSession:
    """The model files of an ONNX variant. onnxruntime runs one session from many threads at once."""

    def __init__(self, bundle: Bundle, variant: Variant, *, threads: int = 1) -> None:
        self._onnxruntime: Any = session.load_runtime(variant)
        self._bundle = bundle
        self._variant = variant
        self._threads = threads
        self._n_items = bundle.manifest.model.n_items
        self._lock = threading.Lock()
        self._runs: dict[str, Any] = {RECOMMEND: self._open(RECOMMEND).run}
        self._has_batch_form = RECOMMEND_BATCH in variant.entries

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, k) and scores (B, k); see `Session`."""
        session.check_k(k, self._variant, self._n_items)
        session.check_ids("history", history)
        session.check_ids("exclude", exclude, len(history))
        feed = {"history": history, "exclude": exclude}
        if not self._variant.fixed_k:
            feed["k"] = np.array((k,), np.int64)
        run = self._runs[RECOMMEND]
        if len(history) >= BATCH_FROM and self._has_batch_form:
            run = self._run_of(RECOMMEND_BATCH)
        items, scores = run(["items", "scores"], feed)
        return (items[:, :k], scores[:, :k]) if self._variant.fixed_k else (items, scores)

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`. The first call loads the model."""
        session.check_ids("history", history)
        session.check_ids("candidates", candidates, len(history))
        run = self._run_of(SCORE)
        scores: NDArray[np.float32] = run(["scores"], {"history": history, "candidates": candidates})[0]
        return scores

    def _run_of(self, entry: str) -> Any:
        """Return the run method of an entry's model, which the first call loads."""
        run = self._runs.get(entry)
        if run is None:
            with self._lock:
                if entry not in self._runs:
                    self._runs[entry] = self._open(entry).run
                run = self._runs[entry]
        return run

    def _open(self, entry: str) -> Any:
        relative_path = self._variant.entries[entry]
        path = self._bundle.file(relative_path)
        try:
            model = self._onnxruntime.InferenceSession(path, self._options(), providers=["CPUExecutionProvider"])
        except _load_errors() as error:
            raise BundleError(
                f"{path}: onnxruntime {self._onnxruntime.__version__} cannot load it: {error!s:.300}. "
                "Check the files with `sasrec-edge verify`, or export the bundle again."
            ) from error
        inputs = dict(session.INPUTS[entry])
        if self._variant.fixed_k:
            inputs.pop("k", None)
        session.check_signature(relative_path, "inputs", _tensors(model.get_inputs()), inputs)
        session.check_signature(relative_path, "outputs", _tensors(model.get_outputs()), session.OUTPUTS[entry])
        return model

    def _options(self) -> Any:
        options = self._onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only: warnings name nodes, which say nothing to a caller
        if self._threads > 1:
            # Spinning threads burn 18 ms of CPU per request at 50 requests a second.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return options


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


@functools.cache
def _load_errors() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises for a file it cannot load; these classes share no base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state  # noqa: PLC0415 - loads onnxruntime

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return (*(getattr(state, name) for name in names), state.RuntimeException)
