"""The lines of a text file that is memory-mapped, so that only the pages that are read cost memory."""

import codecs
import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import BundleError

__all__ = ["MappedLines"]

CHUNK_BYTES: Final = 1 << 18
"""Chunk size: bounds temporary memory and amortises the calls of numpy."""

LINE_FEED: Final = 0x0A


class MappedLines(Sequence[str | None]):
    """Lines by their number, which begins at 1 as item ids do; None at 0 and for an empty line.

    Only a line feed ends a line, so that it may hold any other character.

    Args:
        path: The file.
        count: How many lines it has.

    Raises:
        BundleError: It has another number of lines, or is not UTF-8.
    """

    def __init__(self, path: Path, count: int) -> None:
        with path.open("rb") as file:
            self.data: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if _size(file) else b""
            """The whole file."""
        if self.data[: len(codecs.BOM_UTF8)] == codecs.BOM_UTF8:
            raise BundleError(
                f"{path} begins with a byte order mark, which would become part of its first line. "
                "Export the bundle again."
            )
        _check_utf8(path, self.data)
        ends = _line_ends(self.data)
        if len(ends) != count:
            raise BundleError(f"{path} has {len(ends)} lines, expected {count} (n_items). Export the bundle again.")
        narrow = np.uint32 if len(self.data) < np.iinfo(np.uint32).max else np.uint64
        self.starts: NDArray[np.uint32 | np.uint64] = np.concatenate([[0], ends + 1]).astype(narrow)
        """(count + 1,), the byte at which each line starts in `data`, and that after the last line."""
        self._bounds = self.starts.data  # its entries are Python's own integers: faster than numpy's

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[str | None]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if index == 0:
            return None
        return self.line(index).decode() or None

    def in_memory(self) -> list[str | None]:
        """Return all of them, with None at 0: faster to read one by one."""
        return [None, *(line or None for line in self.data[:].decode().split("\n")[: len(self) - 1])]

    def first_empty(self) -> int | None:
        """Return the number of the first line that is empty, None if none is."""
        empty = np.flatnonzero(np.diff(self.starts) == 1)
        return int(empty[0]) + 1 if len(empty) else None

    def line(self, index: int) -> bytes:
        """Return the bytes of the line `index`, from 1 on."""
        return self.data[self._bounds[index - 1] : self._bounds[index] - 1]


def _size(file: Any) -> int:
    size: int = file.seek(0, 2)
    return size


def _check_utf8(path: Path, data: mmap.mmap | bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), CHUNK_BYTES):
        chunk = data[start : start + CHUNK_BYTES]
        incomplete = len(decoder.getstate()[0])  # bytes of a character that the last chunk began
        try:
            decoder.decode(chunk, final=start + CHUNK_BYTES >= len(data))
        except UnicodeDecodeError as error:
            position = start - incomplete + error.start
            raise BundleError(f"{path} is not UTF-8 at byte {position}. Export the bundle again.") from error


def _line_ends(data: mmap.mmap | bytes) -> NDArray[np.int64]:
    """Return where each line ends; the last one's line feed may be missing."""
    array = np.frombuffer(data, np.uint8)
    ends = [
        np.flatnonzero(array[start : start + CHUNK_BYTES] == LINE_FEED) + start
        for start in range(0, len(array), CHUNK_BYTES)
    ]
    if len(array) and array[-1] != LINE_FEED:
        ends.append(np.array([len(array)]))
    return np.concatenate(ends) if ends else np.empty(0, np.int64)
