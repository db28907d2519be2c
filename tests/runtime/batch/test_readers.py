"""Files of histories: what one line or value holds never reaches another row."""

import csv
import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec_runtime.batch import counting, readers
from sasrec_runtime.batch.rows import BadRow, Columns, Row
from sasrec_runtime.errors import RequestError

HEADING = b"user,history\n"


def rows_of(path: Path, content: bytes) -> list[Row | BadRow]:
    path.write_bytes(content)
    return list(readers.read(path, Columns()))


@pytest.mark.parametrize(
    "line",
    [b'b,"apple', b'"b,apple', b'b,"apple""', b'"', b'b,"figs\r', b'b,"apple" x'],
    ids=["history", "user", "doubled", "alone", "carriage return", "text behind"],
)
def test_a_stray_quote_costs_its_own_line(tmp_path: Path, line: bytes) -> None:
    first, bad, *others = rows_of(tmp_path / "in.csv", HEADING + b"a,figs\n" + line + b"\nc,figs\n" * 3)
    assert first == Row(1, "a", ["figs"], None)
    assert isinstance(bad, BadRow)
    assert (bad.row, bad.reason.startswith("not CSV")) == (2, True)
    assert [other for other in others if isinstance(other, Row)][-1] == Row(len(others) + 2, "c", ["figs"], None)


def test_a_quote_that_does_not_close_says_so(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "in.csv", HEADING + b'b,"apple\n') == [
        BadRow(1, None, "not CSV: a quote does not close on its line")
    ]


def test_quoted_fields_may_hold_commas_and_quotes(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "in.csv", HEADING + b'"a,b","x ""y"" z"\n') == [Row(1, "a,b", ["x", '"y"', "z"], None)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
@pytest.mark.parametrize("mark", [b"", readers.BYTE_ORDER_MARK], ids=["plain", "BOM"])
def test_line_ends_and_byte_order_marks_are_no_part_of_a_key(
    tmp_path: Path, end: bytes, last: bool, mark: bytes
) -> None:
    content = mark + end.join([b"user,history", b"a,figs", b'"b","eggs"']) + (end if last else b"")
    assert rows_of(tmp_path / "in.csv", content) == [Row(1, "a", ["figs"], None), Row(2, "b", ["eggs"], None)]
    assert counting.rows_in(tmp_path / "in.csv") == 2


def test_a_byte_order_mark_of_json_lines_is_no_part_of_them(tmp_path: Path) -> None:
    content = readers.BYTE_ORDER_MARK + b'{"user": "a", "history": ["figs"]}\n'
    assert rows_of(tmp_path / "in.jsonl", content) == [Row(1, "a", ["figs"], None)]


def test_a_line_with_nul_bytes_is_a_bad_row(tmp_path: Path) -> None:
    content = HEADING + b"\0\0\0a,figs\nb,figs\n"
    assert rows_of(tmp_path / "in.csv", content) == [
        BadRow(1, None, "it holds a NUL byte"),
        Row(2, "b", ["figs"], None),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("length", range(95, 112))
def test_a_line_beyond_the_limit_is_one_bad_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, end: str
) -> None:
    monkeypatch.setattr(readers, "LINE_LIMIT", 100)
    long = "x" * (3 * length)
    content = HEADING + f"{long},figs{end}b,figs{end}".encode()
    first, second = rows_of(tmp_path / "in.csv", content)
    assert first == BadRow(1, None, "it is longer than 100 characters")
    assert second == Row(2, "b", ["figs"], None)


def test_a_long_quoted_field_is_read_whatever_limit_the_csv_module_has(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    history = " ".join(["figs"] * 50_000)
    [row] = rows_of(tmp_path / "in.csv", HEADING + f'a,"{history}"\n'.encode())
    assert isinstance(row, Row)
    assert len(row.history) == 50_000
    assert csv.field_size_limit() == limit


FIELDS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=6), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
@settings(deadline=None)
def test_what_the_csv_module_writes_on_single_lines_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[str, str]], quoting: Any
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting)
    writer.writerows([("user", "history"), *given_rows])
    path = tmp_path_factory.mktemp("read") / "in.csv"
    read = rows_of(path, text.getvalue().encode())
    assert [(row.user, row.history) for row in read if isinstance(row, Row)] == [
        (user, [key for key in history.split(" ") if key]) for user, history in given_rows if user
    ]
    assert len(read) == len(given_rows) == counting.rows_in(path)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a", b'"', b",", b" ", b"\xff", b"{}"])).map(b"".join))
