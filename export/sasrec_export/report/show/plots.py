"""The plots of a report, as SVG that takes its colours from the page: light, dark or print."""

import io
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

from sasrec_export.report import formatting
from sasrec_export.report.schema import Bucket, Report, VariantReport

__all__ = ["Plot", "draw"]

WIDTH_IN = 4.6
"""As wide as a phone's screen, so that text keeps its size there; a wide page shows two side by side."""

INK, GRID, FRONT = "#010203", "#010204", "#010205"
"""Stand for colours of the page; see COLOURS."""

SERIES = tuple(f"#0102{16 + number:02x}" for number in range(6))
COLOURS = {INK: "var(--ink)", GRID: "var(--line)", FRONT: "var(--front)"} | {
    colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)
}
MARKERS = {"onnx": "o", "tflite": "s"}
MAX_BUCKET_VARIANTS = 8
STYLE: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "sasrec-edge",  # equal reports give equal files
    "font.size": 9, "axes.titlesize": 10, "text.color": INK, "axes.edgecolor": GRID, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "axes.grid": True, "grid.linewidth": 0.6,
    "axes.axisbelow": True, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "font.family": "sans-serif",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot of the page."""

    title: str
    """Its heading."""
    caption: str
    """What it shows, in whole sentences."""
    svg: str
    """The SVG element."""


def draw(report: Report) -> list[Plot]:
    """Return the plots for which the report has numbers."""
    with mpl.rc_context(STYLE):
        return [replace(plot, svg=_apart(plot.svg, number)) for number, plot in enumerate(_all(report))]


def _all(report: Report) -> list[Plot]:
    others = [variant for variant in report.variants if variant.difference]
    plots = []
    if any(variant.ndcg_10 is not None for variant in report.variants):
        plots += [_quality(report, *axis) for axis in (BYTES, LATENCY)]
    if others:
        plots += [
            _buckets(others, "by_target_count", "NDCG@10 by popularity of the held-out item",
                     "Users grouped by how often their held-out item was trained on."),
            _buckets(others, "by_history_length", "NDCG@10 by length of the history",
                     "Users grouped by the number of items in their history."),
        ]  # fmt: skip
    if any(variant.score_error for variant in others):
        plots.append(_score_errors([variant for variant in others if variant.score_error]))
    scaled = [variant for variant in report.variants if variant.row_scales]
    if scaled:
        plots.append(_row_scales(scaled))
    return plots


Axis = tuple[str, Callable[[VariantReport], float], str]
BYTES: Axis = ("MB", lambda variant: variant.bytes / 1e6, "Quality against size")
LATENCY: Axis = ("p50 in ms", lambda variant: variant.latency_p50_ms, "Quality against latency")


def _quality(report: Report, label: str, cost: Callable[[VariantReport], float], title: str) -> Plot:
    """Draw NDCG@10 against a cost, the Pareto front as a line."""
    figure, axes = _figure(3.4)
    colours = _colours(report.variants)
    points = [(cost(variant), variant.ndcg_10, variant) for variant in report.variants if variant.ndcg_10 is not None]
    front = _pareto([(x, y) for x, y, _ in points])
    axes.plot(*zip(*front, strict=True), color=FRONT, linewidth=1.4, linestyle="--", zorder=1, drawstyle="steps-post")
    for x, y, variant in points:
        on_front = (x, y) in front
        if (found := variant.difference.get("ndcg@10")) and variant.recipe != "fp32":
            axes.plot([x, x], [y - found.value + found.low, y - found.value + found.high],
                      color=colours[variant.recipe], linewidth=1, alpha=0.6, zorder=2)  # fmt: skip
        axes.plot(x, y, MARKERS[variant.runtime], color=colours[variant.recipe], markersize=9 if on_front else 7,
                  markeredgecolor=INK if on_front else colours[variant.recipe], zorder=3)  # fmt: skip
    xs = [x for x, _, _ in points]
    if max(xs) > 4 * min(xs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.margins(0.12)
    axes.set(xlabel=label, ylabel="NDCG@10")
    axes.yaxis.set_major_locator(MaxNLocator(5))
    _legend(figure, report.variants, colours)
    return Plot(title, "Up and to the left is better. Dashed: the Pareto front; its variants have a ring. "
                "For each variant off the front, another one is better in both. Vertical lines: 95 % intervals of the "
                "difference from the reference.", _svg(figure))  # fmt: skip


def _pareto(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the Pareto front by cost: the points that no other point beats in both cost and quality."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front


def _buckets(variants: Sequence[VariantReport], field: str, title: str, note: str) -> Plot:
    """Draw the difference of NDCG@10 with its interval, a group of variants for each stratum."""
    shown = [variant for variant in variants if variant.recipe != "fp32"][:MAX_BUCKET_VARIANTS] or list(variants)[:1]
    buckets: list[Bucket] = getattr(shown[0], field)
    figure, axes = _figure(0.9 + 0.14 * len(buckets) * (len(shown) + 1.5) + 0.2 * len(shown))
    colours = _colours(variants)
    for row, variant in enumerate(shown):
        changes = [bucket.difference.get("ndcg@10") for bucket in getattr(variant, field)]
        places = [place + (row - (len(shown) - 1) / 2) * 0.8 / len(shown) for place in range(len(buckets))]
        kept = [(place, found) for place, found in zip(places, changes, strict=True) if found]
        axes.errorbar(
            [found.value for _, found in kept], [place for place, _ in kept],
            xerr=[[found.value - found.low for _, found in kept], [found.high - found.value for _, found in kept]],
            fmt=MARKERS[variant.runtime], color=colours[variant.recipe], markersize=5, linewidth=1.2, capsize=2,
            label=variant.name,
        )  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(buckets)), [f"{formatting.span(bucket)}\n{bucket.users:,} users" for bucket in buckets])
    axes.invert_yaxis()
    axes.set(xlabel="NDCG@10, variant minus reference")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=2)
    return Plot(title, f"{note} Lines: 95 % intervals of the paired bootstrap.", _svg(figure))


def _score_errors(variants: Sequence[VariantReport]) -> Plot:
    """Draw a histogram for each variant, each on its own scale: errors differ by orders of magnitude."""
    columns = 2
    rows = -(-len(variants) // columns)
    figure = Figure(figsize=(WIDTH_IN, 0.3 + 1.35 * rows), layout="constrained")
    colours = _colours(variants)
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes, variant in itertools.zip_longest(grid, variants):
        if variant is None:
            axes.set_visible(False)
        elif variant.score_error:
            found = variant.score_error.histogram
            axes.stairs(found.counts, found.edges, fill=True, color=colours[variant.recipe])
            axes.set_title(variant.name, fontsize=9)
            axes.set_yticks([])
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.grid(visible=False)
            axes.ticklabel_format(axis="x", style="sci", scilimits=(-3, 3), useMathText=False)
    return Plot("Score error", "Variant's score minus the reference's, over the items that both list; each variant "
                   "on its own scale.", _svg(figure))  # fmt: skip


def _row_scales(variants: Sequence[VariantReport]) -> Plot:
    """Draw how the scales of the table's rows are spread."""
    figure, axes = _figure(2.8)
    colours = _colours(variants)
    drawn = set()
    for variant in variants:
        found = variant.row_scales
        if found is None or (key := tuple(found.counts)) in drawn:
            continue
        drawn.add(key)
        same = [other.name for other in variants if other.row_scales and other.row_scales.counts == found.counts]
        axes.stairs(found.counts, found.edges, color=colours[variant.recipe], linewidth=1.6, label=", ".join(same))
    edges = [edge for variant in variants if variant.row_scales for edge in variant.row_scales.edges]
    if max(edges) > 10 * min(edges):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3), useMathText=False)
    axes.set(xlabel="scale of a row (one step of its integers)", ylabel="rows")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    figure.legend(loc="outside lower center", ncols=1)
    return Plot("Scales of the item table", "Rows with a large scale are rounded coarsely.", _svg(figure))


def _figure(height_in: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.subplots()


def _colours(variants: Sequence[VariantReport]) -> dict[str, str]:
    """Return a colour for each recipe; the same in all plots of a report only if the recipes are."""
    order = ("fp32", "wi8", "wi8_afp32", "wi4", "wi8_ai8", "fp16")
    recipes = sorted({variant.recipe for variant in variants} - set(order))
    return {recipe: SERIES[number % len(SERIES)] for number, recipe in enumerate((*order, *recipes))}


def _legend(figure: Figure, variants: Sequence[VariantReport], colours: dict[str, str]) -> None:
    """Name every point by its variant, below the plot."""
    handles = [
        mpl.lines.Line2D([], [], marker=MARKERS[variant.runtime], color=colours[variant.recipe], linestyle="",
                         label=variant.name)
        for variant in variants
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1, handletextpad=0.2)


def _apart(svg: str, number: int) -> str:
    """Return a plot whose ids are unlike those of the other plots of the page."""
    return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>p{number}-", svg)


def _svg(figure: Figure) -> str:
    """Return the SVG element of a figure, in the colours and the font of the page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r"font: ([\d.]+)px[^;\"]*", r"font: \1px var(--font)", text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text
