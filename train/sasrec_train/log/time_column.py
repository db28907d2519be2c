"""The column of times: numbers, dates, or either written as text, as numbers that sort in time order."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import checks
from sasrec_train.log.checks import Check
from sasrec_train.log.tables import Table

__all__ = ["TimeColumn"]

MAX_EXACT_FLOAT = 2**53


@dataclass(slots=True)
class TimeColumn:
    """How the column of times is read: checks and facts of the first pass, `settle`, a number per row in the last.

    Dates become microseconds since 1970 (UTC). Numbers stay what they are, whole ones of 64 bits.
    """

    table: Table
    """The file."""
    name: str
    """The column."""
    checks: list[Check] = field(default_factory=list)
    """Rules that the first pass checks."""
    facts: dict[str, pl.Expr] = field(default_factory=dict)
    """Aggregates that the first pass computes, for `settle`."""
    _value: pl.Expr = field(init=False)

    def __post_init__(self) -> None:
        column = pl.col(self.name)
        dtype = self.table.frame.collect_schema()[self.name]
        rule = "a time in every row"
        if dtype.is_temporal() and dtype not in {pl.Time, pl.Duration}:
            self._value = column.cast(pl.Datetime("us"), strict=False).to_physical()
            rule = "a time in every row, in years that microseconds of 64 bits reach"
        elif dtype.is_integer():
            self._value, rule = column.cast(pl.Int64, strict=False), "a time of 64 bits in every row"
        elif dtype.is_float():
            self._value = column.cast(pl.Float64)
            self.checks.append(Check(self.name, ~column.is_finite(), rule))
            self.facts["whole"] = _is_whole(self._value)
        elif dtype == pl.String:
            self._value = column.str.strip_chars().cast(pl.Int64, strict=False)
            self.facts["not whole"] = self._value.null_count()
            return
        else:
            raise DataError(f"{self.table.path}: column {self.name!r} is of type {dtype}, expected numbers or times.")
        self.checks.append(Check(self.name, self._value.is_null(), rule))

    def settle(self, facts: dict[str, Any]) -> None:
        """Decide by the facts of the first pass how the column is read. Text other than whole numbers costs a pass.

        Raises:
            DataError: The column holds text that is not a time.
        """
        if facts.get("not whole"):
            self._value = self._checked_text()
        elif facts.get("whole", True):
            self._value = self._value.cast(pl.Int64)

    def expression(self) -> pl.Expr:
        """Return what the last pass reads: Int64, or Float64 where times have fractions. Call `settle` first."""
        return self._value

    def _checked_text(self) -> pl.Expr:
        """Return text as what more of its rows are, numbers or dates, once every row is known to be that."""
        text = pl.col(self.name).str.strip_chars()
        number, date = text.cast(pl.Float64, strict=False), _from_iso(text)
        unread = checks.profile(
            self.table, [], {"number": number.null_count(), "date": date.null_count(), "whole": _is_whole(number)}
        )
        if unread["date"] < unread["number"]:
            checks.refuse(self.table, Check(self.name, date.is_null(), "an ISO 8601 time like the others"))
            return date.to_physical()
        wrong = number.is_null() | ~number.is_finite()
        checks.refuse(self.table, Check(self.name, wrong, "a number or an ISO 8601 time"))
        return number.cast(pl.Int64) if unread["whole"] else number


def _is_whole(value: pl.Expr) -> pl.Expr:
    return ((value == value.floor()) & (value.abs() < MAX_EXACT_FLOAT)).all()


def _from_iso(text: pl.Expr) -> pl.Expr:
    """Text as a time in microseconds since 1970 (UTC); null where it is not an ISO 8601 time."""
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "$1 ").str.replace(r"\s*[Zz]$", "+0000")
    plain = plain.str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "$1$2")
    return pl.coalesce(
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", strict=False, time_unit="us", time_zone="UTC")
        .dt.replace_time_zone(None),
        plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"),
        plain.str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us"),
        text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
    )  # fmt: skip
