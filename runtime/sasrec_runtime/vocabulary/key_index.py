"""From a key to its line: a hash table of line numbers over a mapped file, 8 bytes a key where a dict takes 130."""

import functools
import secrets
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import BundleError
from sasrec_runtime.vocabulary.mapped_lines import MappedLines

__all__ = ["KeyIndex", "repeated_key"]

LOAD: Final = 0.75
"""Share of the places that are taken: a fuller table is smaller and has longer ways."""

CHUNK_LINES: Final = 1 << 14
"""Hashed together."""

WORD: Final = 8
"""Bytes hashed at once."""

HASHED_WORDS: Final = 32
"""Of a longer key the last 256 bytes are hashed: keys that share a long address differ at its end."""

REMEMBERED: Final = 1 << 14
"""Keys whose answer is kept: histories hold the same few items again and again."""

ALL_BITS: Final = (1 << 64) - 1
HALF: Final = np.uint64(32)


class KeyIndex:
    """Answers as a dict from keys to line numbers would.

    An open table: a key's place is given by its hash, and what finds it taken goes on to the next. The hash has a
    random factor, so that no file can be written whose keys all meet.

    Args:
        lines: The keys, none empty.

    Raises:
        BundleError: A key stands on two lines.
    """

    def __init__(self, lines: MappedLines) -> None:
        self._lines = lines
        self._factor = secrets.randbits(64) | 1
        self._places = _fill(lines, self._factor, int((len(lines) - 1) / LOAD) + 2)
        self._numbers = self._places.data  # its entries are Python's own integers: faster than numpy's
        self.get = functools.lru_cache(REMEMBERED)(self._find)
        """The line number of a key; None for what is no key. TypeError for what cannot be hashed."""

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def _find(self, key: object) -> int | None:
        if not isinstance(key, str):
            return None
        try:
            letters = key.encode()
        except UnicodeEncodeError:  # a lone surrogate
            return None
        numbers, line = self._numbers, self._lines.line
        place = _hash(letters, self._factor) * len(numbers) >> 32
        while number := numbers[place]:
            if line(number) == letters:
                return number
            place += 1
            if place == len(numbers):
                place = 0
        return None


def _hash(letters: bytes, factor: int) -> int:
    """Return the hash of one key, 32 bits; `_hashes` does the same for many."""
    value = len(letters)
    letters = letters[-WORD * HASHED_WORDS :]
    for start in range(0, len(letters), WORD):
        value = (value ^ int.from_bytes(letters[start : start + WORD], "little")) * factor & ALL_BITS
        value ^= value >> 32
    return value >> 32


def _hashes(lines: MappedLines, factor: int) -> NDArray[np.uint32]:
    """Return the hash of every line, (count,)."""
    count = len(lines) - 1
    hashes = np.empty(count, np.uint32)
    for first in range(0, count, CHUNK_LINES):
        starts = lines.starts[first : first + CHUNK_LINES + 1].astype(np.int64)
        letters = np.zeros(int(starts[-1] - starts[0]) + WORD, np.uint8)
        part = lines.data[starts[0] : starts[-1]]
        letters[: len(part)] = np.frombuffer(part, np.uint8)
        hashes[first : first + CHUNK_LINES] = _hashes_of(letters, starts - starts[0], np.uint64(factor)) >> HALF
    return hashes


def _hashes_of(letters: NDArray[np.uint8], bounds: NDArray[np.int64], factor: np.uint64) -> NDArray[np.uint64]:
    words = np.ndarray(len(letters) - WORD + 1, "<u8", letters, strides=(1,))  # the eight bytes from each place on
    lengths = np.diff(bounds) - 1
    hashed = np.minimum(lengths, WORD * HASHED_WORDS)
    starts = bounds[:-1] + lengths - hashed
    hashes = lengths.astype(np.uint64)
    left, of = hashed, np.arange(len(lengths))
    while True:
        going = left > 0
        if not going.all():
            left, starts, of = left[going], starts[going], of[going]
        if not len(of):
            return hashes
        beyond = (WORD * np.maximum(WORD - left, 0)).astype(np.uint64)  # bits of the next line
        word = words[starts] << beyond >> beyond
        mixed = (hashes[of] ^ word) * factor
        hashes[of] = mixed ^ mixed >> HALF
        left, starts = left - WORD, starts + WORD


def _fill(lines: MappedLines, factor: int, size: int) -> NDArray[np.int32]:
    """Return the table: line numbers from 1 on, 0 where a place is free."""
    hashes = _hashes(lines, factor)
    table = np.zeros(size, np.int32)
    for first in range(0, len(hashes), CHUNK_LINES):
        numbers = np.arange(first + 1, min(first + CHUNK_LINES, len(hashes)) + 1, dtype=np.int32)
        _insert(table, numbers, hashes, lines)
    return table


def _insert(
    table: NDArray[np.int32], numbers: NDArray[np.int32], hashes: NDArray[np.uint32], lines: MappedLines
) -> None:
    """Put line numbers into the table, all at once: where several want one place, the first has it, others go on."""
    places = (hashes[numbers - 1] * np.uint64(len(table)) >> HALF).astype(np.int64)
    while len(numbers):
        free = table[places] == 0
        table[places[free][::-1]] = numbers[free][::-1]
        there = table[places]
        passing = there != numbers
        numbers, there, places = numbers[passing], there[passing], places[passing]
        # Equal keys take the same way, so the later one passes by the earlier.
        for place in np.flatnonzero(hashes[there - 1] == hashes[numbers - 1]).tolist():
            first, second = int(there[place]), int(numbers[place])
            if lines.line(first) == lines.line(second):
                raise repeated_key(lines.line(first).decode(), first, second)
        places += 1
        places[places == len(table)] = 0


def repeated_key(key: str, line: int, other: int) -> BundleError:
    """Return the error for a key that stands on two lines."""
    return BundleError(
        f"item key {key!r:.80} stands on lines {line} and {other}, expected each key once. Export the bundle again."
    )
