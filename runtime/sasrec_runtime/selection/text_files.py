"""Small text files that a caller names: read whole, UTF-8, and nothing but a file."""

import sys
from pathlib import Path
from typing import Final

from sasrec_runtime.errors import RequestError

__all__ = ["STDIN", "read_keys", "read_text"]

STDIN: Final = Path("-")
"""Stands for standard input."""


def read_text(path: Path, holding: str) -> str:
    """Return what a file holds, without a byte order mark and with its line ends as they are.

    Args:
        path: The file.
        holding: What it should hold, for messages.

    Raises:
        OSError: It cannot be read.
        RequestError: It is a folder, a pipe or a device, or is not UTF-8, or holds a NUL.
    """
    if path.exists() and not path.is_file():
        seen = "a folder" if path.is_dir() else "a pipe or a device"
        raise RequestError(f"{path} is {seen}, expected a file of {holding}. Name another.")
    return _decoded(path.read_bytes(), str(path), holding)


def read_keys(path: Path) -> list[str]:
    """Return the item keys of a file, one a line; empty lines are left out. `-` reads standard input.

    Raises:
        OSError: It cannot be read.
        RequestError: It is not a file, is not UTF-8, or holds a NUL; or standard input is closed.
    """
    if path != STDIN:
        text = read_text(path, "item keys")
    elif sys.stdin is None:
        raise RequestError("Standard input is closed, expected item keys, one a line. Name a file instead.")
    else:
        text = _decoded(sys.stdin.buffer.read(), "Standard input", "item keys")
    # Only a line feed ends a line of items.txt, so that a key may hold any other separator.
    return [key for line in text.split("\n") if (key := line.removesuffix("\r"))]


def _decoded(data: bytes, place: str, holding: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{place} is not UTF-8 at byte {error.start}, expected {holding}. Convert it.") from error
    if "\0" in text:
        raise RequestError(f"{place} holds a NUL at byte {data.index(0)}, expected {holding}. Write it again.")
    return text
