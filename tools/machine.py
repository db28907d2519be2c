"""What a benchmark ran on, for the line below its figures; imported by scripts of this folder."""

import datetime as dt
import os
import platform
from importlib import metadata
from pathlib import Path

__all__ = ["described", "processor"]


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def described() -> str:
    """Processor, cores, versions and date, in a line."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("tensorflow", "keras", "numpy"))
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}, {today}"
