"""report.html: one self-contained file, no scripts, nothing fetched."""

from importlib import resources
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from sasrec_export import markdown
from sasrec_export.report import formatting, schema
from sasrec_export.report.schema import Report
from sasrec_export.report.show import plots

__all__ = ["html"]


def html(report: Report) -> str:
    """Return the page; it opens from disk, on a phone, in print, light and dark."""
    source = resources.files("sasrec_export").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_visible
    )
    drawn: list[dict[str, Any]] = [
        {"title": plot.title, "caption": plot.caption, "svg": Markup(plot.svg)}  # noqa: S704 - drawn by us
        for plot in plots.draw(_readable(report))
    ]
    return environment.from_string(source).render(
        report=report,
        caption=formatting.caption(report),
        rejected=report.verdict.passed_over,
        plots=drawn,
        metrics=schema.METRICS,
        worded=formatting,
    )


def _readable(report: Report) -> Report:
    """Return the report with names that a font can draw."""
    variants = [
        msgspec.structs.replace(variant, name=markdown.visible(variant.name), recipe=markdown.visible(variant.recipe))
        for variant in report.variants
    ]
    return msgspec.structs.replace(report, variants=variants)


def _visible(value: Any) -> Any:
    """Return what a template shows: text with escapes for invisible characters, and finished HTML unchanged."""
    return markdown.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
