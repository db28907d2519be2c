"""Everything `--data` can name, as Interactions."""

import difflib
import logging
from dataclasses import replace
from pathlib import Path

import polars as pl

from sasrec_train import cleaning, columns, movielens, readers, synthetic, titles
from sasrec_train.errors import DataError
from sasrec_train.interactions import Histories, Interactions

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
) -> Interactions:
    """Return the log that `data` names.

    Item ids are 1…n_items in the order of the keys, shorter keys first ("9" before "10"), and so do not depend on the
    order of rows; users are ordered the same way. Rows are sorted by time within a user, equal times in file order;
    without a time column file order is time order. Rows that are equal in user, item and time count once.

    Args:
        data: `ml-100k`, `synthetic`, `synthetic:items=…,users=…,seed=…,mean_length=…`, or the path of a .inter, .csv,
            .tsv, .parquet or .txt file. A file called like the first two is reached as ./ml-100k.
        user_column: Column of user keys; by default the one with a usual name. The same for the other two.
        item_column: Column of item keys.
        time_column: Column of times: numbers, dates, or either as text.
        titles: A file with item and title columns. A .inter file finds the .item file beside it by itself.

    Raises:
        DataError: The log cannot be read; the message says where and why.
    """
    if data == "synthetic" or data.startswith("synthetic:"):
        _refuse_column_options(data, user_column, item_column, time_column)
        interactions = synthetic.generate(synthetic.parse(data.partition(":")[2]))
        return interactions if titles is None else _with_titles(interactions, Path(titles), item_column)
    path = movielens.fetch() if data == "ml-100k" else Path(data)
    if not path.exists() and (close := difflib.get_close_matches(data.partition(":")[0], NAMED, 1)):
        raise DataError(f"--data {data}: no such file. Did you mean {close[0]!r}?")
    table = _read(path, user_column, item_column, time_column)
    interactions = _to_interactions(data, table)
    beside = path.with_suffix(".item")
    if titles is not None:
        return _with_titles(interactions, Path(titles), item_column)
    if path.suffix == ".inter" and beside.is_file():
        return _with_titles(interactions, beside, item_column)
    return interactions


def _refuse_column_options(place: str, *asked: str | None) -> None:
    if any(name is not None for name in asked):
        raise DataError(f"{place} has no named columns. Leave out --user-column, --item-column and --time-column.")


def _with_titles(interactions: Interactions, path: Path, item_column: str | None) -> Interactions:
    return replace(interactions, titles=titles.read(path, interactions.item_keys, item_column=item_column))


def _read(path: Path, user: str | None, item: str | None, time: str | None) -> pl.DataFrame:
    """Return the file's rows in time order as columns user, item (text) and, where there are times, time."""
    frame = readers.scan(path)
    place = str(path)
    if readers.is_plain_text(path):
        _refuse_column_options(place, user, item, time)
    seen = frame.collect_schema().names()
    chosen = {
        "user": columns.find(place, seen, option="--user-column", asked=user, usual=columns.USER_NAMES),
        "item": columns.find(place, seen, option="--item-column", asked=item, usual=columns.ITEM_NAMES),
    }
    if time is not None or columns.guess(seen, columns.TIME_NAMES):
        chosen["time"] = columns.find(place, seen, option="--time-column", asked=time, usual=columns.TIME_NAMES)
    elif not readers.is_plain_text(path):
        logger.warning("%s has no time column known by its name: rows are taken to be in time order.", path)
    if len(set(chosen.values())) < len(chosen):
        meant = ", ".join(f"{name}: {column!r}" for name, column in chosen.items())
        raise DataError(f"{place}: one column is meant to be two things ({meant}). Say which with --user-column, "
                        "--item-column and --time-column.")  # fmt: skip
    try:
        raw = frame.select(chosen.values()).collect()
    except pl.exceptions.PolarsError as error:
        raise readers.unreadable(path, error) from error
    if not raw.height:
        raise DataError(f"{place} has no rows, expected one interaction per row.")
    table = pl.DataFrame({name: cleaning.to_keys(place, raw[chosen[name]]) for name in ("user", "item")})
    if "time" in chosen:
        table = _in_time_order(table.with_columns(time=cleaning.to_times(place, raw[chosen["time"]])), place)
    return table


def _in_time_order(table: pl.DataFrame, place: str) -> pl.DataFrame:
    once = table.unique(["user", "item", "time"], keep="first", maintain_order=True)
    if once.height < table.height:
        logger.warning(
            "%s: %d rows repeat the user, item and time of an earlier row; they were dropped.",
            place,
            table.height - once.height,
        )
    return once.sort("time", maintain_order=True)


def _to_interactions(name: str, table: pl.DataFrame) -> Interactions:
    user_keys, users = _numbered(table["user"])
    item_keys, items = _numbered(table["item"])
    rows = pl.DataFrame({"user": users, "item": items}).sort("user", maintain_order=True)
    lengths = rows.group_by("user", maintain_order=True).len()["len"].to_numpy().astype("int64")
    item_ids = rows["item"].to_numpy().astype("int32") + 1
    return Interactions(
        name=name,
        user_keys=user_keys.to_list(),
        item_keys=item_keys.to_list(),
        titles=None,
        histories=Histories.from_lengths(lengths, item_ids),
    )


def _numbered(keys: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the different keys, shorter first, and each row's place among them."""
    different = pl.DataFrame({"key": keys.unique()}).sort(pl.col("key").str.len_bytes(), "key")["key"]
    return different, keys.cast(pl.Enum(different)).to_physical()
