"""golden.json and the tie-aware rule, one sentence of runtime/BUNDLE.md per test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.golden import Answer, Case, Golden
from sasrec_runtime.errors import BundleError, DigestError, FormatVersionError
from sasrec_runtime.recommender import Recommender

ATOL = 0.01

# Scores worked out for the rule: 1 and 2 are near-tied (0.015 apart, at most 2 · 0.01), 3 stands alone, 4 and the
# last, 5, are near-tied.
SCORES = [5.0, 4.985, 3.0, 1.0, 0.99]


class Replay:
    """A session that gives a fixed answer."""

    def __init__(self, item_ids: list[int], scores: list[float], candidate_scores: list[float]) -> None:
        self.answer = np.array([item_ids], np.int32), np.array([scores], np.float32)
        self.candidate_scores = np.array([candidate_scores], np.float32)

    def recommend(self, history: np.ndarray, exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self.answer

    def score(self, history: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        return self.candidate_scores


def case(**changes: Any) -> Case:
    expected = Answer(item_ids=[1, 2, 3, 4, 5], item_keys=tiny.KEYS[:5], scores=SCORES, candidate_scores=[1.0])
    whole = {
        "name": "a case",
        "history": ["grapes"],
        "history_ids": [7],
        "exclude_ids": [7],
        "k": 5,
        "candidate_ids": [4],
        "answers": {"onnx-fp32": expected},
    }
    return Case(**(whole | changes))


@pytest.fixture
def replayed(bundle: Bundle) -> Callable[..., list[str]]:
    """Check an answer against the case above."""
    variant = msgspec.structs.replace(bundle.variant("onnx-fp32"), atol=ATOL)

    def check(
        item_ids: list[int], scores: list[float] = SCORES, candidate_scores: list[float] | None = None, **changes: Any
    ) -> list[str]:
        recommender = Recommender(bundle, variant, Replay(item_ids, scores, candidate_scores or [1.0]))
        return golden.check(Golden(format_version=1, cases=[case(**changes)]), recommender)

    return check


def test_the_tiny_bundle_passes_its_goldens(recommender: Recommender) -> None:
    assert golden.check(golden.read(recommender.bundle), recommender) == []


def test_answer_is_what_goldens_record(recommender: Recommender) -> None:
    first = golden.read(recommender.bundle).cases[0]
    assert golden.answer(recommender.session, recommender.vocabulary, first) == first.answers[recommender.variant.name]


def test_equal_answers_pass(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5]) == []


@pytest.mark.parametrize(
    "item_ids",
    [
        pytest.param([2, 1, 3, 4, 5], id="neighbours swap"),
        pytest.param([1, 2, 3, 5, 4], id="the last two swap"),
        pytest.param([1, 2, 3, 4, 6], id="the last drops out"),
        pytest.param([1, 2, 3, 5, 6], id="the one before the last drops out"),
        pytest.param([1, 2, 3, 6, 5], id="a newcomer takes its place"),
    ],
)
def test_ids_may_differ_among_near_ties(replayed: Callable[..., list[str]], item_ids: list[int]) -> None:
    assert replayed(item_ids) == []


@pytest.mark.parametrize(
    ("item_ids", "message"),
    [
        pytest.param(
            [1, 3, 2, 4, 5], "a case: item 2 is at rank 2, expected at rank 1, where items[1] is 3.", id="swap"
        ),
        pytest.param([1, 2, 6, 4, 5], "a case: item 3 is missing, expected at rank 2", id="missing"),
        pytest.param([6, 1, 2, 3, 4], "a case: items[0] is 6, expected 1.", id="newcomer on top"),
        pytest.param([1, 2, 3, 4, 4], "a case: items are [1, 2, 3, 4, 4], expected each item once.", id="twice"),
        pytest.param([1, 2, 3, 4, 7], "a case: items hold [7], which the case excludes.", id="excluded"),
        pytest.param([1, 2, 3, 4, 0], "a case: recommend gives 4 items, expected 5.", id="padding"),
    ],
)
def test_other_ids_fail(replayed: Callable[..., list[str]], item_ids: list[int], message: str) -> None:
    failures = replayed(item_ids)
    assert any(failure.startswith(message) for failure in failures), failures


def test_a_score_off_by_more_than_atol_fails(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], [5.005, 4.98, 3.0, 1.0, 0.985]) == []
    assert replayed([1, 2, 3, 4, 5], [5.0, 4.985, 3.02, 1.0, 0.99]) == [
        "a case: scores[2] is 3.02, expected 3 within 0.01."
    ]


def test_a_score_that_is_no_number_fails(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], [5.0, 4.985, float("nan"), 1.0, 0.99]) == [
        "a case: scores[2] is nan, expected 3 within 0.01."
    ]


def test_a_candidate_score_off_by_more_than_atol_fails(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], candidate_scores=[1.5]) == [
        "a case: candidate_scores[0] is 1.5, expected 1 within 0.01."
    ]


def test_a_key_that_is_not_the_vocabularys_fails(replayed: Callable[..., list[str]]) -> None:
    wrong = Answer(item_ids=[1, 2, 3, 4, 5], item_keys=["pear", *tiny.KEYS[1:5]], scores=SCORES, candidate_scores=[1.0])
    assert replayed([1, 2, 3, 4, 5], answers={"onnx-fp32": wrong}) == [
        "a case: key of item 1 is 'apple', expected 'pear'."
    ]


def test_history_keys_that_give_other_ids_fail(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], history=["figs"]) == ["a case: ids of the history are [6], expected [7]."]
    assert "history[0] is 'pear'" in replayed([1, 2, 3, 4, 5], history=["pear"])[0]


def test_goldens_without_answers_of_the_variant_fail(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], answers={}) == [
        "golden.json has no answers of variant onnx-fp32, expected at least one."
    ]


def test_cases_without_candidates_or_history_are_allowed(bundle: Bundle) -> None:
    recommender = Recommender.load(bundle)
    empty = case(history=[], history_ids=[], candidate_ids=[], answers={})
    answer = golden.answer(recommender.session, recommender.vocabulary, empty)
    assert answer.candidate_scores == []
    assert (
        golden.check(
            Golden(format_version=1, cases=[msgspec.structs.replace(empty, answers={"onnx-fp32": answer})]), recommender
        )
        == []
    )


@given(st.lists(st.floats(-1e9, 1e9, width=32), max_size=5, unique=True))
def test_decode_undoes_encode(scores: list[float]) -> None:
    answer = Answer(
        item_ids=list(range(1, len(scores) + 1)),
        item_keys=tiny.KEYS[: len(scores)],
        scores=scores,
        candidate_scores=[0.1],
    )
    whole = Golden(format_version=1, cases=[case(answers={"a": answer})])
    assert golden.decode(golden.encode(whole)) == whole


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf")])
def test_encode_refuses_a_score_that_json_cannot_hold(score: float) -> None:
    answer = Answer(item_ids=[1], item_keys=["apple"], scores=[score], candidate_scores=[1.0])
    with pytest.raises(BundleError, match=r"Expected `float`, got `null`"):
        golden.encode(Golden(format_version=1, cases=[case(answers={"a": answer})]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"format_version": 2}, "golden.json: format_version is 2, this reader knows up to 1", id="newer"),
        pytest.param({"surprise": 1}, "golden.json: Object contains unknown field `surprise`", id="unknown field"),
        pytest.param({"cases": [{}]}, "golden.json: Object missing required field `name`", id="missing field"),
        pytest.param({"cases": 1}, r"golden.json: Expected `array`, got `int` - at `\$.cases`", id="type"),
    ],
)
def test_decode_refuses(change: dict, message: str) -> None:
    data = json.loads(golden.encode(tiny.golden(["a"]))) | change
    with pytest.raises(BundleError, match=message):
        golden.decode(json.dumps(data).encode())


def test_a_newer_golden_is_a_format_version_error() -> None:
    with pytest.raises(FormatVersionError):
        golden.decode(b'{"format_version": 2}')


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("item_ids", [1, 2, 3, 4, 5, 6], r"item_ids, item_keys and scores have \(6, 4, 4\) values"),
        ("item_ids", [0, 4, 5, 6], "Expected `int` >= 1"),
        ("candidate_scores", [], "candidate_scores has 0 values, expected 2, one per candidate"),
    ],
)
def test_decode_refuses_answers_that_do_not_fit_their_case(field: str, value: list, message: str) -> None:
    data = json.loads(golden.encode(tiny.golden(["a"])))
    data["cases"][0]["answers"]["a"][field] = value
    with pytest.raises(BundleError, match=message):
        golden.decode(json.dumps(data).encode())


def test_decode_refuses_more_items_than_k(shared_bundle: Path) -> None:
    data = json.loads((shared_bundle / "golden.json").read_bytes())
    data["cases"][0]["k"] = 2
    with pytest.raises(BundleError, match="onnx-fp32: item_ids has 4 values, expected at most k = 2"):
        golden.decode(json.dumps(data).encode())


@pytest.mark.parametrize("field", ["history_ids", "exclude_ids", "candidate_ids"])
def test_decode_refuses_ids_beyond_int32(field: str) -> None:
    data = json.loads(golden.encode(tiny.golden(["a"])))
    data["cases"][0][field] = [2**31]
    with pytest.raises(BundleError, match="Expected `int` <= 214748364"):
        golden.decode(json.dumps(data).encode())


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"format_version": 1, "cases": ' + b"[" * 100_000, b"\xff"])
def test_decode_refuses_what_is_not_json(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"golden\.json: "):
        golden.decode(data)


def test_a_golden_that_is_far_too_large_is_not_read(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "LIMIT_BYTES", 100)
    with pytest.raises(BundleError, match=r"golden\.json is \d+ bytes, expected at most 100\. Export"):
        golden.read(Bundle.open(tiny_bundle))
    with pytest.raises(BundleError, match=r"golden\.json is 101 bytes, expected at most 100"):
        golden.decode(b" " * 101)


def test_a_golden_of_other_content_is_not_read(tiny_bundle: Path) -> None:
    file = tiny_bundle / "golden.json"
    file.write_bytes(file.read_bytes().replace(b"2.0", b"3.0"))
    with pytest.raises(DigestError, match=r"golden\.json: sha256 is"):
        golden.read(Bundle.open(tiny_bundle))


def test_a_k_that_the_variant_cannot_answer_fails_its_case(replayed: Callable[..., list[str]], bundle: Bundle) -> None:
    recommender = Recommender.load(bundle)
    failures = golden.check(Golden(format_version=1, cases=[case(k=100)]), recommender)
    assert failures == ["a case: k is 100, expected 1…7. The catalogue has 7 items."]


def test_near_tied_scores_in_the_wrong_order_fail(replayed: Callable[..., list[str]]) -> None:
    assert replayed([1, 2, 3, 4, 5], [4.991, 4.9925, 3.0, 1.0, 0.99]) == [
        "a case: items[0] is 1 with score 4.991, before 4.9925, expected the best score first."
    ]


class Rows:
    """A session with a batch form: it answers as the tiny model does, but for `change` in batches of 8 rows or more."""

    def __init__(self, session: Any, change: Callable[..., Any]) -> None:
        self.session, self.change, self.batches = session, change, []
        self.score = session.score

    def recommend(self, history: np.ndarray, exclude: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        items, scores = self.session.recommend(history, exclude, k)
        if len(history) < 8:
            return items, scores
        self.batches.append((len(history), k))
        return self.change(items, scores)


def swapped_rows(items: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return items[::-1], scores[::-1]


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        pytest.param(lambda items, scores: (items, scores), True, id="the same"),
        pytest.param(lambda items, scores: (items, -scores), False, id="negated"),
        pytest.param(lambda items, scores: (items + 1, scores), False, id="shifted"),
        pytest.param(swapped_rows, False, id="rows in another order"),
    ],
)
def test_cases_are_asked_again_in_batches(bundle: Bundle, change: Callable[..., Any], passes: bool) -> None:
    loaded = Recommender.load(bundle)
    entries = loaded.variant.entries | {"recommend_batch": "any"}
    session = Rows(loaded.session, change)
    recommender = Recommender(bundle, msgspec.structs.replace(loaded.variant, entries=entries), session)
    failures = golden.check(golden.read(bundle), recommender)
    assert (failures == []) is passes
    assert session.batches == [(8, 3), (8, 4)]
    assert all(", in a batch of 8 rows: " in failure for failure in failures)


def test_a_variant_without_the_batch_entry_is_not_asked_in_batches(bundle: Bundle) -> None:
    loaded = Recommender.load(bundle)
    session = Rows(loaded.session, swapped_rows)
    assert golden.check(golden.read(bundle), Recommender(bundle, loaded.variant, session)) == []
    assert session.batches == []
