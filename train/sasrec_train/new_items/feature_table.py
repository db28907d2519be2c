"""Features of items from a file: a row per item, a column per feature; each column is numbers, categories or text."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sasrec_train.errors import DataError
from sasrec_train.log import column_names, encode, formats, tables
from sasrec_train.log.key_column import NO_VALUE
from sasrec_train.log.tables import Table

__all__ = ["Column", "FeatureTable", "read"]

logger = logging.getLogger(__name__)

Kind = Literal["numbers", "categories", "text"]
WORDS_OF_TEXT = 1.5  # Mean words of a value from which on a column is text; categories are mostly a word.


@dataclass(frozen=True, slots=True)
class Column:
    """One feature of every row."""

    name: str
    """As the file calls it."""
    kind: Kind
    """How it is read."""
    numbers: NDArray[np.float64] | None
    """(R,) of a column of numbers, NaN where the value is missing; else None."""
    values: list[str]
    """(R,) of any other column, "" where the value is missing; else empty."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The rows of a file of features."""

    path: Path
    """The file."""
    keys: list[str]
    """(R,). Item of each row, each once."""
    columns: list[Column]
    """The features, at least one."""
    titles: list[str] | None
    """(R,). The column called title or name, "" where it is missing; None without one. It is a feature too."""


def read(path: Path, *, item_column: str | None = None) -> FeatureTable:
    """Return the features in a file of one of formats.FORMATS that names its columns.

    Args:
        path: The file.
        item_column: The column of item keys; by default the one with a usual name, or the first.

    Raises:
        DataError: The file cannot be read, has two rows of one item, two columns of one name, a column without any
            value or of a type that is not a feature, or no column beside the keys.
    """
    table = formats.scan(path)
    if not formats.find(path).has_named_columns:
        raise DataError(
            f"{path} has no named columns, expected a row per item under a header. Give a .csv or .parquet."
        )
    asked = item_column if item_column in table.columns else None
    named = column_names.guess(table.columns, column_names.ITEM_NAMES) or table.columns[0]
    item = column_names.find(table, option="--item-column", asked=asked or named, usual=column_names.ITEM_NAMES)
    if table.repeated:
        raise DataError(f"{path} has two or more columns called {min(table.repeated)!r:.80}. Rename all but one.")
    names = [name for name in table.columns if name != item]
    if not names:
        raise DataError(f"{path} has the column {item!r:.80} only, expected features beside it. Add a column.")
    rows = tables.collect(table, table.frame.select([tables.ROW, item, *names]))
    keys = encode.encode_keys(Table(path, rows.lazy(), table.unit), item)
    _refuse_repeated(path, rows, keys.codes, keys.keys.to_list(), item, table.unit)
    columns = [_column(path, rows[name]) for name in names]
    title = column_names.guess(names, column_names.TITLE_NAMES)
    named_keys = keys.keys.gather(keys.codes).to_list()
    return FeatureTable(path, named_keys, columns, None if title is None else _words(rows[title]))


def _refuse_repeated(
    path: Path, rows: pl.DataFrame, codes: NDArray[np.int32], keys: list[str], item: str, unit: str
) -> None:
    _, first = np.unique(codes, return_index=True)
    again = np.setdiff1d(np.arange(codes.size), first)
    if again.size:
        more = f" ({again.size} such rows)" if again.size > 1 else ""
        raise DataError(
            f"{path}: column {item!r:.80}, {unit} {rows[tables.ROW][int(again[0])]} is {keys[codes[again[0]]]!r:.80} "
            f"for a second time{more}, expected one row per item. Remove all but one."
        )


def _column(path: Path, column: pl.Series) -> Column:
    dtype = column.dtype
    if dtype.is_numeric() or dtype == pl.Boolean:
        numbers = column.cast(pl.Float64).to_numpy().copy()
        numbers[~np.isfinite(numbers)] = np.nan
        return Column(column.name, "numbers", _refuse_empty(path, column.name, numbers), [])
    if not (dtype == pl.List(pl.String) or isinstance(dtype, (pl.String, pl.Categorical, pl.Enum))):
        raise DataError(
            f"{path}: column {column.name!r:.80} is of type {dtype}, expected numbers or text. Convert or remove it."
        )
    text = _words(column)
    given = pl.Series([value for value in text if value])
    if not given.len():
        raise _empty(path, column.name)
    read = given.cast(pl.Float64, strict=False)
    if read.is_finite().fill_null(value=False).all():
        numbers = pl.Series(text).cast(pl.Float64, strict=False).to_numpy().copy()
        return Column(column.name, "numbers", numbers, [])
    words = float(given.str.count_matches(r"\s+").mean()) + 1  # type: ignore[arg-type] # of a series that is not empty
    return Column(column.name, "text" if words >= WORDS_OF_TEXT else "categories", None, text)


def _words(column: pl.Series) -> list[str]:
    """Return a column as text, "" where a value is missing; the words of a list are joined."""
    text = column.list.join(" ", ignore_nulls=True) if column.dtype == pl.List(pl.String) else column.cast(pl.String)
    text = text.fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()
    missing = text.str.to_lowercase().is_in(NO_VALUE)
    return pl.select(pl.when(missing).then(pl.lit("")).otherwise(text)).to_series().to_list()


def _refuse_empty(path: Path, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.isfinite(numbers).any():
        raise _empty(path, name)
    return numbers


def _empty(path: Path, name: str) -> DataError:
    return DataError(f"{path}: column {name!r:.80} is empty in every row, expected a feature. Fill or remove it.")
