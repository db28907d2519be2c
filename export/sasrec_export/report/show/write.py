"""Writing a report folder, whole or not at all."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from sasrec_export.report import schema
from sasrec_export.report.schema import Report
from sasrec_export.report.show import html
from sasrec_runtime.atomic import folder
from sasrec_runtime.atomic.kinds import FolderKind

__all__ = ["PAGE", "REPORT_FOLDER", "check", "write"]

REPORT = "report.json"
PAGE = "report.html"


class _Variant(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    runtime: str
    recipe: str
    bytes: int


class _AnyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the reports of every version up to this one have in common: it says that a report.json is ours."""

    output_version: int
    report_version: Annotated[int, msgspec.Meta(ge=1, le=schema.REPORT_VERSION)] = 1
    data: str
    users: int
    protocol: str
    reference: str | None
    n_items: int
    max_len: int
    hidden_dim: int
    threads: int
    machine: str
    variants: list[_Variant]


def _paths(data: bytes) -> list[str]:
    msgspec.json.decode(data, type=_AnyReport)
    return [PAGE]


REPORT_FOLDER = FolderKind(name="a report", marker=REPORT, paths=_paths, unmarked=re.compile(r"report\.(json|html)"))


def check(out: Path, *, force: bool, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that is in the way, before anything is measured.

    Raises:
        OutputError: It is; see `folder.check`.
    """
    folder.check(out, REPORT_FOLDER, force=force, inputs=inputs)


def write(report: Report, out: Path, *, force: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Write report.json and report.html into the folder `out`.

    Raises:
        OutputError: See check; or the disk refuses.
    """
    with folder.staged(out, REPORT_FOLDER, force=force, inputs=inputs) as place:
        (place / REPORT).write_bytes(schema.encode(report))
        (place / PAGE).write_text(html.html(report), encoding="utf-8")
