"""Files that hold tables, as lazy polars frames: RecBole .inter and .item, CSV, TSV, Parquet, and `user item` text."""

from pathlib import Path

import polars as pl

from sasrec_train.errors import DataError

__all__ = ["PLAIN_COLUMNS", "is_plain_text", "scan"]

PLAIN_COLUMNS = ("user", "item")
FORMATS = ".inter, .item, .csv, .tsv, .parquet, or .txt with `user item` per line"
SEPARATORS = {".csv": ",", ".tsv": "\t", ".inter": "\t", ".item": "\t"}


def is_plain_text(path: Path) -> bool:
    """Return whether the file is `user item` text: no header, each user's lines in time order."""
    return path.suffix.lower() in {".txt", ".text"}


def scan(path: Path) -> pl.LazyFrame:
    """Return the file's table; text formats give text columns only, so that "007" stays what it is.

    Raises:
        DataError: The path is no file, the file is empty, or it is not in a known format.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist. Give ml-100k, synthetic, or the path of a log.")
    if not path.is_file():
        raise DataError(f"{path} is a folder, expected a file ({FORMATS}).")
    if not path.stat().st_size:
        raise DataError(f"{path} is empty, expected one interaction per row.")
    suffix = path.suffix.lower()
    try:
        if suffix in {".parquet", ".pq"}:
            frame = pl.scan_parquet(path)
        elif is_plain_text(path):
            frame = _scan_plain_text(path)
        elif suffix in SEPARATORS:
            quote = '"' if suffix in {".csv", ".tsv"} else None  # RecBole files quote nothing
            frame = pl.scan_csv(path, separator=SEPARATORS[suffix], infer_schema=False, quote_char=quote)
            if quote is None:  # user_id:token → user_id
                frame = frame.rename(lambda name: name.rpartition(":")[0] or name)
        else:
            raise DataError(f"{path} ends in {suffix!r}, expected {FORMATS}. Rename it to what it is.")
        frame.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise unreadable(path, error) from error
    return frame


def unreadable(path: Path, error: pl.exceptions.PolarsError) -> DataError:
    """Return the error that says polars could not read the file, with the first line of its reason."""
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return DataError(f"{path} cannot be read as {path.suffix.lower()}: {reason}. Check or convert the file.")


def _scan_plain_text(path: Path) -> pl.LazyFrame:
    """Split on any run of blanks: whole lines are read, as one column, by a separator that text does not hold."""
    lines = pl.scan_csv(
        path, has_header=False, separator="\x1f", infer_schema=False, quote_char=None, new_columns=["l"]
    )
    fields = pl.col("l").str.extract_groups(r"^\s*(?<user>\S+)\s+(?<item>\S+)\s*$").alias("fields")
    wrong = pl.col("l").is_not_null() & pl.col("user").is_null()  # blank lines are null, and skipped
    table = lines.select("l", fields).unnest("fields").with_row_index("line", offset=1)
    bad = table.filter(wrong).head(1).collect()
    if bad.height:
        raise DataError(
            f"{path}: line {bad['line'][0]} is {bad['l'][0][:80]!r}, expected `user item`. "
            "For more columns give the file a header and the ending .csv or .tsv."
        )
    return table.filter(pl.col("user").is_not_null()).select(*PLAIN_COLUMNS)
