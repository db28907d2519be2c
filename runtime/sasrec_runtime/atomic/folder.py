"""Write a folder atomically; it replaces nothing but a folder of the same kind."""

import contextlib
import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from sasrec_runtime.atomic import disk, kinds, overlap, scratch
from sasrec_runtime.atomic.kinds import FolderKind, NotOursError
from sasrec_runtime.errors import OutputError

__all__ = ["check", "repair", "staged"]

WAITS: Final = 40
WAIT_S: Final = 0.025
"""Seconds between two looks, a second in all: what is awaited is a single rename."""
FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
"""Errors of a disk that accepts no more data."""


def check(out: Path, kind: FolderKind, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that is in the way, before any work; what killed commands left of it is settled first.

    Args:
        out: The folder to be written.
        kind: What it will be. A folder is replaced only if everything in it is of this kind, or if it is empty.
        force: Whether an old one may be replaced.
        inputs: Files and folders that are read.

    Raises:
        OutputError: `out` exists and must stay, or overlaps with an input.
    """
    overlap.refuse(out, inputs)
    target = overlap.resolved(out)
    scratch.tidy(target, kind)
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise OutputError(f"{out} is a file, expected a folder to write. Choose another --out.")
    if not force:
        raise OutputError(f"{out} exists already. Choose another --out, or give --force to replace it.")
    try:
        foreign = kinds.strangers(target, kind)
    except NotOursError as error:
        raise OutputError(
            f"{out}: {error}, so --force does not replace it: it may be something else. Choose another --out."
        ) from error
    except OSError as error:
        raise _refused(out, error) from error
    if foreign:
        raise OutputError(
            f"{out} holds {kinds.in_words(foreign)}, which {kind.name} does not, so --force does not replace it. "
            "Move that elsewhere, or choose another --out."
        )


@contextlib.contextmanager
def staged(out: Path, kind: FolderKind, *, force: bool, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Give an empty folder beside `out`; put it in `out`'s place when the block ends well, else remove it.

    The new content is flushed before it gets the name, and where the system can exchange two folders, the replacement
    is one atomic step. Whatever ends the block, `out` is the old folder or the new one, whole.

    Args:
        out: The folder to be written.
        kind: What it will be.
        force: Whether an old one may be replaced.
        inputs: Files and folders that are read.

    Raises:
        OutputError: See check, which runs again at the end, as another command may have come first; or the disk
            refuses.
    """
    inputs = tuple(inputs)
    check(out, kind, force=force, inputs=inputs)
    target = overlap.resolved(out)
    made: list[Path] = []
    try:
        with contextlib.ExitStack() as stack:
            with _explained(out):
                disk.make_folders(target.parent, made)
                work = stack.enter_context(scratch.opened(target, kind))
            with _full_disk_explained(out):
                yield work.new
            check(target, kind, force=force, inputs=inputs)
            with _explained(out):
                work.put_in_place()
    except BaseException:
        disk.remove_empty(made)
        raise


def repair(out: Path, kind: FolderKind) -> None:
    """Put a folder back that a killed replacement left without its name; readers call it when they find nothing.

    Where a living command is just replacing it, its end is waited for.
    """
    with contextlib.suppress(OutputError):
        target = overlap.resolved(out)
        for _ in range(WAITS):
            if os.path.lexists(target):
                return
            scratch.tidy(target, kind)
            if os.path.lexists(target) or not scratch.is_replacing(target):
                return
            time.sleep(WAIT_S)


@contextlib.contextmanager
def _explained(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(out, error) from error


@contextlib.contextmanager
def _full_disk_explained(out: Path) -> Iterator[None]:
    """Name the output where a writer only says that the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL or "No space left" in str(error):
            raise _refused(out, error) from error
        raise


def _refused(out: Path, error: OSError) -> OutputError:
    reason = error.strerror or str(error)
    remedy = "Make room" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "Choose a place that can be written"
    return OutputError(f"{out} cannot be written ({reason:.200}). {remedy}, or choose another --out.")
