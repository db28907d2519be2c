"""Batch scoring: files in, files out, whatever single rows hold and wherever a job breaks off."""

import csv
import errno
import importlib.util
import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runtime import tiny
from sasrec_export.cli import main
from sasrec_runtime.atomic import disk as disk_module
from sasrec_runtime.batch import job as job_module
from sasrec_runtime.batch import outputs, readers
from sasrec_runtime.batch.answering import Answering
from sasrec_runtime.batch.rows import BadRow, Columns, Row
from sasrec_runtime.batch.score_file import Progress, score_file
from sasrec_runtime.errors import MissingRuntimeError, OutputError, RequestError
from sasrec_runtime.recommender import Recommender

needs_pyarrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="Parquet needs pyarrow")
SUFFIXES = ["csv", "jsonl", pytest.param("parquet", marks=needs_pyarrow)]
USERS = [("u1", ["apple", "bread"]), ("u2", []), ("u3", ["dates", "dates", "apple"]), ("u4", ["figs"])]


class StoppedError(Exception):
    """Stands for a kill."""


@pytest.fixture
def recommender(shared_bundle: Path) -> Recommender:
    return Recommender.load(shared_bundle)


def write(path: Path, rows: list[tuple[str, list[str]]]) -> Path:
    if path.suffix == ".csv":
        path.write_text("user,history\n" + "".join(f"{user},{' '.join(keys)}\n" for user, keys in rows))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"user": user, "history": keys}) + "\n" for user, keys in rows))
    else:
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        users, histories = zip(*rows, strict=True)
        strings = pa.list_(pa.string())
        pq.write_table(pa.table({"user": list(users), "history": pa.array(list(histories), strings)}), path)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Return the output as JSON lines hold it."""
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    with path.open(newline="") as file:
        return [
            {
                "user": row["user"],
                "items": row["items"].split(),
                "scores": [float(score) for score in row["scores"].split()] or None,
                "is_fallback": row["is_fallback"] == "true",
            }
            for row in csv.DictReader(file)
        ]


def bad_rows(out: Path) -> list[BadRow]:
    return [msgspec.json.decode(line, type=BadRow) for line in outputs.bad_rows_path(out).read_bytes().splitlines()]


@pytest.mark.parametrize("output", SUFFIXES)
@pytest.mark.parametrize("given", SUFFIXES)
def test_every_format_gives_what_recommend_gives(
    recommender: Recommender, tmp_path: Path, given: str, output: str
) -> None:
    source, out = write(tmp_path / f"in.{given}", USERS), tmp_path / f"out.{output}"
    progress = score_file(recommender, source, out, k=3)
    assert progress == Progress(rows=4, bad_rows=0, resumed_rows=0)
    for row, (user, history) in zip(read(out), USERS, strict=True):
        expected = recommender.recommend(history, 3)
        assert (row["user"], row["is_fallback"]) == (user, expected.is_fallback)
        assert row["items"] == [item.key for item in expected]
        assert row["scores"] == (None if expected.is_fallback else [item.score for item in expected])


def test_only_the_output_is_left(recommender: Recommender, tmp_path: Path) -> None:
    score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / "out.csv", k=3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_seen_items_stay_on_request(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", USERS[2:3]), tmp_path / "out.jsonl"
    score_file(recommender, source, out, k=1, exclude_seen=False)
    assert read(out)[0]["items"] == ["dates"]


def test_candidates_are_scored_in_their_order(recommender: Recommender, tmp_path: Path) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text("user,history,candidates\nu1,apple bread,grapes apple dates\n")
    score_file(recommender, source, out, k=3)
    assert read(out) == [
        {"user": "u1", "items": ["grapes", "apple", "dates"], "scores": [0.0, 1.0, 2.0], "is_fallback": False}
    ]


JSON_LINES = {
    '{"user": "a", "history": ["apple"': "not JSON",
    "[1, 2]": r"it is \[1, 2\], expected an object",
    '{"user": "a"}': "'history' is missing",
    '{"user": null, "history": []}': "user is None, expected text",
    '{"user": "a", "history": 5}': "history is 5, expected a list of item keys",
    '{"user": "a", "history": [null]}': r"history is \[None\]",
    '{"user": "a", "history": ["aple"]}': r"history\[0\] is 'aple', expected a key",
    '{"user": "a", "history": [], "candidates": ["figs"]}': "history is empty",
    '{"user": "a", "history": ["figs"], "candidates": []}': "candidates is empty",
    '{"user": "a", "history": ["figs"], "candidates": ["?"]}': r"candidates\[0\] is '\?'",
    '{"user": "a", "history": ["figs"], "candidates": 7}': "candidates is 7",
}


@pytest.mark.parametrize("line", JSON_LINES)
def test_a_bad_line_is_written_aside_and_its_neighbours_are_answered(
    recommender: Recommender, tmp_path: Path, line: str
) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = '{"user": "g", "history": ["apple"]}'
    source.write_text(f"{good}\n{line}\n{good}\n")
    assert score_file(recommender, source, out, k=1) == Progress(rows=3, bad_rows=1, resumed_rows=0)
    assert [row["user"] for row in read(out)] == ["g", "g"]
    assert [row.row for row in bad_rows(out)] == [2]
    with pytest.raises(AssertionError, match=JSON_LINES[line]):
        raise AssertionError(bad_rows(out)[0].reason)


CSV_LINES = {
    b"a\n": "it has 1 fields, expected 2",
    b"a,apple,bread\n": "it has 3 fields, expected 2",
    b"a,\xff\n": "it is not UTF-8",
    b",apple\n": "user is ''",
    b'a,"apple" x\n': "not CSV",
}


@pytest.mark.parametrize("line", CSV_LINES)
def test_a_bad_line_of_csv_is_written_aside(recommender: Recommender, tmp_path: Path, line: bytes) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(b"user,history\ng,apple\n" + line + b"g,apple\n")
    assert score_file(recommender, source, out, k=1) == Progress(rows=3, bad_rows=1, resumed_rows=0)
    assert CSV_LINES[line] in bad_rows(out)[0].reason
    assert [row["user"] for row in read(out)] == ["g", "g"]


def test_an_endless_line_is_a_bad_row(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "LINE_LIMIT", 100)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"user": "' + "x" * 1000 + '"}\n{"user": "g", "history": []}')
    assert score_file(recommender, source, out, k=1) == Progress(rows=2, bad_rows=1, resumed_rows=0)


def test_numbers_stand_for_their_digits(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"u": 5, "h": [50, 172]}\n')
    assert list(readers.read(source, Columns(user="u", history="h"))) == [Row(1, "5", ["50", "172"], None)]


def test_a_row_that_the_variant_cannot_answer_does_not_stop_the_others(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recommender.session.recommend

    def two_at_most(history: Any, exclude: Any, k: int) -> Any:
        if exclude.shape[1] > 2:
            raise RequestError("too many excluded")
        return run(history, exclude, k)

    monkeypatch.setattr(recommender.session, "recommend", two_at_most)
    rows = [Row(1, "a", ["apple"], None), Row(2, "b", ["apple", "figs", "eggs"], None), Row(3, "c", ["eggs"], None)]
    answers, bad = Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20).answer(rows)
    assert [answer.user for answer in answers] == ["a", "c"]
    assert bad == [BadRow(2, "b", "too many excluded")]


def test_rows_with_candidates_run_together(recommender: Recommender, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, run = [], recommender.session.score
    monkeypatch.setattr(recommender.session, "score", lambda h, c: (calls.append(len(h)), run(h, c))[1])
    rows = [Row(1, "a", ["apple"], ["figs"]), Row(2, "b", ["eggs"], None), Row(3, "c", ["eggs"], ["apple", "bread"])]
    Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20).answer(rows)
    assert calls == [2]


def test_rows_with_and_without_candidates_keep_their_order(recommender: Recommender) -> None:
    wanted = [["figs"], None, ["apple", "bread"], None, ["eggs"]]
    rows = [Row(number, f"u{number}", ["apple"], candidates) for number, candidates in enumerate(wanted)]
    answers, _ = Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20).answer(rows)
    assert [(answer.user, answer.items) for answer in answers] == [
        (row.user, row.candidates or ["dates"]) for row in rows
    ]


def test_candidates_that_the_variant_cannot_score_do_not_stop_the_others(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recommender.session.score

    def two_at_most(history: Any, candidates: Any) -> Any:
        if candidates.shape[1] > 2:
            raise RequestError("too many candidates")
        return run(history, candidates)

    monkeypatch.setattr(recommender.session, "score", two_at_most)
    rows = [Row(number, "u", ["apple"], tiny.KEYS[:count]) for number, count in enumerate([1, 3, 2], 1)]
    answers, bad = Answering(recommender, 1, exclude_seen=True, batch_bytes=1 << 20).answer(rows)
    assert [answer.items for answer in answers] == [tiny.KEYS[:1], tiny.KEYS[:2]]
    assert bad == [BadRow(2, "u", "too many candidates")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_job_that_broke_off_is_resumed_and_ends_with_the_same_bytes(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    rows = [(f"u{number}", ["apple", "bread"][: number % 3]) for number in range(9)] + [("bad", ["?"])]
    source = write(tmp_path / f"in.{suffix}", rows)
    whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
    score_file(recommender, source, whole, k=2, part_rows=2)

    def stop(progress: Progress) -> None:
        if progress.rows == 6:
            raise StoppedError

    with pytest.raises(StoppedError):
        score_file(recommender, source, out, k=2, part_rows=2, on_part=stop)
    assert not out.exists()
    progress = score_file(recommender, source, out, k=2, part_rows=2, resume=True)
    assert progress == Progress(rows=10, bad_rows=1, resumed_rows=6)
    assert out.read_bytes() == whole.read_bytes()
    assert bad_rows(out) == bad_rows(whole)


def test_a_job_that_broke_off_with_its_output_in_place_is_resumed(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"

    def stop(_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(job_module.Job, "_remove_folder", stop)
        with pytest.raises(StoppedError):
            score_file(recommender, source, out, k=2, part_rows=2)
    before = out.read_bytes()
    score_file(recommender, source, out, k=2, part_rows=2, resume=True)
    assert out.read_bytes() == before
    assert not out.with_name("out.csv.parts").exists()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What is flushed (by inode) and what is renamed (inode of the file, inode of its new folder), in order."""
    events: list[tuple[str, Any]] = []
    flush, rename = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        events.append(("flush", os.fstat(descriptor).st_ino))
        flush(descriptor)

    def replace(source: Path, target: Path) -> Path:
        events.append(("rename", (source.stat().st_ino, target.parent.stat().st_ino)))
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    return events


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_file_is_on_the_disk_before_it_has_its_name(
    recommender: Recommender, tmp_path: Path, disk: list[tuple[str, Any]], suffix: str
) -> None:
    source = write(tmp_path / "in.csv", [*USERS, ("bad", ["?"])])
    score_file(recommender, source, tmp_path / f"out.{suffix}", k=1, part_rows=3)
    renames = [place for place, (kind, _) in enumerate(disk) if kind == "rename"]
    assert len(renames) == 7  # job.json, rows and bad rows of two parts, the output and its bad rows
    assert [disk[place - 1] for place in renames] == [("flush", disk[place][1][0]) for place in renames]


