"""Files of histories, row by row: a row that cannot be read is a BadRow and not the end."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from sasrec_runtime.batch import formats
from sasrec_runtime.batch.rows import BadRow, Columns, Row, make_row
from sasrec_runtime.errors import RequestError

__all__ = ["read"]

LINE_LIMIT_BYTES: Final = 16 << 20
"""A longer line of JSON, or a longer field of CSV, is a bad row: memory stays bounded."""

PARQUET_ROWS: Final = 1024
"""Rows read at once."""


def read(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, in order; which format it has is told by its suffix.

    Raises:
        MissingRuntimeError: It is Parquet, and pyarrow is not installed.
        RequestError: The file lacks a column, or is not of the format its suffix says.
    """
    readers = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}
    return readers[formats.format_of(path)](path, columns)


def _read_csv(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    limit = csv.field_size_limit(LINE_LIMIT_BYTES)
    try:
        # What is no UTF-8 comes through as lone surrogates, which make a bad row below.
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            reader = csv.reader(file, strict=True)
            places = _places(path, next(reader, []), columns)
            number = 0
            while True:
                number += 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow(number, None, f"not CSV: {error}")
                    continue
                yield _csv_row(number, fields, places, columns.separator)
    finally:
        csv.field_size_limit(limit)


def _places(path: Path, heading: list[str], columns: Columns) -> list[int | None]:
    """Return where user, history and candidates stand; candidates may be absent."""
    _check_columns(path, heading, columns)
    names = (columns.user, columns.history, columns.candidates)
    places: list[int | None] = [heading.index(name) if name in heading else None for name in names]
    return [*places, len(heading)]


def _csv_row(number: int, fields: list[str], places: list[int | None], separator: str) -> Row | BadRow:
    *wanted, expected = places
    if len(fields) != expected:
        return BadRow(number, None, f"it has {len(fields)} fields, expected {expected} as in the heading")
    values = [None if place is None else fields[place] for place in wanted]
    for value in values:
        if value is not None and not _is_utf8(value):
            return BadRow(number, None, "it is not UTF-8")
    user, history, candidates = values
    return make_row(number, user, history, candidates, separator)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read_jsonl(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_LIMIT_BYTES + 1):
            number += 1
            if len(line) > LINE_LIMIT_BYTES:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_LIMIT_BYTES)
                yield BadRow(number, None, f"it is longer than {LINE_LIMIT_BYTES} bytes")
            elif line.strip():
                yield _json_row(number, line, columns)


def _json_row(number: int, line: bytes, columns: Columns) -> Row | BadRow:
    try:
        value: Any = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return BadRow(number, None, f"not JSON: {error}")
    if not isinstance(value, dict):
        return BadRow(number, None, f"it is {value!r:.80}, expected an object")
    missing = [name for name in (columns.user, columns.history) if name not in value]
    if missing:
        return BadRow(number, None, f"{missing[0]!r} is missing")
    return make_row(
        number, value[columns.user], value[columns.history], value.get(columns.candidates), columns.separator
    )


def _read_parquet(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    parquet = formats.parquet(path)
    import pyarrow as pa  # noqa: PLC0415 - an extra

    with path.open("rb") as opened:  # a folder or a missing file is an OSError that names it
        try:
            file = parquet.ParquetFile(opened)
            heading = list(file.schema_arrow.names)
            _check_columns(path, heading, columns)
            names = [name for name in (columns.user, columns.history, columns.candidates) if name in heading]
            number = 0
            for batch in file.iter_batches(PARQUET_ROWS, columns=names):
                users, histories, *candidates = (batch.column(name).to_pylist() for name in names)
                scored = candidates[0] if candidates else [None] * len(users)
                for user, history, wanted in zip(users, histories, scored, strict=True):
                    number += 1
                    yield make_row(number, user, history, wanted, columns.separator)
        except pa.ArrowException as error:
            raise RequestError(f"{path}: pyarrow cannot read it: {error!s:.300}. Write the file again.") from error


def _check_columns(path: Path, heading: list[str], columns: Columns) -> None:
    missing = [name for name in (columns.user, columns.history) if name not in heading]
    if missing:
        raise RequestError(
            f"{path} has columns {', '.join(heading) or 'none'}, expected {columns.user!r} and {columns.history!r}. "
            "Name them with --user-column and --history-column."
        )
