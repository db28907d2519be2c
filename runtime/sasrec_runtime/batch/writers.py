"""Answers as the rows of a file, and several such files put together."""

import csv
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from sasrec_runtime.batch import formats
from sasrec_runtime.batch.formats import Format
from sasrec_runtime.batch.rows import Answer

__all__ = ["merge", "write"]

HEADING = ("user", "items", "scores", "is_fallback")


def write(path: Path, kind: Format, answers: list[Answer], separator: str) -> None:
    """Write one file. Scores keep every digit of a float32."""
    if kind == "csv":
        _write_csv(path, answers, separator)
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


def _write_csv(path: Path, answers: list[Answer], separator: str) -> None:
    """Without a heading, which `merge` writes once."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for answer in answers:
            scores = separator.join(f"{score:.9g}" for score in answer.scores or [])
            items = separator.join(answer.items)
            writer.writerow([answer.user, items, scores, str(answer.is_fallback).lower()])


def _table(answers: list[Answer]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types = (pa.string(), pa.list_(pa.string()), pa.list_(pa.float32()), pa.bool_())
    schema = pa.schema(list(zip(HEADING, types, strict=True)))
    columns = [[getattr(answer, name) for answer in answers] for name in HEADING]
    return pa.table(dict(zip(HEADING, columns, strict=True)), schema=schema)