@settings(deadline=None)
@pytest.mark.parametrize("name", ["in.csv", "in.jsonl"])
def test_the_reader_and_the_count_agree_on_any_file(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("count") / name
    heading = HEADING if name == "in.csv" else b""
    read = rows_of(path, heading + content)
    assert len(read) == counting.rows_in(path)
    assert [row.row if isinstance(row, BadRow) else row.number for row in read] == sorted(
        {row.row if isinstance(row, BadRow) else row.number for row in read}
    )


@pytest.mark.parametrize("chunk", range(1, 9))
def test_a_line_end_cut_in_two_is_counted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(counting, "CHUNK_BYTES", chunk)
    (tmp_path / "in.csv").write_bytes(b"user,history\r\na,b\r\n\r\nc,d\re,f")
    assert counting.rows_in(tmp_path / "in.csv") == 4
    (tmp_path / "in.jsonl").write_bytes(b"{}\r\n \r\n{ }\n\n\n{}")
    assert counting.rows_in(tmp_path / "in.jsonl") == 3


@pytest.mark.parametrize("name", ["user", "history", "candidates"])
def test_a_column_that_is_there_twice_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match=f"has 2 columns called '{name}', expected one"):
        rows_of(tmp_path / "in.csv", f"user,history,candidates,{name}\n".encode())


def test_a_column_that_is_not_read_may_be_there_twice(tmp_path: Path) -> None:
    content = b"user,note,history,note\na,1,figs,2\n"
    assert rows_of(tmp_path / "in.csv", content) == [Row(1, "a", ["figs"], None)]


def test_a_heading_that_is_not_one_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="the heading is not CSV"):
        rows_of(tmp_path / "in.csv", b'"user,history\na,figs\n')


@pytest.mark.parametrize(
    "line",
    [
        rb'{"user": "a", "user": "b", "history": []}',
        rb'{"user": "a", "history": ["figs"], "history": []}',
        rb'{"user": "a", "history": [], "\u0075ser": "b"}',
        rb'{"user": "a:b", "history": [], "note": 1, "note": 1}',
    ],
    ids=["user", "history", "escaped", "unread"],
)
def test_an_object_that_has_a_key_twice_is_a_bad_row(tmp_path: Path, line: bytes) -> None:
    [row] = rows_of(tmp_path / "in.jsonl", line)
    assert isinstance(row, BadRow)
    assert "twice, expected every key once" in row.reason


@pytest.mark.parametrize(
    "line",
    [
        rb'{"user": "user", "history": ["history", "a:b"]}',
        rb'{"user": "user", "history": ["history", "a:b"], "note": {"user": {"note": 1}}}',
        rb'{"user": "user", "history": ["history", "\u0061:b"], "big": 1e999}'.replace(b"1e999", b"1" * 18),
    ],
    ids=["values", "nested", "escaped"],
)
def test_values_that_look_like_keys_are_no_second_keys(tmp_path: Path, line: bytes) -> None:
    assert rows_of(tmp_path / "in.jsonl", line) == [Row(1, "user", ["history", "a:b"], None)]


def parquet(path: Path, **columns: Any) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


def not_utf8() -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.array([b"a", b"\xff", b"c"]).cast(pa.string(), safe=False)


