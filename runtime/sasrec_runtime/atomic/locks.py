"""A lock on a file that the system gives back when its process ends, however it ends."""

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

__all__ = ["Lock", "TakenError", "take"]

HELD: Final = {errno.EACCES, errno.EAGAIN}
NO_LOCKS: Final = {errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
"""Error numbers of a file system without locks."""


class TakenError(Exception):
    """Another process holds the lock, or another part of this one."""


class Lock:
    """A lock that is held until release(), or until the process ends."""

    _descriptor: int | None = None

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.is_certain = False
        """Whether the system supports locks; if not, another process may hold this one."""

    def release(self) -> None:
        """Give it back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def release_before_removal(self) -> None:
        """Give it back where a file that is open cannot be removed, as on Windows."""
        if not self.is_certain:
            self.release()

    def write(self, data: bytes) -> None:
        """Write into the locked file, which is empty, and flush it."""
        if self._descriptor is None:
            raise ValueError("the lock was released")
        os.write(self._descriptor, data)
        os.fsync(self._descriptor)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.release()


def take(path: Path, *, create: bool = False) -> Lock:
    """Lock a file.

    Args:
        path: The file; a link is not followed.
        create: Whether to make it where it is missing.

    Raises:
        TakenError: Somebody else holds it.
        OSError: It is missing, or may not be opened.
    """
    flags = os.O_RDWR | (os.O_CREAT if create else 0)
    for name in ("O_NOFOLLOW", "O_NONBLOCK"):  # neither exists on Windows
        flags |= getattr(os, name, 0)
    while True:
        descriptor = os.open(path, flags, 0o666)
        lock = Lock(descriptor)  # from here on it is closed, whatever happens
        try:
            lock.is_certain = _lock(descriptor)
            # The last holder may have removed the file between opening and locking: then this lock protects nothing.
            is_current = os.path.samestat(os.fstat(descriptor), os.lstat(path))
        except BaseException:
            lock.release()
            raise
        if is_current:
            return lock
        lock.release()


def _lock(descriptor: int) -> bool:
    """Lock, and return whether the system did."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise TakenError from error
        if error.errno in NO_LOCKS:
            return False
        raise
    return True
