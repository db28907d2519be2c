"""Files of histories, row by row: a row that cannot be read is a BadRow, and reading goes on behind it."""

import collections
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from sasrec_runtime.batch import formats, parquet_rows
from sasrec_runtime.batch.rows import BadRow, Columns, Row, check_heading, make_row
from sasrec_runtime.errors import RequestError

__all__ = ["read"]

LINE_LIMIT: Final = 16 << 20
"""A longer line is a bad row: memory stays bounded. In characters for CSV, in bytes for JSON lines."""

BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def read(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, in order; its suffix says which format it has.

    Raises:
        MissingRuntimeError: It is Parquet, and pyarrow is not installed.
        RequestError: The file lacks a column or has it twice, or is not of the format its suffix says.
    """
    readers = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": parquet_rows.read}
    return readers[formats.format_of(path)](path, columns)


def _read_csv(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    """Yield the rows of CSV, each on a line of its own: an unclosed quote affects no other line."""
    # Bytes that are not UTF-8 come through as lone surrogates, which make a bad row below.
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        parser = _LineParser()
        try:
            heading = parser.fields(file.readline(LINE_LIMIT))
        except csv.Error as error:
            raise RequestError(f"{path}: the heading is not CSV: {error}. Write it on one line.") from error
        check_heading(path, heading, columns)
        positions = [heading.index(name) if name in heading else None for name in columns.names()]
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) <= LINE_LIMIT:
                yield _csv_row(number, line, parser, positions, len(heading), columns.separator)
                continue
            _skip_line(file, line)
            yield BadRow(number, None, f"it is longer than {LINE_LIMIT} characters")


def _skip_line(file: TextIO, line: str) -> None:
    """Read on to the end of a line of which a piece was read."""
    while line and line[-1] not in "\r\n":
        line = file.readline(LINE_LIMIT + 1)
    if line.endswith("\r"):  # the limit may have parted it from its \n
        position = file.tell()
        if file.read(1) != "\n":
            file.seek(position)


class _LineParser:
    """Splits lines into fields with the csv module, which never sees more than the one line.

    One csv.reader reads from this iterator. It ends after every line, so that a quoted field does not reach the next.
    """

    def __init__(self) -> None:
        self._line: str | None = None
        self._reader = csv.reader(self, strict=True)

    def __iter__(self) -> "_LineParser":
        return self

    def __next__(self) -> str:
        line, self._line = self._line, None
        if line is None:
            raise StopIteration
        return line

    def fields(self, line: str) -> list[str]:
        """Return the fields of one line, its end included.

        Raises:
            csv.Error: It is not CSV, or a quote does not close on it.
        """
        if '"' not in line:  # then the csv module would do no more than this
            text = line.rstrip("\r\n")
            return text.split(",") if text else []
        self._line = line
        limit = csv.field_size_limit()
        if len(line) <= limit:
            return next(self._reader)
        csv.field_size_limit(len(line))
        try:
            return next(self._reader)
        finally:
            csv.field_size_limit(limit)


def _csv_row(
    number: int, line: str, parser: _LineParser, positions: list[int | None], expected: int, separator: str
) -> Row | BadRow:
    try:
        fields = parser.fields(line)
    except csv.Error as error:
        is_open = "unexpected end" in str(error)
        return BadRow(number, None, f"not CSV: {'a quote does not close on its line' if is_open else error}")
    if len(fields) != expected:
        return BadRow(number, None, f"it has {len(fields)} fields, expected {expected} as in the heading")
    values = [None if position is None else fields[position] for position in positions]
    for value in values:
        if value is not None and not value.isascii() and not _is_utf8(value):
            return BadRow(number, None, "it is not UTF-8")
    if "\0" in line:  # left by a crash while a log was written; the key would be another one
        return BadRow(number, None, "it holds a NUL byte")
    user, history, candidates, among = values
    return make_row(number, user, history, candidates, among, separator)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_jsonl(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT + 1):
            number += 1
            if len(line) > LINE_LIMIT:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_LIMIT)
                yield BadRow(number, None, f"it is longer than {LINE_LIMIT} bytes")
            elif line.strip():
                yield _json_row(number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, columns)


def _json_row(number: int, line: bytes, columns: Columns) -> Row | BadRow:
    try:
        value: Any = msgspec.json.decode(line)
        if not isinstance(value, dict):
            return BadRow(number, None, f"it is {value!r:.80}, expected an object")
        repeated = _repeated_key(line, value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BadRow(number, None, f"not JSON: {error}")
    if repeated is not None:
        return BadRow(number, None, f"it has {repeated!r:.80} twice, expected every key once")
    missing = [name for name in (columns.user, columns.history) if name not in value]
    if missing:
        return BadRow(number, None, f"{missing[0]!r} is missing")
    user, history, candidates, among = map(value.get, columns.names())
    return make_row(number, user, history, candidates, among, columns.separator)


def _repeated_key(line: bytes, value: dict[str, Any]) -> str | None:
    """Return a key that an object has twice, of which a decoder silently keeps the last."""
    if line.count(b":") == len(value):
        return None  # every member has a colon, so there are no more members than keys
    if b"\\" not in line and all(line.count(f'"{key}"'.encode()) < 2 for key in value):
        return None  # every key is spelt as it is, and stands there once
    objects: list[list[str]] = []  # the outermost comes last
    json.loads(
        line, object_pairs_hook=lambda pairs: objects.append([key for key, _ in pairs]), parse_int=str, parse_float=str
    )
    counts = collections.Counter(objects[-1])
    return next((key for key, count in counts.items() if count > 1), None)
