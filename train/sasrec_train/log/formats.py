"""The formats of logs by suffix: which reader reads which file.

To add a format, write a function that gives the Table of a file and put a LogFormat into FORMATS. Checks, filters,
order and ids are the same for all. Nothing else knows a suffix.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sasrec_train.errors import DataError
from sasrec_train.log import delimited, lines, tables
from sasrec_train.log.tables import Table
from sasrec_train.untrusted_files import describe

__all__ = ["FORMATS", "LogFormat", "find", "scan", "scan_titles", "titles_beside"]


@dataclass(frozen=True, slots=True)
class LogFormat:
    """How files of a suffix are read."""

    scan: Callable[[Path], Table]
    """The table of a file that exists and is not empty. Errors of polars are explained by the caller."""
    form: str = ""
    """What a line looks like, for messages, where the suffix does not say it."""
    has_named_columns: bool = True
    """Whether the file names its columns, so that options may choose among them. Otherwise `scan` names them `user`,
    `item`, and `rating` and `timestamp` where there are any; without a timestamp, rows are in time order."""
    titles_beside: Callable[[Path], Path] | None = None
    """The path of the file that holds the titles of a log, if it exists; None where no such file is usual."""
    scan_titles: Callable[[Path], Table] | None = None
    """The table of a file of titles; None where `scan` gives it."""


FORMATS: dict[str, LogFormat] = {
    ".inter": LogFormat(delimited.scan_recbole, titles_beside=lambda path: path.with_suffix(".item")),
    ".item": LogFormat(delimited.scan_recbole),
    ".csv": LogFormat(delimited.scan_csv),
    ".tsv": LogFormat(delimited.scan_tsv),
    ".parquet": LogFormat(tables.scan_parquet),
    ".pq": LogFormat(tables.scan_parquet),
    ".dat": LogFormat(
        lines.scan_ratings,
        "`user::item::rating::time`",
        has_named_columns=False,
        titles_beside=lambda path: path.with_name("movies.dat"),
        scan_titles=lines.scan_movies,
    ),
    ".txt": LogFormat(lines.scan_words, "`user item` or `user item item …` per line", has_named_columns=False),
    ".text": LogFormat(lines.scan_words, has_named_columns=False),
}
"""The formats by suffix, in lower case."""


def find(path: Path) -> LogFormat:
    """Return the format of a file, by its suffix.

    Raises:
        DataError: The suffix is unknown.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise DataError(f"{path} ends in {suffix!r}, expected {_expected()}. Rename the file to its format.")
    return FORMATS[suffix]


def scan(path: Path) -> Table:
    """Return the table of a log.

    Raises:
        DataError: The path is not a file, the file is empty, of an unknown format, or not as its format says.
    """
    _check(path)
    return _scan(find(path).scan, path)


def scan_titles(path: Path) -> Table:
    """Return the table of a file of titles.

    Raises:
        DataError: See scan.
    """
    _check(path)
    found = find(path)
    if found.scan_titles is None and not found.has_named_columns:
        raise DataError(f"{path} has no named columns, expected one called title or name. Give another --titles.")
    return _scan(found.scan_titles or found.scan, path)


def titles_beside(path: Path) -> Path | None:
    """Return the file of titles that belongs to a log by its name, where there is one."""
    found = FORMATS.get(path.suffix.lower())
    if found is None or found.titles_beside is None:
        return None
    beside = found.titles_beside(path)
    if beside == path or not os.path.isfile(beside):  # noqa: PTH113 - Path.is_file raises where it may not look
        return None
    return beside


def _scan(scan: Callable[[Path], Table], path: Path) -> Table:
    with tables.explained(path):
        table = scan(path)
        table.frame.collect_schema()
    return table


def _expected() -> str:
    """Return the suffixes that can be read, for messages."""
    *others, last = (f"{suffix} with {found.form}" if found.form else suffix for suffix, found in FORMATS.items())
    return f"{', '.join(others)} or {last}"


def _check(path: Path) -> None:
    """Refuse what is not a file of this disk, and an empty or unreadable one."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(
            f"{path} does not exist. Give ml-100k, synthetic, or the path of a log{_download(path)}."
        ) from error
    except (OSError, ValueError) as error:  # no right to look, a link that leads to itself, a name with a NUL
        raise DataError(
            f"{str(path)!r:.200} cannot be looked up ({tables.first_line(error)}). Give another file."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path} is {describe(status.st_mode)}, expected a file ({_expected()}).")
    if not status.st_size:
        raise DataError(f"{path} is empty, expected one interaction per row.")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} cannot be read: permission denied. Give yourself the right to read it.")


def _download(path: Path) -> str:
    """Return what to add for a path that looks like an address; pathlib has joined its two slashes."""
    scheme, colon, _ = str(path).partition(":/")
    return "; what is elsewhere must be downloaded first" if colon and scheme.isalnum() and len(scheme) > 1 else ""
