"""A folder beside an output that holds what a long job has done so far, for one process at a time."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sasrec_runtime.atomic import disk, kinds, locks, scratch
from sasrec_runtime.atomic.kinds import FolderKind, NotOursError
from sasrec_runtime.errors import OutputError

__all__ = ["check", "clear", "held", "is_used", "remove"]


def check(folder: Path, kind: FolderKind, *, job: str) -> None:
    """Refuse a side folder that holds something that is not ours, or that another process uses.

    Args:
        folder: The folder; it may be missing.
        kind: What it should be.
        job: What another process would be, such as "training".

    Raises:
        OutputError: It is refused.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        raise OutputError(
            f"{folder} is not a folder, and {kind.name} needs this name. Move it, or choose another --out."
        )
    try:
        foreign = kinds.strangers(folder, kind)
    except (NotOursError, OSError) as error:
        raise OutputError(
            f"{folder}: {error}, and {kind.name} needs this name. Move it elsewhere, or choose another --out."
        ) from error
    if foreign:
        raise OutputError(
            f"{folder} holds {kinds.in_words(foreign)}, which {kind.name} does not. "
            "Move that elsewhere, or choose another --out."
        )
    if os.path.lexists(folder / kind.marker):
        with _explained(folder, job):
            locks.take(folder / kind.marker).release()


@contextlib.contextmanager
def held(folder: Path, kind: FolderKind, out: Path, *, job: str) -> Iterator[None]:
    """Make and mark a side folder, and hold it for this process; at the end it goes if it holds nothing.

    Args:
        folder: The folder.
        kind: What it is; its marker is `scratch.MARKER`.
        out: The output that it belongs to.
        job: What this process does, such as "training".

    Raises:
        OutputError: See check.
    """
    check(folder, kind, job=job)
    made: list[Path] = []
    try:
        with _explained(folder, job):
            disk.make_folders(folder, made)
            lock = locks.take(folder / kind.marker, create=True)
    except BaseException:
        disk.remove_empty(made)
        raise
    try:
        with _explained(folder, job):
            if not (folder / kind.marker).stat().st_size:
                lock.write(scratch.description(out, kind.name))
        yield
    finally:
        with contextlib.suppress(OSError):
            if kinds.names_in(folder) == {kind.marker}:
                lock.release_before_removal()
                kinds.remove(folder, kind)
        lock.release()
        disk.remove_empty(made)


def is_used(folder: Path, kind: FolderKind) -> bool:
    """Return whether a side folder holds something beside its marker."""
    try:
        return bool(kinds.names_in(folder) - {kind.marker})
    except OSError:
        return False


def clear(folder: Path, kind: FolderKind) -> None:
    """Remove what lies beside the marker of a folder that this process holds, as far as it may be removed."""
    with contextlib.suppress(OSError, NotOursError):
        kinds.remove(folder, kind, keep_marker=True)


def remove(folder: Path, kind: FolderKind) -> None:
    """Remove a side folder if everything in it is ours and no process holds it; otherwise leave it as it is."""
    with contextlib.suppress(OSError, NotOursError, locks.TakenError):
        if kinds.is_ours(folder, kind):
            lock = locks.take(folder / kind.marker, create=True)
            try:
                lock.release_before_removal()
                kinds.remove(folder, kind)
            finally:
                lock.release()


@contextlib.contextmanager
def _explained(folder: Path, job: str) -> Iterator[None]:
    try:
        yield
    except locks.TakenError as error:
        raise OutputError(f"another {job} writes to {folder}. Wait for its end, or choose another --out.") from error
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror or error}). Choose a place that can be written with --out."
        ) from error
