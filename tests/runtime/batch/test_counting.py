"""Rows in = rows answered + bad rows: counted, said, and limited on request."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from runtime.batch.test_score_file import SUFFIXES, USERS, StoppedError, bad_rows, read, write
from sasrec_export.cli import main
from sasrec_runtime.batch import outputs, readers, writers
from sasrec_runtime.batch.answering import Answering
from sasrec_runtime.batch.max_bad import MaxBad
from sasrec_runtime.batch.rows import Row
from sasrec_runtime.batch.score_file import Progress, score_file
from sasrec_runtime.errors import BundleError, RequestError, SignatureError
from sasrec_runtime.recommender import Recommender

STRAY = [*USERS, ("bad", ["?"]), ("worse", ["?"])]
"""Six rows, of which two have no answer."""


@pytest.fixture
def recommender(shared_bundle: Path) -> Recommender:
    return Recommender.load(shared_bundle)


@pytest.fixture
def score(runner: Any, shared_bundle: Path, tmp_path: Path) -> Any:
    def invoke(*options: str, rows: Any = STRAY, out: str = "out.csv") -> Result:
        source = tmp_path / "in.csv"
        if not source.exists() or rows is not STRAY:
            write(source, rows)
        places = ["--histories", str(source), "--out", str(tmp_path / out)]
        return runner.invoke(main, ["score", str(shared_bundle), *places, "-k", "2", *options])

    return invoke


def test_one_stray_quote_costs_one_row(recommender: Recommender, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    lines = [f"u{number},apple bread\n" for number in range(1, 1001)]
    lines[5] = 'u6,"apple bread\n'
    source.write_text("user,history\n" + "".join(lines))
    assert score_file(recommender, source, out, k=1) == Progress(rows=1000, bad_rows=1, resumed_rows=0)
    assert [row.row for row in bad_rows(out)] == [6]
    assert len(read(out)) == 999


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_reader_that_loses_rows_ends_the_job(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    whole = readers.read
    monkeypatch.setattr(readers, "read", lambda path, columns: (row for row in list(whole(path, columns))[:-1]))
    source, out = write(tmp_path / f"in.{suffix}", USERS), tmp_path / f"out.{suffix}"
    with pytest.raises(RequestError, match="have 4 rows, of which 3 were read, 3 answered and 0 written as bad"):
        score_file(recommender, source, out, k=1)
    assert not out.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_writer_that_loses_rows_ends_the_job(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    whole = writers.write
    monkeypatch.setattr(
        writers, "write", lambda path, kind, answers, *rest, **more: whole(path, kind, answers[1:], *rest, **more)
    )
    with pytest.raises(RequestError, match="4 were read, 3 answered"):
        score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / f"out.{suffix}", k=1)


def test_a_file_that_grew_behind_its_reader_ends_the_job(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", USERS[:3]), tmp_path / "out.csv"

    def grow(progress: Progress) -> None:
        if progress.rows == 3:  # the reader has seen the end
            with source.open("a") as file:
                file.write('{"user": "late", "history": []}\n' * 3)

    with pytest.raises(RequestError, match=r"If the file changed meanwhile, start anew with --force"):
        score_file(recommender, source, out, k=1, part_rows=2, on_part=grow)
    assert not out.exists()


@pytest.mark.parametrize("output", SUFFIXES)
def test_users_of_several_lines_are_one_row_each(recommender: Recommender, tmp_path: Path, output: str) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / f"out.{output}"
    source.write_text(json.dumps({"user": 'a\n"b"\r\nc', "history": ["apple"]}) + "\n\n")
    assert score_file(recommender, source, out, k=1) == Progress(rows=1, bad_rows=0, resumed_rows=0)
    assert [row["user"] for row in read(out)] == ['a\n"b"\r\nc']


def test_the_command_says_where_every_row_is(score: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    assert score().stdout == (
        f"6 rows read: 4 answered by onnx-fp32 ({out}), 2 without an answer ({outputs.bad_rows_path(out)})\n"
    )
    assert score("--force", rows=USERS[:1]).stdout == (
        f"1 row read: 1 answered by onnx-fp32 ({out}), 0 without an answer\n"
    )


@pytest.mark.parametrize(("limit", "code"), [("33%", 1), ("33.4%", 0), ("1", 1), ("2", 0), ("0", 1), ("100%", 0)])
def test_more_bad_rows_than_the_limit_end_with_1_and_leave_the_output(
    score: Any, tmp_path: Path, limit: str, code: int
) -> None:
    result = score("--max-bad", limit)
    assert result.exit_code == code
    assert "6 rows read: 4 answered" in result.stdout
    said = f"Error: 2 of 6 rows have no answer, expected at most {limit} (--max-bad)."
    assert result.stderr.startswith(said if code else "")
    assert (len(read(tmp_path / "out.csv")), len(bad_rows(tmp_path / "out.csv"))) == (4, 2)


def test_json_is_whole_when_the_limit_is_exceeded(score: Any) -> None:
    result = score("--max-bad", "0%", "--json")
    assert result.exit_code == 1
    assert [json.loads(result.stdout)[name] for name in ("rows", "answered_rows", "bad_rows")] == [6, 4, 2]


@pytest.mark.parametrize("limit", ["0.5", "-1", "101%", "nan", "", "%", ".%", "1e3", "1 %x", "inf%"])
def test_a_limit_that_means_nothing_is_a_usage_error(score: Any, tmp_path: Path, limit: str) -> None:
    result = score("--max-bad", limit)
    assert result.exit_code == 2
    assert "expected a percentage such as 1%, or a count" in " ".join(result.stderr.split())
    assert not (tmp_path / "out.csv").exists()


def test_a_share_is_exact() -> None:
    limit = MaxBad.parse("0.1%")
    assert not limit.is_exceeded(1, 1000)
    assert limit.is_exceeded(1, 999)


def test_no_rows_exceed_no_limit() -> None:
    assert not MaxBad.parse("0%").is_exceeded(0, 0)


def test_the_limit_is_no_part_of_the_job(recommender: Recommender, score: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    begin(recommender, write(tmp_path / "in.csv", STRAY), out)
    result = score("--resume", "--max-bad", "1")
    assert (result.exit_code, len(read(out))) == (1, 4)


def begin(recommender: Recommender, source: Path, out: Path, **options: Any) -> None:
    def stop(_: Progress) -> None:
        raise StoppedError

    rows = {"part_rows": 4096} | options
    with pytest.raises(StoppedError):
        score_file(recommender, source, out, k=2, on_part=stop, **rows)


FORMULAS = ["=cmd|' /C calc'!A0", "+1", "-1", "@a", "\t=1", "\r=1", "＝1", "'=1"]


@pytest.mark.parametrize("user", FORMULAS)
def test_cells_that_a_spreadsheet_would_run_are_quoted_on_request(
    recommender: Recommender, tmp_path: Path, user: str
) -> None:
    source, raw, safe = write(tmp_path / "in.jsonl", [(user, ["apple"])]), tmp_path / "raw.csv", tmp_path / "safe.csv"
    score_file(recommender, source, raw, k=1)
    score_file(recommender, source, safe, k=1, spreadsheet_safe=True)
    assert [row["user"] for row in read(raw)] == [user]
    assert [row["user"] for row in read(safe)] == [f"'{user}"]


def test_items_are_quoted_and_scores_stay_numbers(tmp_path: Path) -> None:
    answer = writers.Answer("u", ["=a", "=b"], [-1.5], is_fallback=False)
    writers.write(tmp_path / "part", "csv", [answer], " ", spreadsheet_safe=True)
    assert (tmp_path / "part").read_text() == "u,'=a =b,-1.5,false\n"


def test_quoting_is_part_of_the_job(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    begin(recommender, source, out, spreadsheet_safe=True)
    with pytest.raises(RequestError, match=r"options is .*spreadsheet_safe"):
        score_file(recommender, source, out, k=2, resume=True)
    assert score_file(recommender, source, out, k=2, resume=True, spreadsheet_safe=True).rows == 4


def test_quoting_is_for_csv(score: Any) -> None:
    result = score("--spreadsheet-safe", out="out.jsonl")
    assert (result.exit_code, "is not CSV, expected .csv with --spreadsheet-safe" in result.stderr) == (1, True)


@pytest.mark.parametrize("error", [SignatureError, BundleError])
@pytest.mark.parametrize("form", ["recommend", "score"])
def test_a_failure_of_the_bundle_ends_the_job(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch, error: type[Exception], form: str
) -> None:
    calls = []

    def fail(*_: Any) -> Any:
        calls.append(form)
        raise error("the batch form is not what it should be")

    answering = Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20)
    monkeypatch.setattr(recommender.session, form, fail)
    wanted = None if form == "recommend" else ["figs"]
    with pytest.raises(error, match="the batch form"):
        answering.answer([Row(number, "u", ["apple"], wanted) for number in (1, 2)])
    assert calls == [form]


def test_unknown_keys_are_not_compared_with_the_catalogue(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    import difflib

    def fail(*_: Any) -> Any:
        raise AssertionError("difflib was asked")

    monkeypatch.setattr(difflib, "get_close_matches", fail)
    answering = Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20)
    _, bad = answering.answer(
        [Row(1, "a", ["aple"], None), Row(2, "b", ["figs"], ["egs"]), Row(3, "c", ["Figs"], None)]
    )
    assert [row.reason.partition(",")[0] for row in bad] == [
        "history[0] is 'aple'", "candidates[0] is 'egs'", "history[0] is 'Figs'",
    ]  # fmt: skip
    assert "Closest: 'figs'" in bad[2].reason
    with pytest.raises(AssertionError, match="difflib"):
        recommender.recommend(["aple"], 1)


@pytest.mark.parametrize("place", ["histories", "out"])
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_not_a_file_is_refused_before_the_model_is_loaded(
    runner: Any, shared_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, kind: str
) -> None:
    paths = {"histories": tmp_path / "in.csv", "out": tmp_path / "out.csv"}
    write(paths["histories"], USERS)
    paths[place] = tmp_path / "odd.csv"
    if kind == "folder":
        paths[place].mkdir()
    elif hasattr(os, "mkfifo"):
        os.mkfifo(paths[place])
    else:
        pytest.skip("needs pipes with names")
    monkeypatch.setattr(Recommender, "load", None)
    arguments = ["--histories", str(paths["histories"]), "--out", str(paths["out"]), "--force"]
    result = runner.invoke(main, ["score", str(shared_bundle), *arguments])
    assert result.exit_code == 1
    assert f"odd.csv is a {kind}" in result.stderr
    assert not list(tmp_path.glob("*.parts"))


def test_cells_of_any_size_are_counted(recommender: Recommender, tmp_path: Path) -> None:
    users = [("u" * 200_000, ["apple"]), ('a "quoted", \n name', ["bread"])]
    source, out = write(tmp_path / "in.jsonl", users), tmp_path / "out.csv"
    assert score_file(recommender, source, out, k=1) == Progress(rows=2, bad_rows=0, resumed_rows=0)
    assert writers.count(out, "csv") == 3  # with the heading
