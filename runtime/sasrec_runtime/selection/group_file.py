"""Files that say which group an item is in: CSV, TSV or one JSON object."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sasrec_runtime.errors import RequestError
from sasrec_runtime.selection import text_files

__all__ = ["as_name", "read"]

COLUMNS: Final = ("item", "group")
"""Columns of CSV and TSV that are read; a file may have others."""

SEPARATORS: Final = {".csv": ",", ".tsv": "\t"}

HOLDING: Final = "items and their groups"


def read(path: Path) -> dict[str, str]:
    """Return item key → group; items without a group are left out.

    Args:
        path: `.csv` or `.tsv` with the columns `item` and `group`, or `.json` with one object of key → group. A number
            stands for its digits; an empty field, or null, means that the item has no group.

    Raises:
        OSError: It cannot be read.
        RequestError: Its suffix is another, it is not of the format that the suffix says, or an item has two groups.
    """
    kind = path.suffix.lower()
    if kind != ".json" and kind not in SEPARATORS:
        raise RequestError(
            f"{path} has suffix {path.suffix!r:.80}, expected .csv, .tsv or .json. Rename it after its format."
        )
    text = text_files.read_text(path, HOLDING)
    pairs = _json_pairs(path, text) if kind == ".json" else _table_pairs(path, text, SEPARATORS[kind])
    return _one_group_each(pairs)


def as_name(value: Any) -> str | None:
    """Return a group as text, None for what cannot be one."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _one_group_each(pairs: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Return key → group of places, keys and groups; an item that stands there twice has the same group both times."""
    groups: dict[str, str] = {}
    for place, key, group in pairs:
        if groups.setdefault(key, group) != group:
            raise RequestError(
                f"{place}: item {key!r:.80} is in group {group!r:.80} and, further up, in {groups[key]!r:.80}; "
                "expected one group for each item. Choose one of them."
            )
    return groups


def _table_pairs(path: Path, text: str, separator: str) -> Iterator[tuple[str, str, str]]:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        heading = next(rows, [])
        positions = _positions(path, heading)
        for fields in rows:
            if not fields:
                continue  # an empty line
            place = f"{path} line {rows.line_num}"
            if len(fields) != len(heading):
                raise RequestError(
                    f"{place} has {len(fields)} fields, expected {len(heading)} as in the heading. "
                    "Put quotes around a field that holds the separator."
                )
            key, group = (fields[position] for position in positions)
            if not key:
                raise RequestError(f"{place}: item is empty, expected an item key. Fill it in, or leave the line out.")
            if group:
                yield place, key, group
    except csv.Error as error:
        raise RequestError(f"{path} line {rows.line_num} cannot be read: {error}. Write the file again.") from error


def _positions(path: Path, heading: list[str]) -> list[int]:
    for name in COLUMNS:
        if heading.count(name) != 1:
            raise RequestError(
                f"{path} has columns {', '.join(heading)[:300] or 'none'}, expected one {name!r}. "
                f"Write {' and '.join(COLUMNS)} in its first line."
            )
    return [heading.index(name) for name in COLUMNS]


def _json_pairs(path: Path, text: str) -> Iterator[tuple[str, str, str]]:
    try:
        # Pairs, for a dict would keep the last group of a key that stands there twice, in silence.
        value = json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not JSON: {error!s:.200}. Write the file again.") from error
    if not isinstance(value, _Pairs):
        raise RequestError(f"{path} is {value!r:.80}, expected one JSON object of item key to group. Write it so.")
    for key, group in value:
        if group is None or group == "":
            continue
        name = as_name(group)
        if name is None:
            raise RequestError(f"{path}: the group of {key!r:.80} is {group!r:.80}, expected text. Name one group.")
        yield str(path), key, name


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object."""
