"""What a model answers in JavaScript is checked before anyone sees it; an engine that fails is one sentence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Client = Callable[..., list[dict[str, Any]]]

SENTENCES = {
    "an id of 0": "items[0] is 0, expected an item id in 1…7",
    "an id below 0": "items[0] is -1, expected an item id in 1…7",
    "an id beyond the catalogue": "items[1] is 5000, expected an item id in 1…7",
    "an item twice": "items[1] is 3, expected each item once",
    "an excluded item": "items[0] is 1, expected an item that is not excluded",
    "a score that is NaN": "scores[0] is NaN, expected a finite number",
    "an infinite score": "scores[0] is Infinity, expected a finite number",
    "the worst first": "scores[2] is 2, expected at most 0, the score before it",
    "one column less": "items has 4 values, expected 1 × 5",
    "no rows": "items has 0 values, expected 1 × 5",
    "doubles": "scores is 'Float64Array', expected Float32Array of 1 × 5",
    "no scores": "scores is None, expected Float32Array of 1 × 5",
    "padding with a score": "items[3] is 0, expected an item id in 1…7",
}


@pytest.mark.parametrize("mistake", SENTENCES)
def test_an_answer_that_cannot_be_right_is_refused(client: Client, shared_bundle: Path, mistake: str) -> None:
    call = ["recommend", ["apple", "bread"], {"k": 5}]
    error = client(shared_bundle, call, variant="onnx-fp32", plant=mistake)[1]["error"]
    assert error["name"] == "AnswerError"
    assert error["message"].startswith(
        f"variant onnx-fp32 gave an answer that breaks the graph contract: {SENTENCES[mistake]}. Check"
    )


@pytest.mark.parametrize("mistake", [*SENTENCES, "NaN for a candidate", "fails"])
def test_verify_takes_it_for_a_failure(client: Client, shared_bundle: Path, mistake: str) -> None:
    check = client(shared_bundle, ["verify"], variant="onnx-fp32", plant=mistake)[1]["value"]
    assert check["status"] == "failed"
    assert all("variant onnx-fp32" in failure or "expected" in failure for failure in check["failures"])


def test_places_that_no_item_can_take_hold_padding(client: Client, shared_bundle: Path) -> None:
    call = ["recommend", ["apple", "bread", "cheese", "dates", "eggs"], {"k": 6}]
    error = client(shared_bundle, call, variant="onnx-fp32", plant="padding with a score")[1]["error"]
    expected = "items[3] is 0 with the score -1, expected padding, for no more than 2 items are left."
    assert expected in error["message"]


def test_a_score_that_is_not_finite_is_refused(client: Client, shared_bundle: Path) -> None:
    error = client(shared_bundle, ["score", ["apple"], ["bread"]], plant="NaN for a candidate")[1]["error"]
    assert (error["name"], "scores[0] is NaN" in error["message"]) == ("AnswerError", True)


@pytest.mark.parametrize("call", [["recommend", ["apple"], {"k": 2}], ["score", ["apple"], ["bread"]]])
def test_an_engine_that_fails_is_named(client: Client, shared_bundle: Path, call: list[Any]) -> None:
    error = client(shared_bundle, call, variant="onnx-fp32", plant="fails")[1]["error"]
    assert error["name"] == "EngineError"
    assert error["message"].startswith("variant onnx-fp32: onnxruntime-node 1.")
    assert f"failed while it ran {call[0]}: 8388608. Check the bundle with" in error["message"]


def test_closing_twice_does_nothing_and_a_later_call_says_so(client: Client, shared_bundle: Path) -> None:
    _, first, second, late = client(shared_bundle, ["close"], ["close"], ["recommend", ["apple"], {"k": 2}])
    assert (first, second) == ({}, {})
    assert late["error"]["name"] == "EngineError"
