"""Batch scoring inside an allowed set and under limits of groups."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sasrec_runtime.batch.rows import Answer
from sasrec_runtime.batch.score_file import score_file
from sasrec_runtime.errors import RequestError
from sasrec_runtime.recommender import AllowedSet, Groups, Recommender


@pytest.fixture
def recommender(shared_bundle: Path) -> Recommender:
    return Recommender.load(shared_bundle)


@pytest.fixture
def answer(recommender: Recommender, tmp_path: Path) -> Callable[..., tuple[dict[str, list[str]], dict[str, str]]]:
    """Score rows of JSON lines; return the items of each user, and the reason of each without an answer."""

    def run(rows: list[dict[str, Any]], **options: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
        source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows))
        score_file(recommender, source, out, **options)
        bad = tmp_path / "out.jsonl.bad.jsonl"
        reasons = [json.loads(line) for line in bad.read_text().splitlines()] if bad.exists() else []
        answers = [json.loads(line) for line in out.read_text().splitlines()]
        assert all(set(row) == set(Answer.__struct_fields__) for row in answers)
        return {row["user"]: row["items"] for row in answers}, {row["user"]: row["reason"] for row in reasons}

    return run


def test_one_set_holds_for_all_rows(answer: Any, recommender: Recommender) -> None:
    among = AllowedSet.of(["bread", "eggs", "figs"], recommender)
    rows = [{"user": "a", "history": ["apple"]}, {"user": "b", "history": ["bread"]}, {"user": "c", "history": []}]
    assert answer(rows, k=2, among=among)[0] == {"a": ["bread", "eggs"], "b": ["eggs", "figs"], "c": ["bread", "eggs"]}


def test_a_row_may_have_a_set_of_its_own_which_narrows_that_of_the_job(answer: Any, recommender: Recommender) -> None:
    rows = [
        {"user": "a", "history": ["apple"], "among": ["dates", "bread"]},
        {"user": "b", "history": ["apple"], "among": None},
        {"user": "c", "history": ["apple"], "among": "dates eggs"},
    ]
    assert answer(rows, k=2)[0] == {"a": ["dates", "bread"], "b": ["dates", "cheese"], "c": ["dates", "eggs"]}
    among = AllowedSet.of(["bread", "eggs"], recommender)
    assert answer(rows, k=2, among=among, force=True)[0] == {"a": ["bread"], "b": ["bread", "eggs"], "c": ["eggs"]}


def test_candidates_are_all_scored_whatever_the_job_allows(answer: Any, recommender: Recommender) -> None:
    rows = [{"user": "a", "history": ["apple"], "candidates": ["figs", "apple"]}]
    assert answer(rows, k=1, among=AllowedSet.of(["bread"], recommender))[0] == {"a": ["figs", "apple"]}


def test_a_set_without_items_costs_its_own_row(answer: Any) -> None:
    rows = [
        {"user": "a", "history": ["apple"], "among": []},
        {"user": "b", "history": ["apple"], "among": ["?"]},
        {"user": "c", "history": ["apple"], "among": 5},
        {"user": "d", "history": ["apple"], "among": ["figs"], "candidates": ["figs"]},
        {"user": "e", "history": ["apple"], "among": ["figs"]},
    ]
    items, reasons = answer(rows, k=2)
    assert items == {"e": ["figs"]}
    assert [reason[:40] for reason in reasons.values()] == [
        "among is empty, expected at least one it",
        "among holds '?' and none of its keys is ",
        "among is 5, expected a list of item keys",
        "it has candidates, which are all scored,",
    ]


def test_groups_hold_for_every_row(answer: Any, recommender: Recommender) -> None:
    groups = Groups.of({"cheese": "x", "dates": "y", "eggs": "y", "bread": "z"}, recommender)
    rows = [{"user": "a", "history": ["apple"]}, {"user": "b", "history": []}]
    seen, _ = answer(rows, k=3, groups=groups, exclude_groups=["x"], at_most_per_group=1)
    assert seen == {"a": ["dates", "grapes", "bread"], "b": ["apple", "bread", "eggs"]}


@pytest.mark.parametrize(
    "changed",
    [
        {"among": ["figs"]},
        {"among": None},
        {"groups": {"figs": "y"}},
        {"exclude_groups": ["x"]},
        {"at_most_per_group": 2},
    ],
)
def test_a_job_with_other_items_is_not_resumed(
    recommender: Recommender, tmp_path: Path, changed: dict[str, Any]
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"user": "a", "history": ["apple"]}\n' * 3)

    def options(**given: Any) -> dict[str, Any]:
        made = {
            "among": ["figs", "eggs"],
            "groups": {"figs": "x"},
            "exclude_groups": [],
            "at_most_per_group": 1,
            **given,
        }
        if "groups" in given:
            made["groups"] = {**given["groups"], "dates": "x"}
        made["among"] = made["among"] and AllowedSet.of(made["among"], recommender)
        return {**made, "groups": Groups.of(made["groups"], recommender)}

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file(recommender, source, out, k=1, part_rows=1, on_part=stop, **options())
    with pytest.raises(RequestError, match=r"job\.json: options is .* as in this call\. Resume with what"):
        score_file(recommender, source, out, k=1, part_rows=1, resume=True, **options(**changed))
    assert score_file(recommender, source, out, k=1, part_rows=1, resume=True, **options()).resumed_rows == 1


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_column_is_read_from_every_format(recommender: Recommender, tmp_path: Path, suffix: str) -> None:
    source, out = tmp_path / f"in{suffix}", tmp_path / "out.jsonl"
    if suffix == ".csv":
        source.write_text("user,history,among\na,apple,figs eggs\n")
    else:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.table({"user": ["a"], "history": [["apple"]], "among": [["figs", "eggs"]]}), source)
    score_file(recommender, source, out, k=3)
    assert json.loads(out.read_text())["items"] == ["eggs", "figs"]
