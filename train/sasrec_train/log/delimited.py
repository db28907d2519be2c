"""Files with a header and a separator: .csv, .tsv, and RecBole's .inter and .item."""

import collections
import csv
import re
from pathlib import Path

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import tables
from sasrec_train.log.tables import Table

__all__ = ["scan_csv", "scan_recbole", "scan_tsv"]

RENAMED = re.compile(r"_duplicated_\d+$")  # How polars renames the second column of a name.


def scan_csv(path: Path) -> Table:
    """Return the table of a .csv; text stays text, so that "007" stays what it is."""
    return _scan_quoted(path, ",")


def scan_tsv(path: Path) -> Table:
    """Return the table of a .tsv, see scan_csv."""
    return _scan_quoted(path, "\t")


def _scan_quoted(path: Path, separator: str) -> Table:
    frame = tables.scan_csv(path, separator=separator, quote_char='"')
    names = frame.collect_schema().names()
    _refuse_nul(path, names)
    return Table.of(path, frame, repeated=_repeated(path, separator, names))


def scan_recbole(path: Path) -> Table:
    """Return the table of a file of RecBole: nothing is quoted, and the header types each name.

    `user_id:token` becomes `user_id`. Of a repeated name the first column is kept, and Table.repeated
    lists it.
    """
    frame = tables.scan_csv(path, separator="\t", quote_char=None)
    typed = frame.collect_schema().names()
    _refuse_nul(path, typed)
    names = [name.rpartition(":")[0] or name for name in typed]
    counts = collections.Counter(names)
    frame = frame.select([pl.col(typed[names.index(name)]).alias(name) for name in counts])
    return Table.of(path, frame, repeated=frozenset(name for name, count in counts.items() if count > 1))


def _refuse_nul(path: Path, names: list[str]) -> None:
    if any("\0" in name for name in names):
        raise DataError(f"{path} has NUL characters in its header, expected UTF-8 text. Save it as UTF-8.")


def _repeated(path: Path, separator: str, names: list[str]) -> frozenset[str]:
    """Return the names that a header gives to several columns: polars renames the later ones NAME_duplicated_0, ….

    A file may also hold a column that is really called so, so the header is read again.
    """
    before = {name: RENAMED.sub("", name) for name in names if RENAMED.search(name)}
    suspects = set(before.values()) & set(names)
    if not suspects:
        return frozenset()
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(filter(any, csv.reader(file, delimiter=separator)), [])
    return frozenset(name for name in suspects if header.count(name) != 1)  # 0: the file is compressed
