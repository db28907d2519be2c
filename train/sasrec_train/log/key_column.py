"""Columns of user and item keys: which are ids, and how each becomes a number.

A key is text. A column of whole numbers, also as text, is handled as numbers and becomes text once per different key.
Any other text is looked at once per different key too, not once per row.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from sasrec_train.errors import DataError
from sasrec_train.log import checks, tables
from sasrec_train.log.checks import Check
from sasrec_train.log.tables import Table

__all__ = ["KeyColumn", "Keys"]

PLAIN_NUMBER = r"^(?:0|[1-9][0-9]{0,17})$"  # Fits 64 bits, and is what such a number looks like written again.
WHOLE_FLOAT = r"^-?\d+\.0*$"
NUMBER = r"^-?\d+(\.\d*)?$"
LINE_BREAKS = r"[\n\r\x0b\x0c\x1c\x1d\x1e\x{85}\x{2028}\x{2029}]"
NO_TEXT = r"\x00|^\x{feff}"  # A file of UTF-16 or one that was not written to its end; files that were put together.
MAX_KEY_BYTES = 2**14  # Keys are read, kept and shown everywhere; one so long is a line or a file gone wrong.
NO_VALUE = ("nan", "null", "none", "na", "n/a", "<na>", "nil")  # As programs write a missing number.
MAX_EXACT_FLOAT = 2**53  # Whole numbers above it are not told apart by a float column.
UINT32 = 2**32
SPARSE = 16  # A table of all numbers up to the largest is used where it has at most so many entries per row.

NO_NEGATIVE = 'ids of 0 or more: a negative one mostly stands for "unknown". Leave such rows out'


@dataclass(frozen=True, slots=True)
class Keys:
    """The different keys of a column and each row's place among them."""

    keys: pl.Series
    """Text, shorter keys first: "9" before "10"."""
    codes: NDArray[np.int32]
    """(N,). Row n holds keys[codes[n]]."""


@dataclass(slots=True)
class KeyColumn:
    """How one column of keys is read: checks and facts of the first pass, a number per row in the last."""

    table: Table
    """The file."""
    name: str
    """The column."""
    checks: list[Check] = field(default_factory=list)
    """What the first pass must find."""
    facts: dict[str, pl.Expr] = field(default_factory=dict)
    """What the first pass is to tell."""
    _number: pl.Expr = field(init=False)
    _different: pl.Series | None = None  # Of a column that is read as text.

    def __post_init__(self) -> None:
        column = pl.col(self.name)
        dtype = self.table.frame.collect_schema()[self.name]
        present = Check(self.name, column.is_null(), "an id in every row")
        if dtype.is_integer() and dtype not in {pl.Int128, pl.UInt128}:
            self._number = column
            self.checks += [present, Check(self.name, column < 0, NO_NEGATIVE)]
        elif dtype.is_float():
            exact = (column == column.floor()) & column.is_finite() & (column.abs() < MAX_EXACT_FLOAT)
            self._number = column.cast(pl.Int64)
            self.checks += [
                Check(self.name, ~exact, "whole numbers or text"),
                Check(self.name, column < 0, NO_NEGATIVE),
            ]
        elif dtype.is_integer() or isinstance(dtype, (pl.String, pl.Categorical, pl.Enum)):
            self._number = self._text.cast(pl.Int64, strict=False)
            self.facts["plain"] = self._text.str.contains(PLAIN_NUMBER).fill_null(value=False).all()
        else:
            raise DataError(
                f"{self.table.path}: column {self.name!r} is of type {dtype}, expected text or whole numbers."
            )
        # A cast that fails is no matter here: such a column is text.
        self.facts["largest"] = (column.cast(pl.Int64, strict=False) if dtype.is_float() else self._number).max()

    @property
    def _text(self) -> pl.Expr:
        return pl.col(self.name).cast(pl.String)

    def expression(self, facts: dict[str, Any]) -> pl.Expr:
        """Return what the last pass reads of a row: a number, 4 bytes wide where that is enough.

        Raises:
            DataError: The column holds text that is no key.
        """
        if not facts.get("plain", True):
            self._different = self._different_keys()
            return self._text.cast(pl.Enum(self._different)).to_physical()
        return self._number.cast(pl.UInt32) if facts["largest"] < UINT32 else self._number

    def encode(self, numbers: NDArray[Any]) -> Keys:
        """Return the keys and codes of the column, from the values of its expression."""
        if self._different is None:
            different, codes = _number(numbers)
            return Keys(pl.Series(different).cast(pl.String), codes)
        keys = _without_points(self._different)
        ordered = _shorter_first(keys.unique())
        places = keys.cast(pl.Enum(ordered)).to_physical().to_numpy().astype(np.int32)
        return Keys(ordered, places[numbers])

    def _different_keys(self) -> pl.Series:
        """Return the different keys of a column of text as they are written, checked."""
        found = tables.collect(self.table, self.table.frame.select(self._text.alias("key")).unique())["key"]
        self._refuse(found.is_null() | (found.str.strip_chars() == ""), found, "an id in every row")
        self._refuse(found.str.contains(LINE_BREAKS), found, "ids without line breaks")
        self._refuse(
            found.str.contains(NO_TEXT), found, "ids of UTF-8 text, without NUL characters or byte order marks"
        )
        self._refuse(found.str.len_bytes() > MAX_KEY_BYTES, found, f"ids of at most {MAX_KEY_BYTES:,} bytes")
        number = found.str.contains(NUMBER)
        whole = found.str.contains(WHOLE_FLOAT)
        if number.all():
            self._refuse(found.str.contains(".", literal=True) & ~whole, found, "whole numbers or text")
            self._refuse(found.str.starts_with("-"), found, NO_NEGATIVE)
            return found
        no_value = found.str.strip_chars().str.to_lowercase().is_in(NO_VALUE)
        if number.any() and (number | no_value).all():
            self._refuse(no_value, found, "a whole number as in the other rows. Leave such rows out")
        twice = whole & _without_point(found).is_in(found.implode())
        self._refuse(
            twice, found, "one way to write a number: it also stands there without the point. Write it one way"
        )
        return found

    def _refuse(self, wrong: pl.Series, found: pl.Series, rule: str) -> None:
        bad = found.filter(wrong.fill_null(value=True))
        if bad.len():
            checks.refuse(self.table, Check(self.name, self._text.is_in(bad.drop_nulls().implode()), rule))


def _without_points(keys: pl.Series) -> pl.Series:
    """Whole numbers written as floats lose their point, in a column of numbers only."""
    return _without_point(keys) if keys.str.contains(NUMBER).all() else keys


def _without_point(keys: pl.Series) -> pl.Series:
    return keys.str.replace(r"\.0*$", "")


def _shorter_first(keys: pl.Series) -> pl.Series:
    return pl.DataFrame({"key": keys}).sort(pl.col("key").str.len_bytes(), "key")["key"]


def _number(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Return the different numbers in order and each row's place among them; none is negative."""
    size = int(values.max(initial=0)) + 1
    if size > SPARSE * values.size:
        different = np.unique(values)
        return different, np.searchsorted(different, values).astype(np.int32)
    present = np.zeros(size, bool)
    present[values] = True
    places = np.cumsum(present, dtype=np.int32)
    places -= 1
    return np.flatnonzero(present), places[values]
