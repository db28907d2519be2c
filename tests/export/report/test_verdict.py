"""Which variant is to be shipped, and why not the others."""

from typing import Any

import pytest

from sasrec_export.report import verdict
from sasrec_export.report.schema import Budget, Change, NotMeasured, RowError, VariantReport


def variant(name: str, *, size: int, ndcg: float = 0.1, p99: float = 1.0, **more: Any) -> VariantReport:
    fields: dict[str, Any] = {
        "runtime": "onnx", "recipe": name, "load_ms": 1.0, "latency_p50_ms": 0.5, "min_runtime_version": "1.0",
        "operators": {}, "tied_top10": 0.0, "difference": {}, "by_target_count": [], "by_history_length": [],
    }  # fmt: skip
    return VariantReport(name=name, bytes=size, ndcg_10=ndcg, latency_p99_ms=p99, **(fields | more))


FP32 = variant("fp32", size=4_000_000)
WI8 = variant("wi8", size=1_000_000, ndcg=0.0998, difference={"ndcg@10": Change(value=-2e-4, low=-9e-4, high=5e-4)})
WI4 = variant("wi4", size=600_000, ndcg=0.09, p99=2.0)
ALL = [FP32, WI8, WI4]


@pytest.mark.parametrize(
    ("budget", "ship"),
    [
        (Budget(max_ndcg_drop=0.005), "wi8"),
        (Budget(max_ndcg_drop=0.2), "wi4"),
        (Budget(max_ndcg_drop=0.001), "fp32"),
        (Budget(max_ndcg_drop=0.2, max_p99_ms=1.5), "wi8"),
        (Budget(max_mb=0.7), "wi4"),
        (Budget(max_ndcg_drop=0.005, max_mb=0.7), None),
    ],
    ids=["drop", "wide drop", "narrow drop", "latency", "size", "nothing"],
)
def test_the_smallest_variant_inside_the_budget_is_shipped(budget: Budget, ship: str | None) -> None:
    assert verdict.judge(ALL, [], reference=FP32, budget=budget).ship == ship


def test_each_other_variant_is_rejected_for_a_reason() -> None:
    found = verdict.judge(ALL, [], reference=FP32, budget=Budget(max_ndcg_drop=0.005))
    assert {other.name: other.reason for other in found.passed_over} == {
        "wi4": "its NDCG@10 is 10 % lower, at most 0.5 % lower is allowed",
        "fp32": "it fits, but is 4.0 times as large",
    }


def test_the_sentence_says_what_is_lost_and_how_sure_that_is() -> None:
    sentence = verdict.judge(ALL, [], reference=FP32, budget=Budget(max_ndcg_drop=0.005)).sentence
    assert sentence == (
        "Ship wi8: with 1.00 MB it is the smallest variant inside the budget (NDCG@10 at most 0.5 % lower); "
        "its NDCG@10 is 0.2 % lower than that of fp32 (difference −0.2 %, 95 % interval −0.9 % to +0.5 %), "
        "and its p99 is 1 ms here."
    )


def test_a_sentence_that_ships_nothing_says_what_the_smallest_lacks() -> None:
    found = verdict.judge(ALL, [], reference=FP32, budget=Budget(max_mb=0.1))
    assert found.sentence == (
        "Ship none of them: no variant is inside the budget (at most 0.1 MB). "
        "wi4, the smallest: it has 0.60 MB, more than 0.1 MB."
    )


def test_a_variant_with_a_corrupted_row_is_never_shipped() -> None:
    row = RowError(item_id=3, key="k3", title="Three", error=2.0, relative=1.1, suspect=True)
    corrupted = variant("wi4", size=600_000, rows=[row], suspect_rows=1)
    found = verdict.judge([FP32, WI8, corrupted], [], reference=FP32, budget=Budget(max_ndcg_drop=0.5))
    assert found.ship == "wi8"
    assert found.passed_over[0].reason == (
        "1 of its items' rows look corrupted: the scores of item k3 (Three) are off by 2, 110 % of their size"
    )


def test_a_limit_on_the_drop_without_a_reference_is_met_by_nothing() -> None:
    found = verdict.judge([WI8], [], reference=None, budget=Budget(max_ndcg_drop=0.5))
    assert found.ship is None
    assert "cannot be compared" in found.passed_over[0].reason


def test_without_a_reference_and_a_limit_on_the_drop_the_sentence_says_so() -> None:
    found = verdict.judge([WI8], [], reference=None, budget=Budget(max_mb=5))
    assert found.ship == "wi8"
    assert "there is nothing to compare with" in found.sentence


def test_a_variant_that_was_not_measured_is_rejected() -> None:
    missing = NotMeasured(name="tflite-wi8", reason="not measured: no LiteRT")
    found = verdict.judge(ALL, [missing], reference=FP32, budget=Budget())
    assert found.passed_over[-1].reason == "not measured: no LiteRT"


def test_of_two_equally_small_variants_the_faster_is_shipped() -> None:
    slow = variant("slow", size=500_000, latency_p50_ms=2.0)
    fast = variant("fast", size=500_000, latency_p50_ms=1.0)
    assert verdict.judge([slow, fast], [], reference=FP32, budget=Budget()).ship == "fast"


@pytest.mark.parametrize(
    ("ndcg", "words"),
    [
        (0.0998, "its NDCG@10 is 0.2 % lower than that of fp32"),
        (0.1003, "its NDCG@10 is 0.3 % higher than that of fp32"),
        (0.1, "its NDCG@10 is that of fp32"),
    ],
    ids=["lower", "higher", "equal"],
)
def test_the_sentence_tells_the_direction_in_words(ndcg: float, words: str) -> None:
    found = verdict.judge([FP32, variant("wi8", size=1000, ndcg=ndcg)], [], reference=FP32, budget=Budget())
    assert words in found.sentence
