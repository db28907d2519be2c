"""Read the log that `--data` names, as Interactions."""

import difflib
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from sasrec_train.errors import DataError
from sasrec_train.log import (
    column_names,
    encode,
    formats,
    k_core,
    movielens,
    ordering,
    rating_filter,
    synthetic,
    titles,
)
from sasrec_train.log.encode import Encoded
from sasrec_train.log.filters import Filters
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.log.tables import Table

__all__ = ["load"]

logger = logging.getLogger(__name__)
NAMED = ("ml-100k", "synthetic")


def load(
    data: str,
    *,
    user_column: str | None = None,
    item_column: str | None = None,
    time_column: str | None = None,
    titles: str | Path | None = None,
    filters: Filters | None = None,
) -> Interactions:
    """Return the log that `data` names.

    Item ids are 1…n_items in the order of the keys, shorter keys first ("9" before "10"), and so do not depend on the
    order of rows; users are ordered the same way. Rows are sorted by time within a user, equal times in file order;
    without a time column file order is time order. Rows that are equal in user, item and time count once.

    A file may be larger than memory: about 16 bytes per interaction and the keys are held, never the text.

    Args:
        data: `ml-100k`, `synthetic`, `synthetic:items=…,users=…,seed=…,mean_length=…`, or the path of a file of one of
            log.formats.FORMATS. A file called like the first two is reached as ./ml-100k.
        user_column: Column of user keys; by default the one with a usual name. The same for the other two.
        item_column: Column of item keys.
        time_column: Column of times: numbers, dates, or either as text.
        titles: A file with item and title columns. Without it the .item file beside a .inter file is read,
            or the movies.dat beside a ratings.dat.
        filters: What to filter: low ratings, then duplicate rows, then what is outside the k-core.

    Raises:
        DataError: The log cannot be read; the message says where and why.
    """
    try:
        return _load(data, user_column, item_column, time_column, titles, filters or Filters())
    except MemoryError as error:
        raise DataError(
            f"{data} does not fit in this machine's memory. Give a smaller log, or use a larger one."
        ) from error


def _load(
    data: str,
    user_column: str | None,
    item_column: str | None,
    time_column: str | None,
    titles: str | Path | None,
    filters: Filters,
) -> Interactions:
    if data == "synthetic" or data.startswith("synthetic:"):
        _refuse_column_options(data, user_column, item_column, time_column, filters.rating_column)
        if filters.min_rating is not None:
            raise DataError(f"{data} has no ratings. Omit --min-rating.")
        interactions, beside = synthetic.generate(synthetic.parse(data.partition(":")[2])), None
    else:
        path = movielens.fetch() if data == "ml-100k" else Path(data)
        if not os.path.exists(path) and (  # noqa: PTH110 - Path.exists raises where it may not look
            close := difflib.get_close_matches(data.partition(":")[0], NAMED, 1)
        ):
            raise DataError(f"--data {data}: no such file. Did you mean {close[0]!r}?")
        interactions = _to_interactions(data, _read(path, user_column, item_column, time_column, filters))
        beside = formats.titles_beside(path)
    interactions = k_core.keep_core(replace(interactions, filters=filters), filters)
    named = beside if titles is None else Path(titles)
    return interactions if named is None else _with_titles(interactions, named, item_column)


def _refuse_column_options(name: str, *asked: str | None) -> None:
    if any(name is not None for name in asked):
        raise DataError(
            f"{name} has no named columns. Omit --user-column, --item-column, --time-column and --rating-column."
        )


def _with_titles(interactions: Interactions, path: Path, item_column: str | None) -> Interactions:
    return replace(interactions, titles=titles.read(path, interactions.item_keys, item_column=item_column))


def _read(path: Path, user: str | None, item: str | None, time: str | None, filters: Filters) -> Encoded:
    """Return the file's rows without those rated too low."""
    table = formats.scan(path)
    named = formats.find(path).has_named_columns
    if not named:
        _refuse_column_options(str(path), user, item, time, filters.rating_column)
    user, item, time = _choose(table, user, item, time, named=named)
    return encode.encode(rating_filter.drop_low(table, filters), user=user, item=item, time=time)


def _choose(
    table: Table, user: str | None, item: str | None, time: str | None, *, named: bool
) -> tuple[str, str, str | None]:
    """Return which columns are user, item and, where there is one, time.

    Args:
        table: The file's table.
        user: Column of user keys that was asked for; None to guess. The same for the next two.
        item: Column of item keys.
        time: Column of times.
        named: Whether the file names its columns.
    """
    seen = table.columns
    user = column_names.find(table, option="--user-column", asked=user, usual=column_names.USER_NAMES)
    item = column_names.find(table, option="--item-column", asked=item, usual=column_names.ITEM_NAMES)
    if time is not None or column_names.guess(seen, column_names.TIME_NAMES):
        time = column_names.find(table, option="--time-column", asked=time, usual=column_names.TIME_NAMES)
    elif named:
        logger.warning("%s has no time column known by its name: rows are taken to be in time order.", table.path)
    if user == item or time in {user, item}:
        meant = f"user: {user!r}, item: {item!r}" + (f", time: {time!r}" if time is not None else "")
        raise DataError(f"{table.path}: one column is chosen for two things ({meant}). Say which with --user-column, "
                        "--item-column and --time-column.")  # fmt: skip
    return user, item, time


def _to_interactions(name: str, rows: Encoded) -> Interactions:
    """Sort the rows by user and time, drop duplicates, group by user."""
    order = ordering.by_user_and_time(rows.users.codes, rows.times)
    users, items = rows.users.codes[order], rows.items.codes[order]
    times = None if rows.times is None else rows.times[order]
    del order
    if times is not None:
        again = ordering.repeats(users, items, times)
        if again.any():
            logger.warning(
                "%s: %d rows repeat the user, item and time of an earlier row; they were dropped.",
                name,
                np.count_nonzero(again),
            )
            users, items, times = users[~again], items[~again], times[~again]
    return Interactions(
        name=name,
        user_keys=rows.users.keys.to_list(),
        item_keys=rows.items.keys.to_list(),
        titles=None,
        histories=Histories.from_lengths(np.bincount(users), items + 1),
        times=times,
    )
