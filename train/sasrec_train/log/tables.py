"""Tables of a file as lazy polars frames with numbered rows: nothing is read before it is asked for.

A path is taken literally: what polars would expand or fetch ("*", "~", "s3://…") is an ordinary file of this disk here.
"""

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sasrec_train.errors import DataError

__all__ = ["ROW", "Table", "collect", "explained", "first_line", "scan_csv", "scan_lines", "scan_parquet"]

ROW = "\x00row"  # No file has a column of that name.


@dataclass(frozen=True, slots=True)
class Table:
    """A file's table, not read yet."""

    path: Path
    """The file."""
    frame: pl.LazyFrame
    """The columns, and ROW: where a row stands in the file, from 1. Text formats give text columns only."""
    unit: str = "row"
    """What ROW counts: rows below the header, or lines."""
    repeated: frozenset[str] = frozenset()
    """Names that the header gives to several columns. `columns` holds such a name once."""

    sorted_titles: bool = False
    """Whether titles put the article last, to be sorted: "Usual Suspects, The"."""

    @classmethod
    def of(cls, path: Path, frame: pl.LazyFrame, **more: Any) -> "Table":
        """Return the table of a file's columns; the rows are numbered from 1."""
        return cls(path, frame.with_row_index(ROW, offset=1), **more)

    @property
    def columns(self) -> list[str]:
        """Names of the file's columns."""
        return [name for name in self.frame.collect_schema().names() if name != ROW]


def scan_csv(path: Path, **options: Any) -> pl.LazyFrame:
    """Return polars' frame of the one file of that name, all columns text unless a schema is given.

    The path is made absolute, for polars takes "~" for the home folder and "s3://…" for a store in the network.
    """
    if "schema" not in options:
        options["infer_schema"] = False
    return pl.scan_csv(path.absolute(), glob=False, **options)


def scan_parquet(path: Path) -> Table:
    """Return the table of a Parquet file."""
    return Table.of(path, pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False))


def scan_lines(path: Path) -> Table:
    """Return a file's lines that are not blank, as one column `line`."""
    frame = scan_csv(  # by a separator that text does not hold
        path, has_header=False, separator="\x1f", quote_char=None, new_columns=["line"], row_index_name=ROW,
        row_index_offset=1,
    )  # fmt: skip
    return Table(path, frame.filter(pl.col("line").str.contains(r"\S")), "line")


def collect(table: Table, frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query on a table in bounded memory.

    Raises:
        DataError: The file cannot be read.
    """
    with explained(table.path):
        return frame.collect(engine="streaming")


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Name the file that polars could not read, and the reason.

    A corrupted Parquet file may also make polars panic, which raises a BaseException that is not an Exception.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, MemoryError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as {path.suffix.lower()}: {first_line(error)}. Check or convert the file."
        ) from error


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    message = error.strerror if isinstance(error, OSError) else None
    return (message or str(error)).strip().partition("\n")[0].rstrip(".")[:300] or type(error).__name__
