"""Results as a user reads them, or as another program does."""

import json
from collections.abc import Sequence
from typing import Any

import click

__all__ = ["print_json", "print_table", "size_in_words"]


def print_json(result: dict[str, Any]) -> None:
    """Print one JSON object; msgspec structs become objects, a number that JSON has no word for becomes null."""
    import msgspec  # noqa: PLC0415 - so that --help stays fast

    click.echo(json.dumps(msgspec.to_builtins(result), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their longest cell; those of numbers, a heading aside, stand right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        click.echo("  ".join(c.rjust(width) if to_right else c.ljust(width) for c, width, to_right in cells).rstrip())


def _is_number(cell: str) -> bool:
    return cell == "–" or cell.removeprefix("-").replace(".", "", 1).isdecimal()


def size_in_words(size_bytes: int) -> str:
    """Return a size in words, decimal units."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"
