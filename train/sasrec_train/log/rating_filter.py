"""The filter of rows rated too low to count as interactions."""

import logging
from dataclasses import replace

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import checks, column_names
from sasrec_train.log.checks import Check
from sasrec_train.log.filters import Filters
from sasrec_train.log.tables import Table

__all__ = ["drop_low"]

logger = logging.getLogger(__name__)


def drop_low(table: Table, filters: Filters) -> Table:
    """Return the table without the rows rated below min_rating; rows keep their numbers.

    Raises:
        DataError: There is no rating column, a rating is not a number, or no row remains.
    """
    if filters.min_rating is None:
        return table
    name = column_names.find(
        table, option="--rating-column", asked=filters.rating_column, usual=column_names.RATING_NAMES
    )
    dtype = table.frame.collect_schema()[name]
    if not (dtype.is_numeric() or dtype == pl.String):
        raise DataError(f"{table.path}: column {name!r} is of type {dtype}, expected ratings as numbers.")
    column = pl.col(name)
    rating = (column.str.strip_chars() if dtype == pl.String else column).cast(pl.Float64, strict=False)
    low = rating < filters.min_rating
    found = checks.profile(
        table, [Check(name, ~rating.is_finite(), "a rating, a number")],
        {"rows": pl.len(), "low": low.sum(), "highest": rating.max()},
    )  # fmt: skip
    if found["low"] == found["rows"]:
        raise DataError(
            f"{table.path}: --min-rating {filters.min_rating:g} leaves no row: the highest {name!r} is "
            f"{found['highest']:g}. Lower it, or say which column with --rating-column."
        )
    logger.warning(
        "--min-rating %g: %d of %d rows of %s are rated lower and were filtered.",
        filters.min_rating,
        found["low"],
        found["rows"],
        table.path,
    )
    return replace(table, frame=table.frame.filter(~low))
