"""report.html: one self-contained file, no scripts, nothing fetched."""

from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from sasrec_export.report import schema
from sasrec_export.report.schema import Report
from sasrec_export.report.show import formatting, plots

__all__ = ["html"]


def html(report: Report) -> str:
    """Return the page; it opens from disk, on a phone, in print, light and dark."""
    source = resources.files("sasrec_export").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    drawn: list[dict[str, Any]] = [
        {"title": picture.title, "caption": picture.caption, "svg": Markup(picture.svg)}  # noqa: S704 - drawn by us
        for picture in plots.draw(report)
    ]
    return environment.from_string(source).render(
        report=report,
        caption=formatting.caption(report),
        passed_over=report.verdict.passed_over,
        pictures=drawn,
        metrics=schema.METRICS,
        worded=formatting,
    )
