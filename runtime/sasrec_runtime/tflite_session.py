"""TFLite variants on LiteRT: the contract of the graph over a model whose shapes are mostly fixed."""

import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime import history as history_module
from sasrec_runtime import session
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import BundleError, SignatureError
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import ENTRIES, PAD_ID, RECOMMEND

__all__ = ["TfliteSession", "round_up"]

MIN_COLUMNS: Final = 16
"""Columns of `exclude` and `candidates` at least; a change of shape makes LiteRT plan its memory anew."""


class TfliteSession:
    """One model file with two signatures. An interpreter runs one call at a time, so calls wait for a lock."""

    def __init__(self, bundle: Bundle, variant: Variant, *, threads: int = 1) -> None:
        litert: Any = session.load_runtime(variant, ".interpreter")
        self._variant = variant
        self._n_items = bundle.manifest.model.n_items
        self._lock = threading.Lock()
        relative_path = variant.entries[RECOMMEND]
        path = bundle.file(relative_path)
        try:
            interpreter = litert.Interpreter(model_path=str(path), num_threads=threads)
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
            inputs = {name: spec for name, spec in session.INPUTS[entry].items() if name != "k"}
            session.check_signature(f"{relative_path} {entry}", "inputs", _tensors(runner.get_input_details()), inputs)
            outputs = _tensors(runner.get_output_details(), ranked=False)
            session.check_signature(f"{relative_path} {entry}", "outputs", outputs, session.OUTPUTS[entry])

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return items (B, k) and scores (B, k); see `Session`."""
        session.check_k(k, self._variant, self._n_items)
        session.check_ids("history", history)
        session.check_ids("exclude", exclude, len(history))
        history, exclude = self._fit(history), _pad_right(exclude)
        items = np.empty((len(history), k), np.int32)
        scores = np.empty((len(history), k), np.float32)
        with self._lock:
            for row in range(len(history)):
                answer = self._recommend(history=history[row : row + 1], exclude=exclude[row : row + 1])
                items[row] = answer["items"].reshape(-1)[:k]
                scores[row] = answer["scores"].reshape(-1)[:k]
        return items, scores

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return scores (B, C); see `Session`."""
        session.check_ids("history", history)
        session.check_ids("candidates", candidates, len(history))
        history, padded = self._fit(history), _pad_right(candidates)
        scores = np.empty(candidates.shape, np.float32)
        with self._lock:
            for row in range(len(history)):
                answer = self._score(history=history[row : row + 1], candidates=padded[row : row + 1])
                scores[row] = answer["scores"].reshape(-1)[: candidates.shape[1]]
        return scores

    def _fit(self, history: NDArray[np.int32]) -> NDArray[np.int32]:
        return history_module.fit(history, self._variant.fixed_history) if self._variant.fixed_history else history


def round_up(columns: int) -> int:
    """Return the next power of two, at least MIN_COLUMNS: a handful of shapes serve every request."""
    return max(MIN_COLUMNS, 1 << max(columns - 1, 0).bit_length())


def _pad_right(item_ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return (B, columns) with free places on the right; padding is never excluded, and its score is dropped."""
    padded = np.full((len(item_ids), round_up(item_ids.shape[1])), PAD_ID, np.int32)
    padded[:, : item_ids.shape[1]] = item_ids
    return padded


def _tensors(details: dict[str, dict[str, Any]], *, ranked: bool = True) -> dict[str, tuple[str, int]]:
    """Name → dtype and rank of LiteRT's descriptions; an output has no rank before its first run."""
    return {
        name: (np.dtype(detail["dtype"]).name, len(detail["shape_signature"]) if ranked else -1)
        for name, detail in details.items()
    }
