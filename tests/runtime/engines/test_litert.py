"""What the LiteRT session does around its interpreter, told by a stub that only notes what it is given."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest

from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines.contract import Session
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.errors import BundleError, RequestError, SignatureError


class Runner:
    """A signature that returns its own inputs' first ids as items, and notes every call."""

    def __init__(self, **inputs: type) -> None:
        self.inputs = inputs
        self.outputs: dict[str, type] = {"scores": np.float32}
        self.calls: list[dict[str, np.ndarray]] = []

    def get_input_details(self) -> dict[str, Any]:
        return {name: {"dtype": dtype, "shape_signature": [1, -1]} for name, dtype in self.inputs.items()}

    def get_output_details(self) -> dict[str, Any]:
        return {name: {"dtype": dtype, "shape_signature": []} for name, dtype in self.outputs.items()}

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        self.calls.append(arrays)
        columns = arrays.get("candidates")
        if "exclude" in arrays:
            return {"items": np.arange(1, 6, dtype=np.int32)[None], "scores": np.zeros((1, 5), np.float32)}
        return {"scores": columns.astype(np.float32)}


class Interpreter:
    """Stands in for ai_edge_litert.interpreter.Interpreter."""

    def __init__(self) -> None:
        self.runners = {
            "recommend": Runner(history=np.int32, exclude=np.int32),
            "score": Runner(history=np.int32, candidates=np.int32),
        }
        self.runners["recommend"].outputs["items"] = np.int32

    def get_signature_list(self) -> dict[str, Any]:
        return dict.fromkeys(self.runners)

    def get_signature_runner(self, name: str) -> Runner:
        return self.runners[name]


@pytest.fixture
def interpreter(monkeypatch: pytest.MonkeyPatch) -> Interpreter:
    stub = Interpreter()
    package, module = ModuleType("ai_edge_litert"), ModuleType("ai_edge_litert.interpreter")
    package.__version__ = "2.3.0"
    module.Interpreter = lambda **_: stub
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    return stub


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    return Bundle.open(tmp_path / "bundle")


@pytest.fixture
def stubbed(bundle: Bundle, interpreter: Interpreter) -> Session:
    return open_session(bundle, bundle.variant("tflite-fp32"))


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


@pytest.mark.parametrize(
    ("given", "seen"), [([5], [0, 0, 0, 5]), ([1, 2, 3, 4], [1, 2, 3, 4]), ([9, 8, 7, 6, 5], [8, 7, 6, 5])]
)
def test_history_has_exactly_the_columns_of_the_graph(
    stubbed: Session, interpreter: Interpreter, given: list[int], seen: list[int]
) -> None:
    stubbed.recommend(ids(given), ids([0]), 3)
    stubbed.score(ids(given), ids([1]))
    for runner in interpreter.runners.values():
        assert runner.calls[0]["history"].tolist() == [seen]


def test_rows_run_one_by_one(stubbed: Session, interpreter: Interpreter) -> None:
    items, scores = stubbed.recommend(ids([1], [2], [3]), ids([0], [0], [0]), 2)
    assert [call["history"].tolist() for call in interpreter.runners["recommend"].calls] == [
        [[0, 0, 0, row]] for row in (1, 2, 3)
    ]
    assert items.shape == scores.shape == (3, 2)


def test_exclude_is_padded_to_a_power_of_two(stubbed: Session, interpreter: Interpreter) -> None:
    stubbed.recommend(ids([1]), ids(list(range(1, 18))), 2)
    assert interpreter.runners["recommend"].calls[0]["exclude"].tolist() == [[*range(1, 18), *[0] * 15]]


def test_scores_of_padded_candidates_are_dropped(stubbed: Session, interpreter: Interpreter) -> None:
    assert stubbed.score(ids([1]), ids([4, 7])).tolist() == [[4, 7]]
    assert interpreter.runners["score"].calls[0]["candidates"].shape == (1, 16)


def test_the_first_k_of_fixed_k_items_are_returned(stubbed: Session) -> None:
    assert stubbed.recommend(ids([1]), ids([0]), 2)[0].tolist() == [[1, 2]]


def test_more_than_fixed_k_items_are_refused(stubbed: Session) -> None:
    with pytest.raises(RequestError, match=r"k is 6, expected 1…5\. Variant tflite-fp32 returns fixed_k = 5 items"):
        stubbed.recommend(ids([1]), ids([0]), 6)


def test_a_graph_of_any_history_length_gets_one_length_for_all_requests(
    bundle: Bundle, interpreter: Interpreter
) -> None:
    session = open_session(bundle, msgspec.structs.replace(bundle.variant("tflite-fp32"), fixed_history=0))
    for history in ([1, 2, 3, 4, 5, 6], [7]):
        session.recommend(ids(history), ids([0]), 2)
    seen = [call["history"].tolist() for call in interpreter.runners["recommend"].calls]
    assert seen == [[[3, 4, 5, 6]], [[0, 0, 0, 7]]]


def test_a_file_without_both_signatures_is_refused(bundle: Bundle, interpreter: Interpreter) -> None:
    del interpreter.runners["score"]
    with pytest.raises(SignatureError, match="signatures are recommend, expected recommend, score"):
        open_session(bundle, bundle.variant("tflite-fp32"))


def test_a_signature_with_another_dtype_is_refused(bundle: Bundle, interpreter: Interpreter) -> None:
    interpreter.runners["score"].inputs["history"] = np.int64
    with pytest.raises(SignatureError, match=r"model.tflite score: inputs are history int64 rank 2"):
        open_session(bundle, bundle.variant("tflite-fp32"))


def test_a_signature_with_another_output_is_refused(bundle: Bundle, interpreter: Interpreter) -> None:
    interpreter.runners["recommend"].outputs["items"] = np.int64
    with pytest.raises(SignatureError, match=r"model.tflite recommend: outputs are .*items int64"):
        open_session(bundle, bundle.variant("tflite-fp32"))


def test_a_file_that_is_no_model_is_refused(bundle: Bundle) -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(BundleError, match=r"model.tflite: LiteRT [\d.]+ cannot load it: .*sasrec-edge verify"):
        open_session(bundle, bundle.variant("tflite-fp32"))