def test_a_value_of_parquet_that_is_not_utf8_costs_its_own_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "in.parquet", user=not_utf8(), history=["figs"] * 3)
    assert list(readers.read(path, Columns())) == [
        Row(1, "a", ["figs"], None), BadRow(2, None, "it is not UTF-8"), Row(3, "c", ["figs"], None),
    ]  # fmt: skip


def test_a_history_of_parquet_that_is_not_utf8_costs_its_own_row(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    histories = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3]), not_utf8())
    path = parquet(tmp_path / "in.parquet", user=[1, 2, 3], history=histories)
    assert [type(row) for row in readers.read(path, Columns())] == [Row, BadRow, Row]


TYPES: dict[str, Callable[[Any], Any]] = {
    "date32": lambda pa: pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    "duration": lambda pa: pa.array([1], pa.duration("ns")),
    "timestamp": lambda pa: pa.array([1], pa.timestamp("ns")),
    "double": lambda pa: pa.array([1.0]),
    "binary": lambda pa: pa.array([b"a"]),
    "list": lambda pa: pa.array([["a"]]),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_column_of_a_type_that_holds_no_keys_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    user = TYPES[kind](pytest.importorskip("pyarrow"))
    path = parquet(tmp_path / "in.parquet", user=user, history=["figs"])
    with pytest.raises(RequestError, match=f"column 'user' is {kind}.*, expected text or whole numbers"):
        list(readers.read(path, Columns()))


def test_dates_in_lists_are_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "in.parquet", user=["a"], history=[[dt.date(2020, 1, 1)]])
    with pytest.raises(RequestError, match=r"column 'history' is list<.*date32.*>, expected text"):
        list(readers.read(path, Columns()))


@pytest.mark.parametrize("kind", ["large_string", "int64", "dictionary", "null"])
def test_every_type_that_holds_keys_is_read(tmp_path: Path, kind: str) -> None:
    pa = pytest.importorskip("pyarrow")
    users = {
        "large_string": pa.array(["7"], pa.large_string()), "int64": pa.array([7]),
        "dictionary": pa.array(["7"]).dictionary_encode(), "null": pa.array([None]),
    }  # fmt: skip
    path = parquet(tmp_path / "in.parquet", user=users[kind], history=pa.array([[50]], pa.large_list(pa.int32())))
    expected = BadRow(1, None, "user is None, expected text or a whole number")
    assert list(readers.read(path, Columns())) == [expected if kind == "null" else Row(1, "7", ["50"], None)]


def test_a_column_of_parquet_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array(["figs"])], ["user", "user", "history"])
    pq.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(RequestError, match="has 2 columns called 'user'"):
        list(readers.read(tmp_path / "in.parquet", Columns()))


@pytest.mark.parametrize("seed", range(300))
def test_damaged_parquet_is_one_sentence_or_rows(tmp_path: Path, seed: int) -> None:
    import random

    draw = random.Random(seed)
    pa = pytest.importorskip("pyarrow")
    users = pa.array([f"u{number % 9}" for number in range(40)])
    if seed % 2:
        users = users.dictionary_encode()
    path = parquet(tmp_path / "in.parquet", user=users, history=[[1, 2, 3]] * 40)
    data = bytearray(path.read_bytes())
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] ^= draw.randint(1, 255)
    path.write_bytes(data[: draw.randint(1, len(data))] if seed % 5 == 0 else data)
    try:
        list(readers.read(path, Columns()))
        counting.rows_in(path)
    except RequestError as error:
        assert str(path) in str(error)  # noqa: PT017 - either outcome is right


def test_a_damaged_file_names_what_to_do(tmp_path: Path) -> None:
    path = parquet(tmp_path / "in.parquet", user=["a"], history=["figs"])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RequestError, match=r"in.parquet: pyarrow cannot read it: .*\. Write the file again\."):
        list(readers.read(path, Columns()))
