"""Files of a RUN, which somebody else may have written: opened only where they are plain files inside the folder."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sasrec_train import memory
from sasrec_train.errors import RunError, corrupted, missing

__all__ = ["State", "describe", "opened", "read", "state"]

# A pipe is opened without waiting for its other end, a terminal without becoming ours. Windows has neither flag.
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))

State = tuple[int, int, int, int]
"""What tells one file from another under the same name: device, inode, size in bytes, time of change in ns."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Give the file for reading, from its beginning.

    Raises:
        RunError: It is missing, is not a plain file inside its folder, or cannot be read, be it later in the block.
    """
    try:
        _check(path)
        with open(os.open(path, FLAGS), "rb") as file:  # noqa: PTH123 - Path.open has no flags
            status = os.fstat(file.fileno())  # of the very file that is read
            _check_kind(path, status.st_mode)
            if status.st_size > memory.limit_bytes():
                raise _too_large(path)
            yield file
    except (FileNotFoundError, NotADirectoryError) as error:
        raise missing(path) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself, before Python 3.13
        raise _unreadable(path, error) from error
    except MemoryError as error:
        raise _too_large(path) from error


def read(path: Path, *, limit_bytes: int) -> bytes:
    """Return a file's content.

    Raises:
        RunError: See opened; or it is larger than anything `train` writes there.
    """
    with opened(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        content = file.read(size_bytes + 1) if size_bytes <= limit_bytes else b""  # not the limit: it is allocated
    if max(size_bytes, len(content)) > limit_bytes:
        raise corrupted(path, f"more than {limit_bytes:,} bytes")
    return content


def state(path: Path) -> State | None:
    """Return what the file is now; None where there is nothing to be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def describe(mode: int) -> str:
    """Return what a path with that st_mode is, for messages."""
    kinds = {
        stat.S_ISREG: "a file",
        stat.S_ISDIR: "a folder",
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
    }
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "a device")


def _check(path: Path) -> None:
    _check_kind(path, path.stat().st_mode)
    if not path.resolve().is_relative_to(path.parent.resolve()):
        raise RunError(f"{path} leads out of the RUN through a link, expected a file in it. Copy the file there.")


def _check_kind(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise RunError(f"{path} is {describe(mode)}, expected a file. Train it again.")


def _unreadable(path: Path, error: OSError | RuntimeError) -> RunError:
    if isinstance(error, PermissionError):
        return RunError(f"{path} cannot be read: permission denied. Give yourself the right to read it.")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return RunError(f"{path} cannot be read ({reason}). Check the disk, or copy the RUN again.")


def _too_large(path: Path) -> RunError:
    return RunError(f"{path} does not fit in this machine's memory. Use a larger one.")