def test_every_name_is_on_the_disk_before_the_job_goes_on(
    recommender: Recommender, tmp_path: Path, disk: list[tuple[str, Any]]
) -> None:
    score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / "out.csv", k=1, part_rows=3)
    renames = [place for place, (kind, _) in enumerate(disk) if kind == "rename"]
    assert [disk[place + 1] for place in renames] == [("flush", disk[place][1][1]) for place in renames]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that flushes no folder, and whose disk is full."""

    def fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        raise OSError(errno.EINVAL if is_folder else errno.ENOSPC, "refused")

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.usefixtures("refusing")
def test_a_system_that_flushes_no_folder_stops_nothing(tmp_path: Path) -> None:
    disk_module.flush(tmp_path)


@pytest.mark.usefixtures("refusing")
def test_a_file_that_cannot_be_flushed_gets_no_name(tmp_path: Path) -> None:
    (tmp_path / "written").touch()
    with pytest.raises(OSError, match="refused"):
        disk_module.move(tmp_path / "written", tmp_path / "place")
    assert not (tmp_path / "place").exists()


@pytest.fixture
def broken_off(recommender: Recommender, tmp_path: Path) -> Path:
    """An output whose job broke off after its first part."""

    def stop(_: Progress) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / "out.csv", k=2, part_rows=1, on_part=stop)
    return tmp_path / "out.csv"


def test_a_broken_job_is_not_overwritten_silently(recommender: Recommender, broken_off: Path) -> None:
    with pytest.raises(RequestError, match=r"out.csv.parts holds a job that broke off\. Go on with --resume"):
        score_file(recommender, broken_off.with_name("in.csv"), broken_off, k=2, part_rows=1)


def test_another_job_is_not_resumed(recommender: Recommender, broken_off: Path) -> None:
    with pytest.raises(RequestError, match=r"job.json: options is .*'k': 2.*, expected .*'k': 3"):
        score_file(recommender, broken_off.with_name("in.csv"), broken_off, k=3, part_rows=1, resume=True)


def test_an_input_that_changed_is_not_resumed(recommender: Recommender, broken_off: Path) -> None:
    with broken_off.with_name("in.csv").open("a") as file:
        file.write("u5,figs\n")
    with pytest.raises(RequestError, match=r"job.json: bytes is"):
        score_file(recommender, broken_off.with_name("in.csv"), broken_off, k=2, part_rows=1, resume=True)


def test_force_starts_anew(recommender: Recommender, broken_off: Path) -> None:
    progress = score_file(recommender, broken_off.with_name("in.csv"), broken_off, k=3, force=True)
    assert progress.resumed_rows == 0
    assert len(read(broken_off)) == 4


def test_bad_rows_of_an_earlier_job_do_not_stay(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", [("a", ["?"])]), tmp_path / "out.csv"
    score_file(recommender, source, out, k=1)
    score_file(recommender, write(source, USERS), out, k=1, force=True)
    assert not outputs.bad_rows_path(out).exists()


def test_existing_output_is_kept_without_force(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    out.write_text("mine")
    with pytest.raises(RequestError, match=r"out.csv exists\. Replace it with --force"):
        score_file(recommender, source, out, k=3)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("in.txt", b"", r"suffix '.txt', expected one of .csv, .jsonl"),
        ("in.csv", b"", r"has columns none, expected 'user' and 'history'"),
        ("in.csv", b"id,history\n", r"has columns id, history, expected 'user'"),
        pytest.param("in.parquet", b"no parquet", r"pyarrow cannot read it", marks=needs_pyarrow),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing_behind(
    recommender: Recommender, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError, match=message):
        score_file(recommender, tmp_path / name, tmp_path / "out.csv", k=3)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_bad_rows_of_an_earlier_job_are_kept_without_force(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    bad = outputs.bad_rows_path(out)
    bad.write_text('{"row":1,"user":"a","reason":"x"}\n')
    with pytest.raises(RequestError, match=r"out\.csv\.bad\.jsonl exists\. Replace it with --force"):
        score_file(recommender, source, out, k=1)
    assert bad.exists()
    score_file(recommender, source, out, k=1, force=True)
    assert not bad.exists()


@pytest.mark.parametrize(
    "text", ["notes\n", '{"row":1,"user":"a","reason":"x","more":1}\n', '{"row":1,"user":"a","reason":"x"}\nmine\n']
)
def test_what_is_not_bad_rows_is_kept_even_with_force(recommender: Recommender, tmp_path: Path, text: str) -> None:
    source, out = write(tmp_path / "in.csv", [*USERS, ("bad", ["?"])]), tmp_path / "out.csv"
    bad = outputs.bad_rows_path(out)
    bad.write_text(text)
    with pytest.raises(OutputError, match="holds something else than the bad rows of a job"):
        score_file(recommender, source, out, k=1, force=True)
    assert bad.read_text() == text
    assert not out.exists()


@pytest.mark.parametrize(("force", "resume"), [(True, False), (False, True), (True, True)])
def test_a_stranger_among_the_parts_is_kept(
    recommender: Recommender, tmp_path: Path, force: bool, resume: bool
) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    parts = out.with_name("out.csv.parts")
    parts.mkdir()
    (parts / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"out\.csv\.parts holds 'thesis\.txt', which a scoring job does not"):
        score_file(recommender, source, out, k=1, force=force, resume=resume)
    assert (parts / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["out.jsonl.bad.jsonl", "out.jsonl.parts/in.jsonl"])
def test_histories_in_the_place_of_a_jobs_files_are_refused(
    recommender: Recommender, tmp_path: Path, place: str
) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    source = write(tmp_path / place, USERS)
    before = source.read_bytes()
    with pytest.raises(OutputError, match=r"is read and to be written|lies in|holds .*, which is read"):
        score_file(recommender, source, tmp_path / "out.jsonl", k=1, force=True)
    assert source.read_bytes() == before


def test_an_output_in_the_bundle_is_refused(recommender: Recommender, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", USERS)
    with pytest.raises(OutputError, match=r"lies in .*, which is read"):
        score_file(recommender, source, recommender.bundle.path / "out.csv", k=1)


def test_an_output_that_is_a_folder_is_refused_before_any_work(recommender: Recommender, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", USERS)
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(OutputError, match=r"out\.csv is a folder, expected a file to write"):
        score_file(recommender, source, tmp_path / "out.csv", k=1, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.csv"]


def test_a_second_job_into_one_output_is_refused_while_the_first_runs(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"

    def start_another(_: Progress) -> None:
        with pytest.raises(OutputError, match=r"another score writes to .*out\.csv\.parts"):
            score_file(recommender, source, out, k=1, force=True, part_rows=1)

    score_file(recommender, source, out, k=1, part_rows=1, on_part=start_another)
    assert len(read(out)) == 4


def test_an_output_that_came_meanwhile_is_kept(recommender: Recommender, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    with pytest.raises(RequestError, match="has come meanwhile"):
        score_file(recommender, source, out, k=1, on_part=lambda _: out.write_text("mine"))
    assert out.read_text() == "mine"
    score_file(recommender, source, out, k=1, resume=True, force=True)
    assert len(read(out)) == 4


@pytest.mark.parametrize("left", [["job.json", "finishing"], ["finishing"], []])
def test_a_job_killed_while_its_parts_were_removed_is_resumed(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: list[str]
) -> None:
    source, out = write(tmp_path / "in.csv", [*USERS, ("bad", ["?"])]), tmp_path / "out.csv"
    parts = out.with_name("out.csv.parts")
    with monkeypatch.context() as patch:
        patch.setattr(job_module.Job, "_remove_folder", lambda _: None)
        score_file(recommender, source, out, k=2)
    before = out.read_bytes(), outputs.bad_rows_path(out).read_bytes()
    for path in parts.iterdir():
        if path.name not in left:
            path.unlink()
    score_file(recommender, source, out, k=2, resume=True)
    assert (out.read_bytes(), outputs.bad_rows_path(out).read_bytes()) == before
    assert not parts.exists()


def test_a_full_disk_is_said_with_the_output_and_how_to_go_on(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def fill_up(_: Progress) -> None:
        monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OutputError, match=r"out\.csv cannot be written \(No space left.*go on with --resume"):
        score_file(recommender, source, out, k=1, part_rows=1, on_part=fill_up)
    monkeypatch.undo()
    assert score_file(recommender, source, out, k=1, part_rows=1, resume=True).resumed_rows == 1


def test_input_and_output_must_differ(recommender: Recommender, tmp_path: Path) -> None:
    source = write(tmp_path / "in.csv", USERS)
    with pytest.raises(RequestError, match="is read and to be written"):
        score_file(recommender, source, source, force=True)


@pytest.mark.parametrize(("separator", "message"), [("", "separator is empty"), ("pp", "the item key 'apple' holds")])
def test_a_separator_that_cuts_keys_is_refused(
    recommender: Recommender, tmp_path: Path, separator: str, message: str
) -> None:
    source = write(tmp_path / "in.csv", USERS)
    with pytest.raises(RequestError, match=message):
        score_file(recommender, source, tmp_path / "out.csv", columns=Columns(separator=separator))


@pytest.mark.parametrize("k", [0, 8])
def test_an_impossible_k_is_an_error_and_no_bad_row(recommender: Recommender, tmp_path: Path, k: int) -> None:
    with pytest.raises(RequestError, match=f"k is {k}"):
        score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / "out.csv", k=k)


def test_parquet_without_pyarrow_says_what_to_install(
    recommender: Recommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingRuntimeError, match=r"needs pyarrow.*pip install 'sasrec-edge\[batch\]', or use .csv"):
        score_file(recommender, write(tmp_path / "in.csv", USERS), tmp_path / "out.parquet")


def test_the_command_counts_rows_and_names_the_bad_ones(runner: Any, shared_bundle: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", [*USERS, ("bad", ["?"])]), tmp_path / "out.csv"
    arguments = ["score", str(shared_bundle), "--histories", str(source), "--out", str(out), "-k", "3"]
    result = runner.invoke(main, arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        f"5 rows read: 4 answered by onnx-fp32 ({out}), 1 without an answer ({outputs.bad_rows_path(out)})\n"
    )


def test_the_command_prints_json(runner: Any, shared_bundle: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.csv", USERS), tmp_path / "out.csv"
    arguments = ["score", str(shared_bundle), "--histories", str(source), "--out", str(out), "-k", "3", "--json"]
    assert json.loads(runner.invoke(main, arguments).stdout) == {
        "output_version": 1, "variant": "onnx-fp32", "out": str(out), "bad_rows_out": None,
        "rows": 4, "answered_rows": 4, "bad_rows": 0, "resumed_rows": 0,
    }  # fmt: skip


def test_the_command_ends_on_a_missing_file_without_a_traceback(
    runner: Any, shared_bundle: Path, tmp_path: Path
) -> None:
    source, out = tmp_path / "none.csv", tmp_path / "out.csv"
    arguments = ["score", str(shared_bundle), "--histories", str(source), "--out", str(out), "-k", "3"]
    result = runner.invoke(main, arguments)
    assert result.exit_code == 1
    assert "none.csv: No such file or directory" in result.stderr
