"""Count the rows of a file without its reader, so that `score` can check that it lost none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sasrec_runtime.batch import formats, parquet_rows

__all__ = ["rows_in"]

CHUNK_BYTES: Final = 1 << 20


def rows_in(path: Path) -> int:
    """Return how many rows a file of histories holds, in bounded memory and at some hundred MB a second.

    The rows are the lines below the heading of CSV, and the JSON lines that are not blank.
    """
    kind = formats.format_of(path)
    if kind == "parquet":
        return parquet_rows.count(path)
    return _lines(path) - 1 if kind == "csv" else _lines_with_text(path)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _lines(path: Path) -> int:
    r"""Return how many lines end with \n, \r or \r\n, or with the file."""
    ends, last = 0, b"\n"
    for chunk in _chunks(path):
        ends += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
        if last == b"\r" and chunk.startswith(b"\n"):
            ends -= 1  # one end, cut in two
        last = chunk[-1:]
    return ends + (last not in b"\r\n")


def _lines_with_text(path: Path) -> int:
    found, has_text = 0, False
    for chunk in _chunks(path):
        first, *others = chunk.split(b"\n")
        has_text = has_text or bool(first.strip())
        for line in others:
            found += has_text
            has_text = bool(line.strip())
    return found + has_text
