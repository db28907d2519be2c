"""Where the outputs of a scoring job go, and which files there may be replaced."""

import filecmp
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sasrec_runtime.atomic import overlap
from sasrec_runtime.batch.rows import BadRow
from sasrec_runtime.errors import OutputError, RequestError

__all__ = ["bad_rows_path", "check_in_the_way", "check_places", "check_same", "parts_path"]

LINE_LIMIT_BYTES: Final = 128 << 20
"""A bad row is shorter: the longest field that is read is 16 MiB."""


class _WrittenBadRow(BadRow, frozen=True, forbid_unknown_fields=True):
    """A line of OUT.bad.jsonl and nothing else."""


def bad_rows_path(out: Path) -> Path:
    """Return where the bad rows of an output go: JSON lines with row, user and reason."""
    return out.with_name(out.name + ".bad.jsonl")


def parts_path(out: Path) -> Path:
    """Return the folder of the parts of an output."""
    return out.with_name(out.name + ".parts")


def check_places(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output whose files would be, hold, or lie in an input; before any work.

    Raises:
        OutputError: One does, or is a folder.
    """
    inputs = tuple(inputs)
    for place in (out, bad_rows_path(out), parts_path(out)):
        overlap.refuse(place, inputs)
    for place in (out, bad_rows_path(out)):
        if place.is_dir():
            raise OutputError(f"{place} is a folder, expected a file to write. Choose another --out.")


def check_in_the_way(out: Path, bad: Path, *, force: bool) -> None:
    """Refuse to replace what is there: the output without --force, bad rows also where they are not ours."""
    for place in (out, bad):
        if os.path.lexists(place) and not force:
            raise RequestError(f"{place} exists. Replace it with --force, or choose another --out.")
    if os.path.lexists(bad) and not _is_bad_rows(bad):
        raise OutputError(
            f"{bad} holds something else than the bad rows of a job, so --force does not replace it. "
            "Move it elsewhere, or choose another --out."
        )


def _is_bad_rows(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    decoder = msgspec.json.Decoder(_WrittenBadRow)
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_LIMIT_BYTES):
                decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return True


def check_same(written: Path, place: Path) -> None:
    """Refuse to replace a file, unless it is the same as what was written: then a kill came after it had its place."""
    if os.path.lexists(place) and not (place.is_file() and filecmp.cmp(written, place, shallow=False)):
        raise RequestError(f"{place} has come meanwhile. Replace it with --resume --force, or move it elsewhere.")
