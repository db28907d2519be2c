"""Two reports side by side: how each variant changed."""

from collections.abc import Callable
from typing import Any

from sasrec_export import markdown as markdown_module
from sasrec_export.report import formatting
from sasrec_export.report.schema import Report, VariantReport
from sasrec_export.report.show import text

__all__ = ["COLUMNS", "plain", "render"]

COMPARISON_VERSION = 1

Shown = Callable[[float | None], str]

COLUMNS: tuple[tuple[str, str, Callable[[VariantReport], float | None], Shown], ...] = (
    # heading, key in JSON, value, form
    ("HR@10", "hr@10", lambda variant: variant.hr_10, formatting.metric),
    ("NDCG@10", "ndcg@10", lambda variant: variant.ndcg_10, formatting.metric),
    ("overlap@10", "overlap@10", lambda variant: variant.overlap_10, formatting.metric),
    (
        "bytes",
        "bytes",
        lambda variant: variant.bytes,
        lambda value: formatting.size(None if value is None else int(value)),
    ),
    ("p99 ms", "latency_p99_ms", lambda variant: variant.latency_p99_ms, formatting.milliseconds),
)


def render(old: Report, new: Report, *, markdown: bool = False) -> str:
    """Return the comparison as an aligned table, or as Markdown."""
    rows = [["variant", *(heading for heading, *_ in COLUMNS)]]
    for name in _names(old, new):
        before, after = old.variant(name), new.variant(name)
        note = "" if before and after else " (new)" if after else " (gone)"
        rows.append([name + note, *(_cell(before, after, value, form) for _, _, value, form in COLUMNS)])
    lines = text.markdown_table(rows) if markdown else text.align(rows)
    verdicts = [f"Verdict before: {old.verdict.sentence}", f"Verdict now: {new.verdict.sentence}"]
    notes = [f"Not the same measurement: {difference}." for difference in _differences(old, new)]
    if markdown:
        return "\n".join([*lines, "", *(f"- {markdown_module.plain(line)}" for line in [*notes, *verdicts])])
    return "\n".join(markdown_module.visible(line) for line in [*lines, "", *notes, *verdicts])


def plain(old: Report, new: Report) -> dict[str, Any]:
    """Return the comparison as an object for JSON."""
    variants = []
    for name in _names(old, new):
        before, after = old.variant(name), new.variant(name)
        variants.append({
            "name": name,
            **{
                key: {"old": value(before) if before else None, "new": value(after) if after else None}
                for _, key, value, _ in COLUMNS
            },
        })  # fmt: skip
    return {
        "output_version": COMPARISON_VERSION,
        "differences": _differences(old, new),
        "verdict": {"old": old.verdict.ship, "new": new.verdict.ship},
        "variants": variants,
    }


def _names(old: Report, new: Report) -> list[str]:
    """The variants of the new report, then those that are gone."""
    names = [variant.name for variant in new.variants]
    return names + [variant.name for variant in old.variants if variant.name not in names]


def _cell(
    before: VariantReport | None,
    after: VariantReport | None,
    value: Callable[[VariantReport], float | None],
    form: Shown,
) -> str:
    old, new = (None if side is None else value(side) for side in (before, after))
    if old is None or new is None:
        return form(new if before is None else old)
    shown_old, shown_new = form(old), form(new)
    return shown_new if shown_old == shown_new else f"{shown_old} → {shown_new}{_relative(old, new)}"


def _relative(old: float, new: float) -> str:
    return f" ({formatting.signed(100 * (new / old - 1), 1)} %)" if old else ""


def _differences(old: Report, new: Report) -> list[str]:
    """Return what was measured under other conditions, such as other users."""
    fields = ("data", "users", "users_total", "seed", "protocol", "reference", "n_items", "max_len", "hidden_dim",
              "threads", "machine")  # fmt: skip
    return [
        f"{field} was {before}, is {after}"
        for field in fields
        if (before := getattr(old, field)) != (after := getattr(new, field))
    ]
