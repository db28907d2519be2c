"""Histories in Parquet, in bounded memory."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from sasrec_runtime.batch import formats
from sasrec_runtime.batch.rows import BadRow, Columns, Row, check_heading, make_row
from sasrec_runtime.errors import RequestError

__all__ = ["count", "read"]

ROWS: Final = 1024
"""Rows read at once."""

DAMAGE: Final = (OSError, OverflowError, ValueError)
"""Exceptions that pyarrow raises for a damaged file beside its own; text that is not UTF-8 is a ValueError."""


def read(path: Path, columns: Columns) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, in order.

    Raises:
        MissingRuntimeError: pyarrow is not installed.
        RequestError: The file lacks a column, has it twice or with a type that holds no keys, or it is damaged.
    """
    number = 0
    for batch in _batches(path, columns):
        lists = [_values(path, column) for column in batch]
        for values in zip(*lists, strict=True):
            number += 1
            if any(isinstance(value, _Unreadable) for value in values):
                yield BadRow(number, None, "it is not UTF-8")
            else:
                user, history, candidates, among = values
                yield make_row(number, user, history, candidates, among, columns.separator)


def count(path: Path) -> int:
    """Return how many rows a file says that it has."""
    parquet = formats.parquet(path)
    with path.open("rb") as opened:
        return int(_read_or_refuse(path, lambda: parquet.read_metadata(opened)).num_rows)


def _batches(path: Path, columns: Columns) -> Iterator[list[Any]]:
    """Yield the columns that `Columns.names` names, some rows at a time; a list of None for one that is not there."""
    parquet = formats.parquet(path)
    with path.open("rb") as opened:  # a folder or a missing file is an OSError that names it
        file = _read_or_refuse(path, lambda: parquet.ParquetFile(opened))
        heading = _read_or_refuse(path, lambda: list(file.schema_arrow.names))
        check_heading(path, heading, columns)
        wanted = columns.names()
        names = [name for name in wanted if name in heading]
        for name in names:
            _check_type(path, name, file.schema_arrow.field(name).type, with_lists=name != columns.user)
        batches = _read_or_refuse(path, lambda: file.iter_batches(ROWS, columns=names))
        while (batch := _read_or_refuse(path, lambda: next(batches, None))) is not None:
            yield [batch.column(name) if name in names else [None] * batch.num_rows for name in wanted]


def _check_type(path: Path, name: str, kind: Any, *, with_lists: bool) -> None:
    """Refuse a column whose type cannot hold keys."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = pa.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_integer, types.is_null)
    inner = kind.value_type if with_lists and any(is_list(kind) for is_list in lists) else kind
    if types.is_dictionary(inner):
        inner = inner.value_type
    if not any(is_text(inner) for is_text in texts):
        expected = "text or whole numbers, or lists of them" if with_lists else "text or whole numbers"
        raise RequestError(f"{path}: column {name!r:.80} is {kind!s:.80}, expected {expected}. Convert it.")


class _Unreadable:
    """Stands for a value that is not UTF-8."""


def _values(path: Path, column: Any) -> list[Any]:
    if isinstance(column, list):
        return column
    try:
        values: list[Any] = _read_or_refuse(path, column.to_pylist)
    except RequestError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):
            raise
        return [_read_or_refuse(path, functools.partial(_value, value)) for value in column]
    return values


def _value(value: Any) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return _Unreadable()


def _read_or_refuse(path: Path, step: Callable[[], Any]) -> Any:
    """Run a step of pyarrow; what it raises for a damaged file becomes a RequestError."""
    import pyarrow as pa  # noqa: PLC0415 - an extra

    try:
        return step()
    except (pa.ArrowException, *DAMAGE) as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> RequestError:
    reason = str(error) or type(error).__name__
    return RequestError(f"{path}: pyarrow cannot read it: {reason:.300}. Write the file again.")
