"""Which format a file has, by its suffix, and pyarrow where it is needed."""

from pathlib import Path
from types import ModuleType
from typing import Final, Literal

from sasrec_runtime.errors import MissingRuntimeError, RequestError

__all__ = ["Format", "format_of", "parquet"]

Format = Literal["csv", "jsonl", "parquet"]

SUFFIXES: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(path: Path) -> Format:
    """Return the format of a file that has, or is to have, this name.

    Raises:
        RequestError: The suffix is none of those known.
    """
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise RequestError(
            f"{path} has suffix {path.suffix!r}, expected one of {', '.join(SUFFIXES)}. Rename it after its format."
        )
    return found


def parquet(path: Path) -> ModuleType:
    """Return pyarrow.parquet.

    Raises:
        MissingRuntimeError: It is not installed.
    """
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingRuntimeError(
            f"{path} is Parquet, which needs pyarrow, and that cannot be imported ({error}). "
            "Run: pip install 'sasrec-edge[batch]', or use .csv or .jsonl."
        ) from error
    module: ModuleType = pyarrow.parquet
    return module
