"""How much memory this process may use, so that what cannot fit is refused before hours of work, not killed after."""

import os
from pathlib import Path

__all__ = ["limit_bytes", "readable"]

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED = 2**62  # What version 1 of control groups writes for no limit is a little more.


def limit_bytes() -> int:
    """Return the memory of this machine, or less where the container or the shell allows less, in bytes.

    Where the system does not say, a number that nothing reaches.
    """
    return min(_physical(), _address_space(), *map(_control_group, CGROUP_LIMITS))


def readable(size_bytes: float) -> str:
    """Return a number of bytes as GB, for messages."""
    return f"{size_bytes / 1e9:,.1f} GB"


def _physical() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return UNLIMITED


def _address_space() -> int:
    try:
        import resource  # noqa: PLC0415 - Windows has none

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    except (ImportError, AttributeError, OSError):
        return UNLIMITED
    return limit if 0 < limit < UNLIMITED else UNLIMITED


def _control_group(path: Path) -> int:
    try:
        limit = int(path.read_text(encoding="ascii"))  # "max" for none
    except (OSError, ValueError):
        return UNLIMITED
    return limit if 0 < limit < UNLIMITED else UNLIMITED
