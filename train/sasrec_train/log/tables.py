"""Files that hold tables, as lazy polars frames with numbered rows: nothing is read before it is asked for."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from sasrec_train.errors import DataError

__all__ = ["ROW", "Table", "collect", "is_lines", "scan", "scan_lines", "unreadable"]

ROW = "\x00row"  # No file has a column of that name.
LINES = {".txt", ".text", ".dat"}  # Read line by line: no header, no columns to name. See line_readers.
FORMATS = (
    ".inter, .item, .csv, .tsv, .parquet, .dat with `user::item::rating::time`, or .txt with `user item` or "
    "`user item item …` per line"
)
SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t"}


@dataclass(frozen=True, slots=True)
class Table:
    """A file's table, not read yet."""

    path: Path
    """The file."""
    frame: pl.LazyFrame
    """The columns, and ROW: where a row stands in the file, from 1. Text formats give text columns only."""
    unit: str = "row"
    """What ROW counts: rows below the header, or lines."""

    @property
    def columns(self) -> list[str]:
        """Names of the file's columns."""
        return [name for name in self.frame.collect_schema().names() if name != ROW]


def is_lines(path: Path) -> bool:
    """Return whether the file's columns have no names: .txt and .dat."""
    return path.suffix.lower() in LINES


def scan(path: Path) -> Table:
    """Return the table of a file with named columns; text stays text, so that "007" stays what it is.

    Raises:
        DataError: The path is no file, the file is empty, or it is not in a known format.
    """
    check(path)
    suffix = path.suffix.lower()
    try:
        if suffix in {".parquet", ".pq"}:
            frame = pl.scan_parquet(path)
        elif suffix in SEPARATORS:
            quote = '"' if suffix in {".csv", ".tsv"} else None  # RecBole files quote nothing
            frame = pl.scan_csv(path, separator=SEPARATORS[suffix], infer_schema=False, quote_char=quote)
            if quote is None:  # user_id:token → user_id
                frame = frame.rename(lambda name: name.rpartition(":")[0] or name)
        else:
            raise DataError(f"{path} ends in {suffix!r}, expected {FORMATS}. Rename it to what it is.")
        frame.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise unreadable(path, error) from error
    return Table(path, frame.with_row_index(ROW, offset=1))


def scan_lines(path: Path) -> Table:
    """Return a file's lines that are not blank, as one column `line`."""
    check(path)
    frame = pl.scan_csv(  # by a separator that text does not hold
        path, has_header=False, separator="\x1f", infer_schema=False, quote_char=None, new_columns=["line"],
        row_index_name=ROW, row_index_offset=1,
    )  # fmt: skip
    return Table(path, frame.filter(pl.col("line").str.contains(r"\S")), "line")


def check(path: Path) -> None:
    """Refuse what is no file, and an empty one."""
    if not path.exists():
        raise DataError(f"{path} does not exist. Give ml-100k, synthetic, or the path of a log.")
    if not path.is_file():
        raise DataError(f"{path} is a folder, expected a file ({FORMATS}).")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty, expected one interaction per row.")


def collect(table: Table, frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query on a table in bounded memory.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        return frame.collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise unreadable(table.path, error) from error


def unreadable(path: Path, error: pl.exceptions.PolarsError) -> DataError:
    """Return the error that says polars could not read the file, with the first line of its reason."""
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return DataError(f"{path} cannot be read as {path.suffix.lower()}: {reason}. Check or convert the file.")
