"""A log format that the project does not ship is read: it is a function and an entry, and no package knows it."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from sasrec_export.cli import main
from sasrec_train import datasets
from sasrec_train.errors import DataError
from sasrec_train.log import formats
from sasrec_train.log.formats import LogFormat
from sasrec_train.log.tables import Table


def scan_json_lines(path) -> Table:
    """Return the table of a file with one JSON object per line."""
    return Table.of(path, pl.scan_ndjson(path.absolute()))


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    json_lines = LogFormat(
        scan_json_lines, "one JSON object per line", titles_beside=lambda path: path.with_name("titles.jsonl")
    )
    monkeypatch.setitem(formats.FORMATS, ".jsonl", json_lines)


def write(path, rows) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


@pytest.fixture
def data(tmp_path) -> str:
    """A log of 40 users who walk through 30 items, with titles beside it."""
    write(tmp_path / "titles.jsonl", [{"item": f"i{item}", "title": f"Title {item}"} for item in range(30)])
    rows = [
        {
            "user": f"u{user}",
            "item": f"i{(user * 7 + step) % 30}",
            "timestamp": 100 * user + step,
            "stars": 3 + step % 3,
        }
        for user in range(40)
        for step in reversed(range(8))
    ]
    return write(tmp_path / "log.jsonl", rows)


def test_the_log_is_read_with_its_titles(data) -> None:
    log = datasets.load(data)
    assert (len(log.histories), log.n_items) == (40, 30)
    assert [log.item_keys[item - 1] for item in log.histories[0]] == [f"i{item}" for item in range(8)]
    assert log.titles is not None
    assert log.titles[log.item_keys.index("i7")] == "Title 7"


def test_filters_and_checks_are_those_of_every_log(tmp_path, data) -> None:
    log = datasets.load(data, filters=datasets.Filters(min_rating=4))
    assert log.histories.item_ids.size < datasets.load(data).histories.item_ids.size
    bad = write(tmp_path / "bad.jsonl", [{"user": "u", "item": "a"}, {"user": "u", "item": None}])
    with pytest.raises(DataError, match=r"bad\.jsonl: column 'item', row 2 is missing, expected an id in every row"):
        datasets.load(bad)
    (tmp_path / "broken.jsonl").write_text("{\n")
    with pytest.raises(DataError, match=r"broken\.jsonl cannot be read as \.jsonl"):
        datasets.load(str(tmp_path / "broken.jsonl"))


def test_the_format_is_listed_where_a_suffix_is_unknown(tmp_path) -> None:
    (tmp_path / "log.xls").write_text("1 2\n")
    with pytest.raises(DataError, match=r"expected \.inter, .* or \.jsonl with one JSON object per line"):
        datasets.load(str(tmp_path / "log.xls"))


@pytest.mark.tf
def test_train_writes_a_run_and_report_reads_the_log_again(tmp_path, data) -> None:
    pytest.importorskip("tensorflow")

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    small = ("--max-len", "6", "--hidden-dim", "8", "--ffn-dim", "8", "--epochs", "1")
    invoke("train", "--data", data, *small, "--out", str(tmp_path / "run"))
    invoke("export", str(tmp_path / "run"), "--out", str(tmp_path / "bundle"), "--runtime", "onnx", "--recipe", "wi8")
    report = json.loads(invoke("report", str(tmp_path / "bundle"), "--data", data, "--json"))
    assert any("onnx-wi8" in json.dumps(variant) for variant in report["variants"])
