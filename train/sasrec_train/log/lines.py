"""Logs without a header: `user item` text, one user per line, and MovieLens' `user::item::rating::time`."""

from pathlib import Path

import polars as pl

from sasrec_train.errors import DataError
from sasrec_train.log import tables
from sasrec_train.log.tables import ROW, Table

__all__ = ["scan_movies", "scan_ratings", "scan_words"]

LINE = pl.col("line")
SEPARATORS = (" ", "\t")
MAX_LINE_BYTES = 2**16  # Of a .dat: the pattern takes seconds on a line of megabytes.
MAX_MOVIES_BYTES = 2**28
OLD_LINE_BREAK = r"\r[^\r\n]"  # Of old Macintosh files; polars takes all of such a file for one line.
WITH_HEADER = "For more columns give the file a header and the ending .csv or .tsv"
RATING = r"^(?<user>.+?)::(?<item>.+?)::(?<rating>[^:]*)::(?<timestamp>[^:]*)$"
MOVIE = r"^(?<item>.+?)::(?<title>.*)::(?<genres>.*?)$"


def scan_ratings(path: Path) -> Table:
    """Return the log in a .dat file as columns user, item, rating and timestamp.

    Raises:
        DataError: A line has another form.
    """
    lines = tables.scan_lines(path)
    frame = lines.frame.with_columns(_short_enough().str.extract_groups(RATING).alias("fields")).unnest("fields")
    _refuse(lines, frame.filter(pl.col("user").is_null()), "`user::item::rating::time`", WITH_HEADER)
    return Table(lines.path, frame.drop("line"), lines.unit)


def _short_enough() -> pl.Expr:
    """The line, null where it is too long to be of the expected form."""
    return pl.when(LINE.str.len_bytes() <= MAX_LINE_BYTES).then(LINE)


def scan_words(path: Path) -> Table:
    """Return the log in a .txt file as columns user and item.

    A file whose lines all have two words is `user item` in time order. One with a longer line holds one user per line,
    followed by the items in time order.

    Raises:
        DataError: A line has another form, or a user has two lines in the second form.
    """
    lines = tables.scan_lines(path)
    count = LINE.str.count_matches(r"\S+")
    gapless = pl.len() == pl.col(ROW).max()  # no blank line but at the end
    separated = {f"by {name!r}": gapless & LINE.str.contains(rf"^\S+{name}\S+$").all() for name in SEPARATORS}
    old = LINE.str.contains(OLD_LINE_BREAK)
    found = tables.collect(lines, lines.frame.select(least=count.min(), most=count.max(), old=old.any(), **separated))
    least, most, is_old, *by = found.row(0)
    form = "`user item`, or `user item item …` with one line per user"
    if is_old:
        remedy = "It holds a carriage return. Convert the file to line feeds, or to carriage return and line feed"
        _refuse(lines, lines.frame.filter(old), form, remedy)
    if least == 1:
        _refuse(lines, lines.frame.filter(count == 1), form, WITH_HEADER)
    if most is None or most == 2:
        separator = next((name for name, is_so in zip(SEPARATORS, by, strict=True) if is_so), None)
        return Table(lines.path, _pairs(lines, separator), lines.unit)
    words = lines.frame.select(ROW, LINE.str.extract_all(r"\S+").alias("words"))
    frame = words.select(ROW, user=pl.col("words").list.first(), item=pl.col("words").list.slice(1))
    _refuse_repeated_users(lines, frame, count)
    return Table(lines.path, frame.explode("item"), lines.unit)


def _pairs(lines: Table, separator: str | None) -> pl.LazyFrame:
    """Return two columns; polars splits several times faster where one separator stands in every line."""
    if separator is None:
        fields = LINE.str.extract_groups(r"^\s*(?<user>\S+)\s+(?<item>\S+)\s*$")
        return lines.frame.select(ROW, fields.alias("fields")).unnest("fields")
    frame = tables.scan_csv(
        lines.path, has_header=False, separator=separator, quote_char=None, truncate_ragged_lines=True,
        schema={"user": pl.String, "item": pl.String}, row_index_name=ROW, row_index_offset=1,
    )  # fmt: skip
    return frame.filter(pl.col("user").str.contains(r"\S"))  # blank lines at the end


def _refuse_repeated_users(lines: Table, frame: pl.LazyFrame, count: pl.Expr) -> None:
    """Refuse a user with two lines: then the words behind the first are hardly all items."""
    users = frame.group_by("user").agg(first=pl.col(ROW).min(), rows=pl.len())
    repeated = tables.collect(lines, users.filter(pl.col("rows") > 1).sort("first").head(1))
    if not repeated.height:
        return
    user, first, _ = repeated.row(0)
    again = tables.collect(
        lines, frame.filter((pl.col("user") == user) & (pl.col(ROW) > first)).select(pl.col(ROW).min())
    )
    long = tables.collect(lines, lines.frame.filter(count > 2).select(ROW, count.alias("count")).head(1))
    raise DataError(
        f"{lines.path}: user {user[:80]!r} stands on line {first} and again on line {again.item()}, expected one line "
        f"per user, `user item item …`, as line {long.item(0, 0)} has {long.item(0, 1)} fields. If the columns are a "
        "rating or a time, give the file a header and the ending .csv or .tsv."
    )


def _refuse(lines: Table, wrong: pl.LazyFrame, form: str, remedy: str) -> None:
    """Raise with the first of the wrong lines, where there is one."""
    bad = tables.collect(lines, wrong.select(ROW, "line").head(1))
    if bad.height:
        row, line = bad.row(0)
        raise DataError(f"{lines.path}: line {row} is {line[:80]!r}, expected {form}. {remedy}.")


def scan_movies(path: Path) -> Table:
    """Return MovieLens' movies.dat, `item::title::genres`, as columns item, title and genres.

    The file is UTF-8 or, as in MovieLens-1M, Latin-1; it is small and read whole.

    Raises:
        DataError: A line has another form.
    """
    size = path.stat().st_size
    if size > MAX_MOVIES_BYTES:
        raise DataError(f"{path} is {size:,} bytes, expected at most {MAX_MOVIES_BYTES:,}. Give another --titles.")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    frame = pl.LazyFrame({"line": text.split("\n")}).with_row_index(ROW, offset=1)
    lines = Table(path, frame.with_columns(LINE.str.strip_chars()).filter(LINE != ""), "line")
    fields = lines.frame.with_columns(_short_enough().str.extract_groups(MOVIE).alias("fields")).unnest("fields")
    _refuse(lines, fields.filter(pl.col("item").is_null()), "`item::title::genres`", "Give another --titles")
    return Table(path, fields.drop("line"), "line", sorted_titles=True)
