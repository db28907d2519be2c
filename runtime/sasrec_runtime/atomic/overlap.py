"""No output is, holds, or lies in what the same command reads."""

import os
from collections.abc import Iterable
from pathlib import Path

from sasrec_runtime.errors import OutputError

__all__ = ["refuse", "resolved"]


def resolved(path: Path) -> Path:
    """Return an absolute path without links, which stays right when the working directory is replaced.

    Raises:
        OutputError: Its links lead in a circle, or the working directory is gone.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: how Python before 3.13 names a circle
        raise OutputError(f"{path} cannot be followed to a folder ({error}). Choose another --out.") from error


def refuse(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is, holds, or lies in an input.

    Paths are compared by what they resolve to, and by the files they lead to: mounts and file systems that take upper
    and lower case as one give a folder several names.

    Raises:
        OutputError: It does; the message names both.
    """
    place = resolved(out)
    for given in inputs:
        if not os.path.lexists(given):  # who reads it will say so
            continue
        # A link in the output may lead to an input elsewhere, or the reverse: both the link and its goal are inputs.
        for source in {resolved(given), resolved(given.parent) / given.name}:
            relation = _relation(place, source)
            if relation == "is" and str(out) == str(given):
                raise OutputError(f"{out} is read and to be written. Choose another --out.")
            if relation:
                raise OutputError(f"{out} {relation} {given}, which is read. Choose another --out.")


def _relation(place: Path, source: Path) -> str | None:
    if place == source or _is_same(place, source):
        return "is"
    if any(parent == source or _is_same(parent, source) for parent in place.parents):
        return "lies in"
    if any(parent == place or _is_same(parent, place) for parent in source.parents):
        return "holds"
    return None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one is missing
        return False
