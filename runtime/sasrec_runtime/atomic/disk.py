"""Durable writing by flush, rename and exchange: a power cut leaves each file whole or absent."""

import contextlib
import errno
import os
import platform
import re
import secrets
import sys
from pathlib import Path
from typing import Any, Final

from sasrec_runtime.atomic import locks

__all__ = ["exchange", "flush", "flush_tree", "make_folders", "move", "remove_empty", "rename_new", "write_file"]

NOT_FLUSHED: Final = {errno.EACCES, errno.EINVAL, errno.ENOTSUP}
"""Errors of a system that cannot flush a folder: Windows cannot open one, some network file systems refuse."""

NO_FLAGS: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
"""Errors of renameat2 where the kernel, the file system or a sandbox does not support its flags."""

AT_FDCWD: Final = -100
RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2
SYSCALL_NUMBERS: Final = {"x86_64": 316, "aarch64": 276}
"""System call numbers of renameat2, for C libraries without that function."""


def move(written: Path, target: Path) -> None:
    """Rename a file durably: its bytes are flushed before, its new name after.

    A rename alone may reach the disk before the bytes, and then a power cut leaves the new name on an empty file.
    """
    flush(written)
    written.replace(target)
    flush(target.parent)


def flush(path: Path) -> None:
    """Wait until a file, or the names in a folder where the system supports that, are on the disk (fsync)."""
    is_folder = path.is_dir()
    try:
        descriptor = _open_to_flush(path, is_folder=is_folder)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder or error.errno not in NOT_FLUSHED:
            raise


def _open_to_flush(path: Path, *, is_folder: bool) -> int:
    if is_folder:
        return os.open(path, os.O_RDONLY)
    try:
        return os.open(path, os.O_RDWR)  # Windows flushes only what it may write
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def flush_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and `folder` itself, the innermost first."""
    for below, _, files in os.walk(folder, topdown=False):
        for name in files:
            flush(Path(below, name))
        flush(Path(below))


def exchange(one: Path, other: Path) -> bool:
    """Let two existing paths swap their names at one moment; return False where the system cannot.

    Raises:
        OSError: The system can, but not these two: one is missing, or may not be renamed.
    """
    return _renameat2(one, other, RENAME_EXCHANGE)


def rename_new(source: Path, target: Path) -> None:
    """Rename to a name that must be free.

    Where the system cannot ask for that, an empty folder of that name is replaced, and nothing else.

    Raises:
        OSError: `target` exists.
    """
    if not _renameat2(source, target, RENAME_NOREPLACE):
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)


def _renameat2(source: Path, target: Path, flags: int) -> bool:
    if sys.platform != "linux":
        return False
    import ctypes  # noqa: PLC0415 - only where something is replaced

    library = ctypes.CDLL(None, use_errno=True)
    arguments: tuple[Any, ...] = (
        ctypes.c_int(AT_FDCWD), ctypes.c_char_p(os.fsencode(source)),
        ctypes.c_int(AT_FDCWD), ctypes.c_char_p(os.fsencode(target)), ctypes.c_uint(flags),
    )  # fmt: skip
    if hasattr(library, "renameat2"):
        result = library.renameat2(*arguments)
    elif platform.machine() in SYSCALL_NUMBERS:
        result = library.syscall(ctypes.c_long(SYSCALL_NUMBERS[platform.machine()]), *arguments)
    else:
        return False
    if result == 0:
        return True
    number = ctypes.get_errno()
    if number in NO_FLAGS:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def make_folders(folder: Path, made: list[Path]) -> None:
    """Make a folder with its parents, and note in `made` each that was missing, the outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        made.append(path)
        flush(path.parent)


def remove_empty(made: list[Path]) -> None:
    """Remove the folders that make_folders made, as far as nothing is in them."""
    for path in reversed(made):
        with contextlib.suppress(OSError):
            path.rmdir()


def write_file(path: Path, data: bytes) -> None:
    """Write one file whole: the name shows the old bytes or the new ones, and leftovers of killed writes are removed.

    Only for folders of our own: a leftover is recognised by its name and its free lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    partial = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    partial.touch(exist_ok=False)
    try:
        lock = locks.take(partial)
        try:
            partial.write_bytes(data)
            move(partial, path)
        finally:
            lock.release()
    finally:
        partial.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    pattern = re.compile(rf"\.{re.escape(path.name)}\.partial-[0-9a-f]{{8}}")
    for leftover in [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name)]:
        with contextlib.suppress(OSError, locks.TakenError):
            lock = locks.take(leftover)
            try:
                if lock.is_certain:
                    leftover.unlink()
            finally:
                lock.release()
