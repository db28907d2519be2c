"""A report for people: a table on the terminal, and one self-contained HTML file."""

from importlib import resources
from typing import Any

import jinja2

__all__ = ["html", "table"]

COLUMNS: tuple[tuple[str, str, str], ...] = (
    # heading, key, format
    ("variant", "name", "{}"),
    ("HR@10", "hr@10", "{:.4f}"),
    ("NDCG@10", "ndcg@10", "{:.4f}"),
    ("MRR@10", "mrr@10", "{:.4f}"),
    ("overlap@10", "overlap@10", "{:.4f}"),
    ("bytes", "bytes", "{:,}"),
    ("p50 ms", "latency_p50_ms", "{:.3f}"),
    ("p99 ms", "latency_p99_ms", "{:.3f}"),
    ("load ms", "load_ms", "{:.1f}"),
)


def table(report: dict[str, Any]) -> str:
    """Return the report as an aligned table under a line that says what was measured."""
    rows = _cells(report)
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = []
    for name, *figures in rows:
        cells = (cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    return "\n".join([_caption(report), *(line.rstrip() for line in lines)])


def html(report: dict[str, Any]) -> str:
    """Return report.html: no scripts, no fetched parts; it opens from disk."""
    source = resources.files("sasrec_export").joinpath("templates/report.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    heading, *rows = _cells(report)
    return environment.from_string(source).render(
        report=report, caption=_caption(report), heading=heading, rows=rows, smallest=_smallest(report)
    )


def _cells(report: dict[str, Any]) -> list[list[str]]:
    """Return heading and rows as text; what was not measured is a dash."""
    rows = [[heading for heading, _, _ in COLUMNS]]
    rows += [
        [form.format(variant[key]) if variant.get(key) is not None else "–" for _, key, form in COLUMNS]
        for variant in report["variants"]
    ]
    return rows


def _caption(report: dict[str, Any]) -> str:
    overlap = f"overlap with {report['reference']}" if report["reference"] else "no fp32 variant to compare with"
    threads = f"{report['threads']} thread{'s' if report['threads'] > 1 else ''}"
    return f"{report['data']}: {report['users']:,} users, {report['protocol']}; {overlap}; {threads}"


def _smallest(report: dict[str, Any]) -> str:
    return str(min(report["variants"], key=lambda variant: variant["bytes"])["name"])
