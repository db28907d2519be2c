"""Columns of user and item keys: which are ids, and how each becomes a number.

A key is text. A column of whole numbers, also as text, is handled as numbers and becomes text once per distinct key.
Any other text is also checked once per distinct key, not once per row.
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
NOT_TEXT = r"\x00|^\x{feff}"  # UTF-16, a file not written to its end, or concatenated files.
MAX_KEY_BYTES = 2**14  # A longer one is a line or a file that was read wrongly.
NO_VALUE = ("nan", "null", "none", "na", "n/a", "<na>", "nil")  # As programs write a missing number.
MAX_EXACT_FLOAT = 2**53  # Above it a float column does not hold all whole numbers.
UINT32 = 2**32
SPARSE = 16  # A table of all numbers up to the largest is used where it has at most so many entries per row.

NO_NEGATIVE = 'ids of 0 or more: a negative one mostly stands for "unknown". Filter such rows'


@dataclass(frozen=True, slots=True)
class Keys:
    """The distinct keys of a column and each row's index among them."""

    keys: pl.Series
    """Text, shorter keys first: "9" before "10"."""
    codes: NDArray[np.int32]
    """(N,). Row n holds keys[codes[n]]."""


@dataclass(slots=True)
class KeyColumn:
    """How one column of keys is read: checks and facts of the first pass, `settle`, a number per row in the last."""

    table: Table
    """The file."""
    name: str
    """The column."""
    checks: list[Check] = field(default_factory=list)
    """Rules that the first pass checks."""
    facts: dict[str, pl.Expr] = field(default_factory=dict)
    """Aggregates that the first pass computes, for `settle`."""
    _number: pl.Expr = field(init=False)
    _fits_uint32: bool = False
    _distinct: pl.Series | None = None  # Of a column that is read as text.

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
        # A cast may fail here: such a column is text.
        self.facts["largest"] = (column.cast(pl.Int64, strict=False) if dtype.is_float() else self._number).max()

    @property
    def _text(self) -> pl.Expr:
        return pl.col(self.name).cast(pl.String)

    def settle(self, facts: dict[str, Any]) -> None:
        """Decide by the facts of the first pass how the column is read. Text costs a pass, for its distinct keys.

        Raises:
            DataError: The column holds text that cannot be keys.
        """
        self._fits_uint32 = facts["largest"] is not None and facts["largest"] < UINT32
        if not facts.get("plain", True):
            self._distinct = self._distinct_keys()

    def expression(self) -> pl.Expr:
        """Return what the last pass reads: a number, 4 bytes wide where that is enough. Call `settle` first."""
        if self._distinct is not None:
            return self._text.cast(pl.Enum(self._distinct)).to_physical()
        return self._number.cast(pl.UInt32) if self._fits_uint32 else self._number

    def encode(self, numbers: NDArray[Any]) -> Keys:
        """Return the keys and codes of the column, from the values of its expression."""
        if self._distinct is None:
            different, codes = _number(numbers)
            return Keys(pl.Series(different).cast(pl.String), codes)
        keys = _without_points(self._distinct)
        ordered = _shorter_first(keys.unique())
        indices = keys.cast(pl.Enum(ordered)).to_physical().to_numpy().astype(np.int32)
        return Keys(ordered, indices[numbers])

    def _distinct_keys(self) -> pl.Series:
        """Return the distinct keys of a column of text as they are written, checked."""
        keys = tables.collect(self.table, self.table.frame.select(self._text.alias("key")).unique())["key"]
        self._refuse(keys.is_null() | (keys.str.strip_chars() == ""), keys, "an id in every row")
        self._refuse(keys.str.contains(LINE_BREAKS), keys, "ids without line breaks")
        self._refuse(keys.str.contains(NOT_TEXT), keys, "ids of UTF-8 text, without NUL characters or byte order marks")
        self._refuse(keys.str.len_bytes() > MAX_KEY_BYTES, keys, f"ids of at most {MAX_KEY_BYTES:,} bytes")
        number = keys.str.contains(NUMBER)
        whole = keys.str.contains(WHOLE_FLOAT)
        if number.all():
            self._refuse(keys.str.contains(".", literal=True) & ~whole, keys, "whole numbers or text")
            self._refuse(keys.str.starts_with("-"), keys, NO_NEGATIVE)
            return keys
        no_value = keys.str.strip_chars().str.to_lowercase().is_in(NO_VALUE)
        if number.any() and (number | no_value).all():
            self._refuse(no_value, keys, "a whole number as in the other rows. Filter such rows")
        twice = whole & _without_point(keys).is_in(keys.implode())
        self._refuse(twice, keys, "one way to write a number: it is also written without the point. Write it one way")
        return keys

    def _refuse(self, wrong: pl.Series, keys: pl.Series, rule: str) -> None:
        """Refuse the first row whose key is wrong; where no key is, nothing is read again."""
        bad = keys.filter(wrong.fill_null(value=True))
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
    """Return the distinct numbers in order and each row's index among them; none is negative."""
    size = int(values.max(initial=0)) + 1
    if size > SPARSE * values.size:
        different = np.unique(values)
        return different, np.searchsorted(different, values).astype(np.int32)
    present = np.zeros(size, bool)
    present[values] = True
    indices = np.cumsum(present, dtype=np.int32)
    indices -= 1
    return np.flatnonzero(present), indices[values]
