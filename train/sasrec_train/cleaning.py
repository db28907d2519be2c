"""Raw columns to keys and times: what is no id or no time is refused with its row and value."""

import polars as pl

from sasrec_train.errors import DataError

__all__ = ["to_keys", "to_times"]

WHOLE_FLOAT = r"^-?\d+\.0*$"
NUMBER = r"^-?\d+(\.\d*)?$"
LINE_BREAKS = r"[\n\r\x0b\x0c\x1c\x1d\x1e\x{85}\x{2028}\x{2029}]"
MAX_EXACT_FLOAT = 2**53  # Whole numbers above it are not told apart by a float column.


def to_keys(place: str, column: pl.Series) -> pl.Series:
    """Return a column of ids as text; text stays as it is, whole numbers lose a ".0".

    Raises:
        DataError: A value is missing, blank, has a fraction or a line break, or the type is neither text nor number.
    """
    if column.dtype.is_float():
        exact = (column == column.floor()) & column.is_finite() & (column.abs() < MAX_EXACT_FLOAT)
        _refuse(place, column, ~exact, "whole numbers or text")
        keys = column.cast(pl.Int64).cast(pl.String)
    elif column.dtype.is_integer() or isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum)):
        keys = column.cast(pl.String)
    else:
        raise DataError(f"{place}: column {column.name!r} is of type {column.dtype}, expected text or whole numbers.")
    _refuse(place, column, keys.is_null() | (keys.str.strip_chars() == ""), "an id in every row")
    _refuse(place, keys, keys.str.contains(LINE_BREAKS), "ids without line breaks")
    if column.dtype.is_integer() or column.dtype.is_float() or not keys.str.contains(NUMBER).all():
        return keys
    with_point = keys.str.contains(".", literal=True)
    _refuse(place, keys, with_point & ~keys.str.contains(WHOLE_FLOAT), "whole numbers or text")
    return keys.str.replace(r"\.0*$", "")


def to_times(place: str, column: pl.Series) -> pl.Series:
    """Return a column of times as numbers that sort in time order: numbers, dates, or either written as text.

    Raises:
        DataError: A value is missing, not a number, or text that is neither a number nor an ISO 8601 time.
    """
    if column.dtype.is_temporal() and column.dtype not in {pl.Time, pl.Duration}:
        times = column.cast(pl.Datetime("us")).to_physical()
    elif column.dtype.is_integer():
        times = column
    elif column.dtype.is_float():
        _refuse(place, column, ~column.is_finite(), "a time in every row")
        times = column
    elif column.dtype == pl.String:
        times = _from_text(place, column)
    else:
        raise DataError(f"{place}: column {column.name!r} is of type {column.dtype}, expected numbers or times.")
    _refuse(place, column, times.is_null(), "a time in every row")
    return times


def _from_text(place: str, column: pl.Series) -> pl.Series:
    text = column.str.strip_chars()
    whole = text.cast(pl.Int64, strict=False)
    if not whole.has_nulls():
        return whole
    number = text.cast(pl.Float64, strict=False)
    dates = _from_iso(text)
    if dates.null_count() < number.null_count():
        times, rule = dates.to_physical(), "an ISO 8601 time like the others"
    else:
        times, rule = number, "a number or an ISO 8601 time"
    _refuse(place, column, times.is_null() | ~times.cast(pl.Float64).is_finite(), rule)
    return times


def _from_iso(text: pl.Series) -> pl.Series:
    """Text as microseconds since 1970 (UTC); null where it is no ISO 8601 time."""
    plain = text.str.replace(r"^(\d{4}-\d{2}-\d{2})[Tt]", "$1 ").str.replace(r"\s*[Zz]$", "+0000")
    plain = plain.str.replace(r"\s*([+-]\d{2}):?(\d{2})$", "$1$2")
    frame = pl.select(
        pl.coalesce(
            pl.lit(plain).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%z", strict=False, time_unit="us", time_zone="UTC")
            .dt.replace_time_zone(None),
            pl.lit(plain).str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"),
            pl.lit(plain).str.to_datetime("%Y-%m-%d %H:%M", strict=False, time_unit="us"),
            pl.lit(text).str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        )
    )  # fmt: skip
    return frame.to_series()


def _refuse(place: str, column: pl.Series, wrong: pl.Series, rule: str) -> None:
    """Raise with the first row that is wrong, a null counting as wrong."""
    rows = wrong.fill_null(value=True).arg_true()
    if rows.len():
        row = int(rows[0])
        value = column[row]
        seen = "missing" if value is None else repr(value)[:80]
        more = f" ({rows.len()} such rows)" if rows.len() > 1 else ""
        raise DataError(f"{place}: column {column.name!r}, row {row + 1} is {seen}, expected {rule}{more}.")
