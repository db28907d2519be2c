"""Answers as the rows of a file, and several such files put together."""

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from sasrec_runtime.batch import formats
from sasrec_runtime.batch.formats import Format
from sasrec_runtime.batch.rows import Answer

__all__ = ["count", "merge", "write"]

HEADING = ("user", "items", "scores", "is_fallback")

FORMULA_STARTS: Final = tuple("=+-@\t\r\n\uff0b\uff0d\uff1d\uff20'")
"""First characters of a cell that a spreadsheet takes for a formula, some in full width, and the sign that stops it."""

QUOTE: Final = '"'
NEEDS_QUOTES: Final = re.compile(r'[,"\r\n]')


def write(path: Path, kind: Format, answers: list[Answer], separator: str, *, spreadsheet_safe: bool = False) -> None:
    """Write one file, CSV without a heading, which `merge` writes once. Scores keep every digit of a float32.

    Args:
        path: The file.
        kind: Its format.
        answers: Its rows.
        separator: Between the items, and between the scores, of a row of CSV.
        spreadsheet_safe: Put `'` before users and items of CSV that a spreadsheet would run as a formula.
    """
    if kind == "csv":
        _write_csv(path, answers, separator, _safe if spreadsheet_safe else str)
    elif kind == "jsonl":
        path.write_bytes(b"".join(msgspec.json.encode(answer) + b"\n" for answer in answers))
    else:
        formats.parquet(path).write_table(_table(answers), path)


def merge(parts: Iterable[Path], out: Path, kind: Format) -> None:
    """Write the rows of several files of one format to `out`, in their order; at most one file is in memory."""
    if kind == "parquet":
        parquet = formats.parquet(out)
        with parquet.ParquetWriter(out, _table([]).schema) as writer:
            for part in parts:
                writer.write_table(parquet.read_table(part))
        return
    with out.open("wb") as target:
        if kind == "csv":
            target.write(",".join(HEADING).encode() + b"\n")
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target)


def count(path: Path, kind: Format) -> int:
    """Return how many rows a file has that `write` wrote."""
    if kind == "parquet":
        return int(formats.parquet(path).read_metadata(path).num_rows)
    if kind == "jsonl":
        with path.open("rb") as file:
            return sum(1 for _ in file)
    rows, in_quotes = 0, False
    with path.open(newline="\n", encoding="utf-8") as text:
        for line in text:  # without the csv module, which refuses cells of more than 131,072 letters
            in_quotes ^= line.count(QUOTE) % 2 == 1
            rows += not in_quotes
    return rows


def _safe(cell: str) -> str:
    """Return a cell that no spreadsheet runs; without its first `'`, where it has one, it is the cell again."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _write_csv(path: Path, answers: list[Answer], separator: str, cell: Callable[[str], str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        for answer in answers:
            scores = separator.join(f"{score:.9g}" for score in answer.scores or [])
            items = separator.join(answer.items)
            cells = (cell(answer.user), cell(items), scores, str(answer.is_fallback).lower())
            file.write(",".join(map(_quoted, cells)) + "\n")


def _quoted(cell: str) -> str:
    r"""Return a cell as CSV holds it; before Python 3.13 the csv module leaves a \r bare, which ends the row."""
    return f'"{cell.replace(QUOTE, QUOTE * 2)}"' if NEEDS_QUOTES.search(cell) else cell


def _table(answers: list[Answer]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = (pa.string(), pa.list_(pa.string()), pa.list_(pa.float32()), pa.bool_())
    schema = pa.schema(list(zip(HEADING, types, strict=True)))
    columns = [[getattr(answer, name) for answer in answers] for name in HEADING]
    return pa.table(dict(zip(HEADING, columns, strict=True)), schema=schema)
