"""Writing a report folder, whole or not at all."""

from pathlib import Path
from typing import Any

import msgspec

from sasrec_export.report import render
from sasrec_train import staging

__all__ = ["check", "write"]

REPORT = "report.json"


def check(out: Path, *, force: bool) -> None:
    """Refuse an output that is in the way, before anything is measured."""
    staging.check(out, force=force, marker=REPORT)


def write(report: dict[str, Any], out: Path, *, force: bool = False) -> None:
    """Write report.json and report.html into the folder `out`."""
    with staging.staged(out, force=force, marker=REPORT) as folder:
        (folder / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        (folder / "report.html").write_text(render.html(report), encoding="utf-8")
