"""Names of items, for people: from RecBole's .item, MovieLens' movies.dat, or any table with item and title columns."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import column_names, encode, formats, tables

__all__ = ["read"]

# MovieLens sorts by the noun: "Usual Suspects, The" or "Horseman on the Roof, The (Hussard sur le toit, Le)".
TRAILING_ARTICLE = r"^(.+), (The|A|An|Il|La|Le|Les|El|Los|Las|Das|Der|Die|Un|Une)( \(.*\))?$"
YEAR = r"^\d{4}$"
YEAR_COLUMN = "release_year"


def read(path: Path, item_keys: list[str], *, item_column: str | None = None) -> list[str]:
    """Return the title of each item, "" where the file has none.

    Args:
        path: A file of one of formats.FORMATS, read once. A `release_year` column is put after the title.
        item_keys: The catalogue; the result is aligned with it.
        item_column: The column of item keys; guessed by default.

    Raises:
        DataError: The file or one of the columns is missing.
    """
    table = formats.scan_titles(path)
    seen = table.columns
    asked = item_column if item_column in seen else None
    item = column_names.find(table, option="--item-column", asked=asked, usual=column_names.ITEM_NAMES)
    title = column_names.guess(seen, column_names.TITLE_NAMES)
    if title is None:
        raise DataError(f"{path} has the columns {', '.join(map(repr, seen))}, expected one called title or name.")
    year = YEAR_COLUMN if YEAR_COLUMN in seen else None
    if repeated := table.repeated & {title, YEAR_COLUMN}:
        raise DataError(f"{path} has two or more columns called {min(repeated)!r}, expected one. Rename the others.")
    read = list(dict.fromkeys([tables.ROW, item, title, *([year] if year else [])]))
    rows = tables.collect(table, table.frame.select(read))
    text = rows[title].cast(pl.String).fill_null("").str.replace_all(r"\s+", " ").str.strip_chars()
    if year or table.sorted_titles:
        text = text.str.replace(TRAILING_ARTICLE, "$2 $1$3")
    if year:
        text = _with_year(text, rows[year].cast(pl.String))
    items = encode.encode_keys(replace(table, frame=rows.lazy()), item)
    known = pl.DataFrame({"key": items.keys.gather(items.codes), "title": text})
    known = known.unique("key", keep="first", maintain_order=True)
    wanted = pl.DataFrame({"key": item_keys}, schema={"key": pl.String})
    return wanted.join(known, on="key", how="left", maintain_order="left")["title"].fill_null("").to_list()


def _with_year(titles: pl.Series, years: pl.Series) -> pl.Series:
    """The Usual Suspects, with the year 1995 → The Usual Suspects (1995)."""
    frame = pl.DataFrame({"title": titles, "year": years})
    has_year = pl.col("year").str.contains(YEAR).fill_null(value=False)
    return frame.select(
        pl.when(has_year).then(pl.format("{} ({})", "title", "year")).otherwise("title").alias("title")
    ).to_series()
