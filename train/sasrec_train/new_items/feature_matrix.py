"""Features as a sparse matrix: a column per category and per word, standardised numbers."""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.new_items.feature_table import Column, FeatureTable

__all__ = ["MAX_COLUMNS", "FeatureMatrix", "matrix"]

MAX_COLUMNS = 2**11  # Of the matrix, for whose square the ridge regression finds eigenvectors: some seconds.
LEAST_COUNT = 2  # Known items that a category or word occurs in: one alone tells nothing about others.
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # "Children's" is one word.
CHUNK_ROWS = 2**12


@dataclass(frozen=True, slots=True)
class FeatureMatrix:
    """A matrix (R, F), of which only the entries that are not zero are held, by rows."""

    rows: NDArray[np.int64]
    """(N,). Row of each entry, rising."""
    columns: NDArray[np.int64]
    """(N,). Column of each entry."""
    values: NDArray[np.float64]
    """(N,). The entries."""
    shape: tuple[int, int]
    """R and F."""

    def dense(self, chosen: NDArray[np.int64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Yield the chosen rows as arrays (rows, F), a chunk at a time, with their place among the chosen."""
        starts = np.searchsorted(self.rows, np.arange(self.shape[0] + 1))
        for first in range(0, chosen.size, CHUNK_ROWS):
            part = chosen[first : first + CHUNK_ROWS]
            chunk = np.zeros((part.size, self.shape[1]))
            for number, row in enumerate(part):
                entries = slice(starts[row], starts[row + 1])
                chunk[number, self.columns[entries]] = self.values[entries]
            yield slice(first, first + part.size), chunk


def matrix(table: FeatureTable, known: NDArray[np.int64]) -> FeatureMatrix:
    """Return the features of all rows, encoded by what the known ones hold.

    Numbers have mean 0 and standard deviation 1 over the known rows, and 0 where they are missing. A category is 1 in
    its column. Words are weighted by TF-IDF, a row's words of one feature to length 1. Where a feature has more
    categories or words than its part of MAX_COLUMNS, several share a column by a hash.

    Args:
        table: The features.
        known: Rows of items that have trained vectors.
    """
    named = [column for column in table.columns if column.numbers is None]
    budget = max(1, (MAX_COLUMNS - len(table.columns)) // max(1, len(named)))
    blocks = [
        _numbers(column.numbers, known) if column.numbers is not None else _terms(column, known, budget)
        for column in table.columns
    ]
    widths = [width for _, _, _, width in blocks]
    shifts = np.concatenate([[0], np.cumsum(widths)])
    rows = np.concatenate([block[0] for block in blocks])
    order = np.argsort(rows, kind="stable")
    columns = np.concatenate([block[1] + shift for block, shift in zip(blocks, shifts, strict=False)])
    values = np.concatenate([block[2] for block in blocks])
    return FeatureMatrix(rows[order], columns[order], values[order], (len(table.keys), int(shifts[-1])))


Block = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], int]
"""Rows, columns and values of the entries of one feature, and how many columns it has."""


def _numbers(numbers: NDArray[np.float64], known: NDArray[np.int64]) -> Block:
    given = numbers[known][np.isfinite(numbers[known])]
    spread = float(given.std()) if given.size else 0.0
    if not math.isfinite(spread) or spread <= 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), 1
    standard = np.nan_to_num((numbers - given.mean()) / spread)
    rows = np.flatnonzero(standard)
    return rows, np.zeros(rows.size, np.int64), standard[rows], 1


def _terms(column: Column, known: NDArray[np.int64], budget: int) -> Block:
    """Return the entries of the categories or words of a column."""
    of_rows = [Counter(_split(column, value)) for value in column.values]
    counts = Counter(term for row in known for term in of_rows[row])
    kept = sorted(term for term, count in counts.items() if count >= LEAST_COUNT)
    width = max(1, min(len(kept), budget))
    places = {term: _hash(term) % width if len(kept) > width else number for number, term in enumerate(kept)}
    is_text = column.kind == "text"
    rows, columns, values = [], [], []
    for row, terms in enumerate(of_rows):
        found = {term: count for term, count in terms.items() if term in places}
        weights = [
            count * math.log((1 + known.size) / (1 + counts[term])) + count if is_text else 1.0
            for term, count in found.items()
        ]
        length = math.sqrt(sum(weight**2 for weight in weights)) or 1.0
        rows += [row] * len(found)
        columns += [places[term] for term in found]
        values += [weight / length for weight in weights] if is_text else weights
    return _summed(rows, columns, values, width)


def _split(column: Column, value: str) -> Iterable[str]:
    if column.kind == "text":
        return (word.lower() for word in WORD.findall(value))
    return [value] if value else []


def _hash(term: str) -> int:
    return zlib.crc32(term.encode())


def _summed(rows: list[int], columns: list[int], values: list[float], width: int) -> Block:
    """Return entries with those of one place added up."""
    flat = np.array(rows, np.int64) * width + np.array(columns, np.int64)
    places, inverse = np.unique(flat, return_inverse=True)
    summed = np.bincount(inverse, weights=np.array(values, np.float64), minlength=places.size)
    return places // width, places % width, summed.astype(np.float64), width
