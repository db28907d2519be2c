"""Kinds of folders: how one is recognised, and which files in it belong to it."""

import contextlib
import errno
import itertools
import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = [
    "MARKER_LIMIT_BYTES",
    "FolderKind",
    "NotOursError",
    "in_words",
    "is_ours",
    "names_in",
    "plain_bytes",
    "remove",
    "remove_all",
    "strangers",
]

MARKER_LIMIT_BYTES: Final = 256 << 20
"""A marker has some kilobytes, a report of many variants some megabytes: a far larger file is not ours."""

SHOWN: Final = 3
"""Strangers that a message names."""


class NotOursError(ValueError):
    """A folder has no marker, or one that we did not write."""


@dataclass(frozen=True, slots=True)
class FolderKind:
    """Folders of one kind: how one is recognised, and what it holds."""

    name: str
    """What it is called in messages, with its article, such as "a bundle"."""
    marker: str
    """The file that every such folder holds."""
    paths: Callable[[bytes], Collection[str]]
    """Decode the marker, strictly, and return the relative POSIX paths of the other files; a ValueError says that the
    marker is not ours."""
    unmarked: "re.Pattern[str] | None" = None
    """Paths of files that are ours in a folder that is not finished, or that needs no marker."""
    needs_marker: bool = True
    """Whether a folder needs the marker to be ours. If not, what matches `unmarked` is always ours."""


def strangers(folder: Path, kind: FolderKind, *, unfinished: bool = False) -> list[str]:
    """Return the first paths in a folder that are not of its kind: none if all of it may be removed.

    A link, a device and the like is never ours, whatever its name; neither is a folder that holds nothing of ours.

    Args:
        folder: The folder, not a link.
        kind: What it should be.
        unfinished: Whether it is one whose writing broke off, so that the marker may be missing.

    Raises:
        NotOursError: It has files, but no marker of ours.
        OSError: A folder in it cannot be read.
    """
    if not names_in(folder):
        return []
    ours = _Ours(folder, kind, unfinished=unfinished)
    found = (
        path + "/" * stat.S_ISDIR(mode) for path, mode, is_empty in _walk(folder) if not ours.has(path, mode, is_empty)
    )
    return list(itertools.islice(found, SHOWN + 1))


def is_ours(folder: Path, kind: FolderKind, *, unfinished: bool = False) -> bool:
    """Return whether a path is a folder, not a link, that holds nothing but what its kind does."""
    try:
        return stat.S_ISDIR(folder.lstat().st_mode) and not strangers(folder, kind, unfinished=unfinished)
    except (NotOursError, OSError):
        return False


class _Ours:
    """What is ours in one folder: its marker, what that names, and what an unfinished one may hold."""

    def __init__(self, folder: Path, kind: FolderKind, *, unfinished: bool) -> None:
        self._names = frozenset(_named(folder, kind, unfinished=unfinished))
        self._folders = {str(parent) for path in self._names for parent in PurePosixPath(path).parents}
        self._unfinished = unfinished
        self._pattern = kind.unmarked if unfinished or not kind.needs_marker else None

    def has(self, path: str, mode: int, is_empty: bool) -> bool:
        if stat.S_ISDIR(mode):
            return not is_empty or self._unfinished or path in self._folders
        return stat.S_ISREG(mode) and self.names(path)

    def names(self, path: str) -> bool:
        return path in self._names or (self._pattern is not None and self._pattern.fullmatch(path) is not None)


def _named(folder: Path, kind: FolderKind, *, unfinished: bool) -> Collection[str]:
    """Return the marker and what it names."""
    marker = folder / kind.marker
    try:
        status = marker.lstat()
    except FileNotFoundError:
        if unfinished or not kind.needs_marker:
            return ()
        raise NotOursError(f"it holds no {kind.marker}") from None
    if not stat.S_ISREG(status.st_mode) or status.st_size > MARKER_LIMIT_BYTES:
        raise NotOursError(f"its {kind.marker} is not that of {kind.name}")
    try:
        return [kind.marker, *kind.paths(plain_bytes(marker))]
    except (ValueError, RecursionError) as error:
        raise NotOursError(f"its {kind.marker} is not that of {kind.name}") from error


def plain_bytes(path: Path) -> bytes:
    """Return the content of a plain file, whoever put it there: reading a pipe would never end.

    Raises:
        OSError: It is not a plain file, or cannot be read.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))
    return path.read_bytes()


def names_in(folder: Path) -> set[str]:
    """Return the names in a folder."""
    return {path.name for path in folder.iterdir()}


def _walk(folder: Path, inside: str = "") -> Iterator[tuple[str, int, bool]]:
    """Yield relative POSIX path, mode and, for a folder, whether it is empty; the content of a folder before it."""
    with os.scandir(folder) as opened:
        entries = sorted(opened, key=lambda entry: entry.name)
    for entry in entries:
        mode = entry.stat(follow_symlinks=False).st_mode
        path = inside + entry.name
        is_empty = True
        if stat.S_ISDIR(mode):
            for below in _walk(Path(entry.path), f"{path}/"):
                is_empty = False
                yield below
        yield path, mode, is_empty


def in_words(paths: list[str]) -> str:
    """Return the first few of some paths as a part of a sentence."""
    shown = [repr(path)[:80] for path in paths[:SHOWN]]
    if len(paths) > SHOWN:
        return f"{', '.join(shown)} and more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def remove(folder: Path, kind: FolderKind, *, unfinished: bool = False, keep_marker: bool = False) -> bool:
    """Remove a folder of a kind, and nothing in it that is not of this kind; return whether the folder is gone.

    The marker goes last, so that what is left after a kill is still recognised.

    Args:
        folder: The folder; `strangers` has found none in it.
        kind: What it is.
        unfinished: Whether it is one whose writing broke off, so that the marker may be missing.
        keep_marker: Remove only what lies beside the marker.

    Raises:
        NotOursError: It has files, but no marker of ours.
        OSError: Something in it may not be removed.
    """
    if names_in(folder):
        ours = _Ours(folder, kind, unfinished=unfinished)
        for path, mode, _ in _walk(folder):
            if stat.S_ISDIR(mode):
                _remove_if_empty(folder / path)
            elif stat.S_ISREG(mode) and path != kind.marker and ours.names(path):
                (folder / path).unlink()
    if not keep_marker and names_in(folder) <= {kind.marker}:
        (folder / kind.marker).unlink(missing_ok=True)
        _remove_if_empty(folder)
    return not os.path.lexists(folder)


def remove_all(folder: Path) -> None:
    """Remove a folder and all that is in it; links are removed, not followed."""
    for path, mode, _ in _walk(folder):
        if stat.S_ISDIR(mode):
            (folder / path).rmdir()
        else:
            (folder / path).unlink()
    folder.rmdir()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # what came meanwhile stays
        folder.rmdir()
