"""A report as text: an aligned table for the terminal, and Markdown for a pull request."""

from collections.abc import Callable, Sequence

from sasrec_export import markdown as markdown_module
from sasrec_export.report import formatting
from sasrec_export.report.schema import Report, VariantReport

__all__ = ["align", "markdown", "markdown_table", "table"]

Column = tuple[str, Callable[[VariantReport], str]]


def _hits(variant: VariantReport) -> str:
    if variant.hits_appeared is None or variant.hits_vanished is None:
        return formatting.DASH
    return f"{variant.hits_appeared} / {variant.hits_vanished}"


COLUMNS: tuple[Column, ...] = (
    ("variant", lambda variant: variant.name),
    ("HR@10", lambda variant: formatting.metric(variant.hr_10)),
    ("NDCG@10", lambda variant: formatting.metric(variant.ndcg_10)),
    ("difference, 95 %", lambda variant: formatting.change(variant.difference.get("ndcg@10"))),
    ("overlap@10", lambda variant: formatting.metric(variant.overlap_10)),
    ("bytes", lambda variant: f"{variant.bytes:,}"),
    ("p50 ms", lambda variant: f"{variant.latency_p50_ms:.3f}"),
    ("p99 ms", lambda variant: f"{variant.latency_p99_ms:.3f}"),
)
MORE: tuple[Column, ...] = (
    ("hits gained / lost", _hits),
    ("load ms", lambda variant: formatting.milliseconds(variant.load_ms)),
    ("peak memory", lambda variant: formatting.size(variant.peak_memory_bytes)),
)


def table(report: Report) -> str:
    """Return the report as a table under what was measured, and the verdict below it."""
    lines = [formatting.caption(report), *align(_cells(report, COLUMNS))]
    lines += [f"{other.name}  {other.reason}" for other in report.not_measured]
    return "\n".join(markdown_module.visible(line) for line in [*lines, "", report.verdict.sentence])


def markdown(report: Report) -> str:
    """Return the report as Markdown: the verdict, the table, and why the others were rejected."""
    plain = markdown_module.plain
    lines = [f"**{plain(report.verdict.sentence)}**", "", *markdown_table(_cells(report, COLUMNS + MORE)), ""]
    lines += [f"- {plain(line)}" for line in formatting.rejected(report)]
    return "\n".join([*lines, "", plain(f"{formatting.caption(report)}. {report.machine}.")])


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines, the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *numbers in rows:
        cells = (cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))
        lines.append("  ".join([name.ljust(widths[0]), *cells]).rstrip())
    return lines


def markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines of Markdown; the first row is the heading, the first column holds names from outside."""
    heading, *body = ([markdown_module.plain(name), *numbers] for name, *numbers in rows)
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return [f"| {' | '.join(row)} |" for row in (heading, rule, *body)]


def _cells(report: Report, columns: tuple[Column, ...]) -> list[list[str]]:
    """Return heading and rows as text; what was not measured is a dash."""
    return [[heading for heading, _ in columns]] + [
        [cell(variant) for _, cell in columns] for variant in report.variants
    ]
