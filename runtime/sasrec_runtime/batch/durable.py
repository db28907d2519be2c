"""Files that a power cut finds whole or not at all."""

import errno
import os
from pathlib import Path
from typing import Final

__all__ = ["flush", "move"]

NOT_FLUSHED: Final = {errno.EACCES, errno.EINVAL, errno.ENOTSUP}
"""What a system says that flushes no folder: Windows opens none, and some network file systems refuse."""


def move(written: Path, place: Path) -> None:
    """Rename a file whose bytes are on the disk by then, and return when its new name is there, too.

    A rename alone may reach the disk before the bytes, and then a power cut leaves the new name on an empty file.
    """
    flush(written)
    written.replace(place)
    flush(place.parent)


def flush(path: Path) -> None:
    """Return when the disk has the bytes of a file, or the names in a folder where the system can tell."""
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)  # Windows flushes only what it may write
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_folder or error.errno not in NOT_FLUSHED:
            raise
