"""Print results for people or as JSON, with control characters escaped."""

import json
import math
import re
import sys
from collections.abc import Sequence
from typing import Any, Final

import click

__all__ = ["print_json", "print_lines", "print_table", "printable", "size_in_words", "table_lines"]

HIDDEN: Final = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""DEL, C1 controls, marks and overrides of the writing direction, line separators, lone surrogates."""

CONTROLS: Final = re.compile(f"[\x00-\x1f{HIDDEN}]")
CONTROLS_IN_LINES: Final = re.compile(f"[\x00-\x09\x0b-\x1f{HIDDEN}]")
HIDDEN_IN_JSON: Final = re.compile(f"[{HIDDEN}]")

NUMBER: Final = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?(e[+-]?[0-9]+)?( ?%)?")
"""A cell that is a number, perhaps with thousands separators, an exponent or a percent sign."""

MISSING: Final = frozenset({"", "–", "n/a"})
"""Cells of a column of numbers where there is none."""


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text without control characters, which a terminal would obey: they become escapes, such as `\x1b`.

    Law: what has none of them comes back as it is.

    Args:
        text: A key, a title, a file name, or a message that may hold one.
        lines: Keep line feeds, for text of several lines.
    """
    return (CONTROLS_IN_LINES if lines else CONTROLS).sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape", "surrogatepass").decode("ascii")


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object; msgspec structs become objects, a number that JSON cannot hold becomes null."""
    import msgspec  # noqa: PLC0415 - so that --help stays fast

    plain = _without_nan(msgspec.to_builtins(result))
    # Where the stream lacks a character, its own way to escape one might not be that of JSON.
    is_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    text = json.dumps(plain, indent=2, ensure_ascii=not is_unicode, allow_nan=False)
    click.echo(HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    return [_without_nan(inner) for inner in value] if isinstance(value, list | tuple) else value


def print_lines(text: str, *, err: bool = False) -> None:
    """Print text of one line or several, which may hold what a user wrote; on stderr if `err`."""
    click.echo(printable(text, lines=True), err=err)


def print_table(rows: Sequence[Sequence[str]], *, headings: int = 1, align: str = "") -> None:
    """Print a table; arguments as for `table_lines`."""
    for line in table_lines(rows, headings=headings, align=align):
        click.echo(line)


def table_lines(rows: Sequence[Sequence[str]], *, headings: int = 1, align: str = "") -> list[str]:
    """Return a table as lines: columns as wide as their longest cell, two spaces between, control characters escaped.

    Args:
        rows: The cells of each row, all rows equally long. An empty row becomes an empty line.
        headings: How many of the first rows are headings, which have no say in the alignment of a column.
        align: One letter for each column, "l" or "r". Empty: columns of numbers are aligned right, others left.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    columns = list(zip(*filter(None, shown), strict=True))
    values = list(zip(*filter(None, shown[headings:]), strict=True)) or [()] * len(columns)
    align = align or "".join("r" if all(map(_is_number, column)) else "l" for column in values)
    widths = [max(map(len, column)) for column in columns]
    return ["  ".join(map(_aligned, row, widths, align)).rstrip() for row in shown]


def _aligned(cell: str, width: int, alignment: str) -> str:
    return cell.rjust(width) if alignment == "r" else cell.ljust(width)


def _is_number(cell: str) -> bool:
    return cell in MISSING or NUMBER.fullmatch(cell) is not None


def size_in_words(size_bytes: int) -> str:
    """Return a size in words, decimal units."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
