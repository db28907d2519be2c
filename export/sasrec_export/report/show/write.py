"""Writing a report folder, whole or not at all."""

from pathlib import Path

from sasrec_export.report import schema
from sasrec_export.report.schema import Report
from sasrec_export.report.show import html
from sasrec_train import staging

__all__ = ["PAGE", "check", "write"]

REPORT = "report.json"
PAGE = "report.html"


def check(out: Path, *, force: bool) -> None:
    """Refuse an output that is in the way, before anything is measured."""
    staging.check(out, force=force, marker=REPORT)


def write(report: Report, out: Path, *, force: bool = False) -> None:
    """Write report.json and report.html into the folder `out`."""
    with staging.staged(out, force=force, marker=REPORT) as folder:
        (folder / REPORT).write_bytes(schema.encode(report))
        (folder / PAGE).write_text(html.html(report), encoding="utf-8")
