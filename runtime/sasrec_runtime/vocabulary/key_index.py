"""From a key to its line number, over a mapped file: a sorted array of hashes and binary search.

Each entry is one 64-bit integer: the upper bits of the key's hash, then its line number. Sorting the entries sorts the
hashes, and `bisect` finds the first entry of a hash. At a million keys this takes 8 bytes a key where a dict takes 130.
It is built in half the time of a hash table with open addressing, and an unknown key is refused in half the time; the
hash table would take 5 bytes a key. Separate arrays of sorted hashes and line numbers take 12 bytes, and one call of
`numpy.searchsorted` for one key takes longer than `bisect`.
"""

import functools
import secrets
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.errors import BundleError
from sasrec_runtime.vocabulary.mapped_lines import MappedLines

__all__ = ["KeyIndex", "repeated_key"]

CHUNK_LINES: Final = 1 << 14
"""Lines hashed in one step of numpy: bounds temporary memory and amortises the calls."""

WORD_BYTES: Final = 8
"""Bytes that enter the hash at once."""

HASHED_WORDS: Final = 32
"""Words of a key that are hashed. Of a longer key the last 256 bytes count: long addresses differ at their ends."""

CACHED_KEYS: Final = 1 << 14
"""Keys whose line number is kept in memory: histories hold the same few items again and again."""

ALL_BITS: Final = (1 << 64) - 1
HALF: Final = np.uint64(32)


class KeyIndex:
    """Answers as a dict from keys to line numbers would.

    The hash is seeded at random, so that no file can be prepared whose keys all have one hash.

    Args:
        lines: The keys, none empty.

    Raises:
        BundleError: A key stands on two lines.
    """

    def __init__(self, lines: MappedLines) -> None:
        self._lines = lines
        self._factor = secrets.randbits(64) | 1
        self._line_mask = (1 << len(lines).bit_length()) - 1
        """The lower bits of an entry, which hold the line number."""
        entries = _sorted_entries(lines, self._factor, self._line_mask)
        _refuse_repeated_keys(lines, entries, self._line_mask)
        self._entries = entries.data  # its items are Python's own integers: faster than numpy's
        self.get = functools.lru_cache(CACHED_KEYS)(self._find)
        """The line number of a key; None for anything else. TypeError for what cannot be hashed."""

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None

    def _find(self, key: object) -> int | None:
        if not isinstance(key, str):
            return None
        try:
            key_bytes = key.encode()
        except UnicodeEncodeError:  # a lone surrogate
            return None
        entries, mask = self._entries, self._line_mask
        last = _hash(key_bytes, self._factor) | mask  # no entry of this hash is larger
        position = bisect_left(entries, last ^ mask)
        while position < len(entries) and (entry := entries[position]) <= last:
            if self._lines.line(entry & mask) == key_bytes:
                return entry & mask
            position += 1
        return None


def _hash(key_bytes: bytes, factor: int) -> int:
    """Return the 64-bit hash of one key; `_hashes` does the same for many.

    Multiplicative hashing, word by word: h ← (h ⊕ word) · factor mod 2^64, then h ← h ⊕ (h >> 32). h begins as the
    length of the key in bytes.
    """
    value = len(key_bytes)
    key_bytes = key_bytes[-WORD_BYTES * HASHED_WORDS :]
    for start in range(0, len(key_bytes), WORD_BYTES):
        value = (value ^ int.from_bytes(key_bytes[start : start + WORD_BYTES], "little")) * factor & ALL_BITS
        value ^= value >> 32
    return value


def _hashes(data: NDArray[np.uint8], bounds: NDArray[np.int64], factor: np.uint64) -> NDArray[np.uint64]:
    """Return the hash of each of several lines.

    Args:
        data: The bytes of the lines, each with its line feed, and WORD_BYTES more.
        bounds: (count + 1,), the byte at which each line starts, and that after the last line.
        factor: The seed, an odd number.
    """
    words = np.ndarray(len(data) - WORD_BYTES + 1, "<u8", data, strides=(1,))  # the word from each byte on
    lengths = np.diff(bounds) - 1
    bytes_left = np.minimum(lengths, WORD_BYTES * HASHED_WORDS)
    starts = bounds[:-1] + lengths - bytes_left
    hashes = lengths.astype(np.uint64)
    rows = np.arange(len(lengths))  # lines with bytes that are not hashed yet
    while True:
        unfinished = bytes_left > 0
        if not unfinished.all():
            bytes_left, starts, rows = bytes_left[unfinished], starts[unfinished], rows[unfinished]
        if not len(rows):
            return hashes
        excess_bits = (8 * np.maximum(WORD_BYTES - bytes_left, 0)).astype(np.uint64)  # of the next line
        word = words[starts] << excess_bits >> excess_bits
        mixed = (hashes[rows] ^ word) * factor
        hashes[rows] = mixed ^ mixed >> HALF
        bytes_left, starts = bytes_left - WORD_BYTES, starts + WORD_BYTES


def _sorted_entries(lines: MappedLines, factor: int, line_mask: int) -> NDArray[np.uint64]:
    """Return the entries of all lines, (count,), in ascending order."""
    count = len(lines) - 1
    entries = np.empty(count, np.uint64)
    for first in range(0, count, CHUNK_LINES):
        starts = lines.starts[first : first + CHUNK_LINES + 1].astype(np.int64)
        part = lines.data[starts[0] : starts[-1]]
        data = np.zeros(int(starts[-1] - starts[0]) + WORD_BYTES, np.uint8)
        data[: len(part)] = np.frombuffer(part, np.uint8)
        hashes = _hashes(data, starts - starts[0], np.uint64(factor)) & np.uint64(ALL_BITS ^ line_mask)
        numbers = np.arange(first + 1, first + len(starts), dtype=np.uint64)
        entries[first : first + CHUNK_LINES] = hashes | numbers
    entries.sort()
    return entries


def _refuse_repeated_keys(lines: MappedLines, entries: NDArray[np.uint64], line_mask: int) -> None:
    """Compare the keys of equal hashes; of several repeated keys the message names the one repeated first."""
    repeated: list[tuple[int, int]] = []
    first_lines: dict[bytes, int] = {}
    previous = -2  # before the first position there is no entry
    for position in _equal_neighbours(entries, line_mask):
        if position != previous + 1:  # another hash
            number = int(entries[position]) & line_mask
            first_lines = {lines.line(number): number}
        previous = position
        number = int(entries[position + 1]) & line_mask
        if (first := first_lines.setdefault(lines.line(number), number)) != number:
            repeated.append((number, first))
    if repeated:
        number, first = min(repeated)
        raise repeated_key(lines.line(number).decode(), first, number)


def _equal_neighbours(entries: NDArray[np.uint64], line_mask: int) -> Iterator[int]:
    """Yield the positions of entries whose hash is that of the next entry."""
    for start in range(0, len(entries), CHUNK_LINES):
        part = entries[start : start + CHUNK_LINES + 1]
        yield from (np.flatnonzero((part[1:] ^ part[:-1]) <= np.uint64(line_mask)) + start).tolist()


def repeated_key(key: str, line: int, other: int) -> BundleError:
    """Return the error for a key that stands on two lines."""
    return BundleError(
        f"item key {key!r:.80} stands on lines {line} and {other}, expected each key once. Export the bundle again."
    )
