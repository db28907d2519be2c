"""Files that hold tables, as lazy polars frames with numbered rows: nothing is read before it is asked for.

A name is a name: what polars would expand or fetch ("*", "~", "s3://…") is an ordinary file of this disk here.
"""

import collections
import contextlib
import csv
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.untrusted_files import describe

__all__ = ["ROW", "Table", "check", "collect", "is_lines", "scan", "scan_csv", "scan_lines"]

ROW = "\x00row"  # No file has a column of that name.
LINES = {".txt", ".text", ".dat"}  # Read line by line: no header, no columns to name. See line_readers.
FORMATS = (
    ".inter, .item, .csv, .tsv, .parquet, .dat with `user::item::rating::time`, or .txt with `user item` or "
    "`user item item …` per line"
)
RENAMED = re.compile(r"_duplicated_\d+$")
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
    repeated: frozenset[str] = frozenset()
    """Names that the header gives to several columns. `columns` holds such a name once."""

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
    repeated: frozenset[str] = frozenset()
    with _explained(path):
        if suffix in {".parquet", ".pq"}:
            frame = pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False)
        elif suffix in SEPARATORS:
            quote = suffix in {".csv", ".tsv"}  # RecBole's files quote nothing
            frame, repeated = _separated(path, SEPARATORS[suffix], quote=quote)
        else:
            raise DataError(f"{path} ends in {suffix!r}, expected {FORMATS}. Rename it to what it is.")
        frame.collect_schema()
    return Table(path, frame.with_row_index(ROW, offset=1), repeated=repeated)


def _separated(path: Path, separator: str, *, quote: bool) -> tuple[pl.LazyFrame, frozenset[str]]:
    """Return the columns of a file with a header, and the names that stand there twice or more.

    Of such a name the first column is kept. Whether it may be read is for those to say who ask for columns.
    """
    frame = scan_csv(path, separator=separator, quote_char='"' if quote else None)
    names = frame.collect_schema().names()
    if any("\0" in name for name in names):
        raise DataError(f"{path} has NUL characters in its header, expected UTF-8 text. Save it as UTF-8.")
    if quote:
        return frame, _repeated(path, separator, names)
    # RecBole's files say what a column holds: user_id:token → user_id
    short = [name.rpartition(":")[0] or name for name in names]
    first = {name: i for i, name in reversed(list(enumerate(short)))}
    frame = frame.select([pl.col(names[i]).alias(name) for name, i in sorted(first.items(), key=lambda each: each[1])])
    return frame, frozenset(name for name, count in collections.Counter(short).items() if count > 1)


def _repeated(path: Path, separator: str, names: list[str]) -> frozenset[str]:
    """Return the names of a header that several columns bear: polars reads the others as NAME_duplicated_0 and so on.

    A file may also hold a column that is really called so, so the header is read again.
    """
    before = {name: RENAMED.sub("", name) for name in names if RENAMED.search(name)}
    suspects = set(before.values()) & set(names)
    if not suspects:
        return frozenset()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(filter(any, csv.reader(file, delimiter=separator)), [])
    return frozenset(name for name in suspects if header.count(name) != 1)  # 0: the file is compressed


def scan_lines(path: Path) -> Table:
    """Return a file's lines that are not blank, as one column `line`."""
    check(path)
    frame = scan_csv(  # by a separator that text does not hold
        path, has_header=False, separator="\x1f", quote_char=None, new_columns=["line"], row_index_name=ROW,
        row_index_offset=1,
    )  # fmt: skip
    return Table(path, frame.filter(pl.col("line").str.contains(r"\S")), "line")


def scan_csv(path: Path, **options: Any) -> pl.LazyFrame:
    """Return polars' frame of the one file of that name, all columns text unless a schema is given.

    The path is made absolute, for polars takes "~" for the home folder and "s3://…" for a store in the network.
    """
    if "schema" not in options:
        options["infer_schema"] = False
    return pl.scan_csv(path.absolute(), glob=False, **options)


def check(path: Path) -> None:
    """Refuse what is not a file of this disk, and an empty or unreadable one.

    Raises:
        DataError: The message says what stands there instead.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path} does not exist. Give ml-100k, synthetic, or the path of a log{_download(path)}."
        ) from error
    except (OSError, ValueError) as error:  # no right to look, a link that leads to itself, a name with a NUL
        raise DataError(f"{str(path)!r:.200} cannot be looked up ({_reason(error)}). Give another file.") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is {describe(status.st_mode)}, expected a file ({FORMATS}).")
    if not status.st_size:
        raise DataError(f"{path} is empty, expected one interaction per row.")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} cannot be read: permission denied. Give yourself the right to read it.")


def _download(path: Path) -> str:
    """Return what to add for a name that looks like an address; pathlib has made one of its slashes."""
    scheme, colon, _ = str(path).partition(":/")
    return "; what is elsewhere must be downloaded first" if colon and scheme.isalnum() and len(scheme) > 1 else ""


def collect(table: Table, frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query on a table in bounded memory.

    Raises:
        DataError: The file cannot be read.
    """
    with _explained(table.path):
        return frame.collect(engine="streaming")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say of which file polars could not read what.

    A damaged Parquet file may also make it panic, which is no Exception but a BaseException of its own.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, MemoryError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as {path.suffix.lower()}: {_reason(error)}. Check or convert the file."
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of what an error says."""
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error)).strip().partition("\n")[0].rstrip(".")[:300] or type(error).__name__
