"""Whatever an engine raises is an error of this package that names variant, engine and processor."""

import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import tiny
from runtime.engines.test_litert import Interpreter
from runtime.engines.test_litert import interpreter as interpreter  # noqa: PLC0414 - a fixture
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.errors import AnswerError, BundleError, EngineError, SasrecError, SignatureError

RAISED = [
    RuntimeError("failed to\nallocate"),
    ValueError("Cannot set tensor"),
    MemoryError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    SystemError(13, "Permission denied"),
    OverflowError("too large"),
]
by_type = pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def onnx_session(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, run: Any) -> Session:
    """A session whose onnxruntime runs `run`."""
    session = open_session(bundle, bundle.variant("onnx-fp32"))
    monkeypatch.setattr(session, "_runs", {"recommend": run, "score": run})
    return session


def failing(error: Exception) -> Any:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


@by_type
def test_onnxruntime_failing_to_load_is_a_bundle_error(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", failing(error))
    pattern = rf"onnxruntime [\d.]+ cannot load it: {type(error).__name__}: .*variant onnx-fp32, .*{platform.machine()}"
    with pytest.raises(BundleError, match=pattern) as caught:
        open_session(bundle, bundle.variant("onnx-fp32"))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


@by_type
def test_onnxruntime_failing_to_run_is_an_engine_error(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    session = onnx_session(bundle, monkeypatch, failing(error))
    pattern = rf"variant onnx-fp32: onnxruntime [\d.]+ failed on {platform.machine()} .*{type(error).__name__}"
    for call in (session.recommend, session.score):
        arguments = (3,) if call == session.recommend else ()
        with pytest.raises(EngineError, match=pattern):
            call(ids([1]), ids([2]), *arguments)
    assert issubclass(EngineError, SasrecError)
    assert issubclass(EngineError, RuntimeError)


@pytest.mark.parametrize(
    ("items", "scores", "message"),
    [
        ((0, 3), (0, 3), r"items has shape \(0, 3\), expected \(1, 3\)"),
        ((1, 1000), (1, 1000), r"items has shape \(1, 1000\)"),
        ((1, 3), (1, 2), r"scores has shape \(1, 2\), expected \(1, 3\)"),
        ((3,), (3,), r"items has shape \(3,\)"),
    ],
)
def test_onnx_outputs_of_another_shape_are_refused(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, items: Any, scores: Any, message: str
) -> None:
    session = onnx_session(bundle, monkeypatch, lambda *_: [np.ones(items, np.int32), np.ones(scores, np.float32)])
    with pytest.raises(AnswerError, match=message):
        session.recommend(ids([1]), ids([2]), 3)


def test_onnx_scores_of_another_shape_are_refused(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    session = onnx_session(bundle, monkeypatch, lambda *_: [np.ones((1, 1), np.float32)])
    with pytest.raises(AnswerError, match=r"scores has shape \(1, 1\), expected \(1, 2\)"):
        session.score(ids([1]), ids([2, 3]))


@pytest.fixture
def tflite(tmp_path: Path) -> Bundle:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    return Bundle.open(tmp_path / "bundle")


@by_type
@pytest.mark.parametrize("place", ["Interpreter", "get_signature_list", "get_signature_runner"])
def test_litert_failing_to_load_is_a_bundle_error(
    tflite: Bundle, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception
) -> None:
    owner = sys.modules["ai_edge_litert.interpreter"] if place == "Interpreter" else interpreter
    monkeypatch.setattr(owner, place, failing(error))
    pattern = rf"model.tflite: LiteRT 2\.3\.0 cannot load it: {type(error).__name__}: .*variant tflite-fp32"
    with pytest.raises(BundleError, match=pattern):
        open_session(tflite, tflite.variant("tflite-fp32"))


@by_type
def test_litert_failing_to_run_is_an_engine_error(
    tflite: Bundle, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    session = open_session(tflite, tflite.variant("tflite-fp32"))
    monkeypatch.setattr(type(interpreter.runners["recommend"]), "__call__", failing(error))
    pattern = rf"variant tflite-fp32: LiteRT 2\.3\.0 failed on .*{type(error).__name__}"
    with pytest.raises(EngineError, match=pattern):
        session.recommend(ids([1]), ids([2]), 3)
    with pytest.raises(EngineError, match=pattern):
        session.score(ids([1]), ids([2]))


def test_tflite_outputs_of_another_size_are_refused(
    tflite: Bundle, interpreter: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_session(tflite, tflite.variant("tflite-fp32"))
    wrong = {"items": np.ones((1, 4), np.int32), "scores": np.ones((1, 4), np.float32)}
    monkeypatch.setattr(type(interpreter.runners["recommend"]), "__call__", lambda *_, **__: wrong)
    with pytest.raises(AnswerError, match=r"items has shape \(1, 4\), expected \(1, 5\)"):
        session.recommend(ids([1]), ids([2]), 3)
    with pytest.raises(AnswerError, match=r"scores has shape \(1, 4\), expected \(1, 16\)"):
        session.score(ids([1]), ids([2]))


def test_a_tflite_graph_of_one_row_is_refused_where_the_manifest_says_any_number(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    manifest = tmp_path / "bundle" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"fixed_batch": 1', b'"fixed_batch": 0'))
    bundle = Bundle.open(tmp_path / "bundle")
    with pytest.raises(SignatureError, match=r"history has 1 rows, expected any number \(fixed_batch\)"):
        open_session(bundle, bundle.variant("tflite-fp32"))
