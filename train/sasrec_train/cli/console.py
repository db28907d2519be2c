"""Terminal output of training: progress on stderr, results as a small table."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import click

from sasrec_runtime.cli.printing import print_lines, table_lines
from sasrec_train.training.state import Epoch, Step

__all__ = ["Shown", "notes", "progress", "table"]

COLUMNS = ("hr@10", "ndcg@10", "mrr@10")
STRATUM_ALIGN = "lrllll"
STRATA = {"target_count": "target's count", "history_length": "history length"}
"""Titles of the two kinds of strata, by their key in the JSON."""


@contextmanager
def notes() -> Iterator[None]:
    """Show what the package logs on stderr, one plain line each."""
    logger = logging.getLogger("sasrec_train")
    handler = _Echo()
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate


class _Echo(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        print_lines(f"{record.levelname.capitalize()}: {record.getMessage()}", err=True)


class Shown(NamedTuple):
    """What shows a training while it runs."""

    epoch: Callable[[Epoch], None]
    """To call after each epoch: prints it as a line."""
    step: Callable[[Step], None] | None
    """To call after each step: moves the bar; None where nobody watches."""


@contextmanager
def progress(*, plain: bool) -> Iterator[Shown]:
    """Yield what shows a training on stderr: a line for each epoch, and a bar below them where it is a terminal.

    Args:
        plain: No bar.
    """
    if plain or not sys.stderr.isatty():
        yield Shown(lambda epoch: click.echo(describe(epoch), err=True), None)
        return
    from rich.console import Console  # noqa: PLC0415 - only where somebody watches
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %, left"))
    bar = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True, highlight=False), transient=True)
    with bar:
        task = bar.add_task("epoch 1", total=None)

        def step(done: Step) -> None:
            description = f"epoch {done.epoch}/{done.epochs}"
            bar.update(task, total=done.total, completed=done.step, description=description)

        def epoch(done: Epoch) -> None:
            bar.console.print(describe(done), markup=False, soft_wrap=True)
            if done.epoch == done.total:
                bar.update(task, description="measuring on the test items")

        yield Shown(epoch, step)


def describe(epoch: Epoch) -> str:
    """Return one epoch as a line."""
    hr, ndcg = epoch.validation["hr@10"], epoch.validation["ndcg@10"]
    return (
        f"epoch {epoch.epoch}/{epoch.total}  loss {epoch.loss:.4f}  "
        f"validation HR@10 {hr:.4f}  NDCG@10 {ndcg:.4f}  {epoch.seconds + epoch.validation_seconds:.1f} s"
    )


def table(result: dict[str, Any]) -> str:
    """Return the object of evaluate.on_test as aligned tables, at most 100 columns wide."""
    intervals = result["intervals"]
    difference = {
        protocol: {name: result[protocol][name] - result["popularity"][protocol][name] for name in COLUMNS}
        for protocol in _protocols(result)
    }
    rows = {
        "model": (result, intervals),
        "popularity": (result["popularity"], intervals["popularity"]),
        "difference": (difference, intervals["difference"]),
    }
    note = f"in brackets the {intervals['level']:.0%} interval of {intervals['resamples']:,} resamples of them"
    lines = [f"{result['split']} items of {result['users']:,} users; {note}"]
    for protocol, title in _protocols(result).items():
        cells = [
            (name, *(_cell(metrics[protocol], bounds[protocol], column) for column in COLUMNS))
            for name, (metrics, bounds) in rows.items()
        ]
        lines += ["", title, *table_lines([("", *map(str.upper, COLUMNS)), *cells], align="llll")]
    lines += ["", _coverage(result)]
    for name, title in STRATA.items():
        lines += ["", *_strata(title, result["buckets"][name])]
    return "\n".join(lines)


def _protocols(result: dict[str, Any]) -> dict[str, str]:
    seen = "kept" if result["keep_seen"] else "excluded"
    return {"full": f"whole catalogue, seen items {seen}", "sampled": "1 + 100 sampled"}


def _cell(metrics: dict[str, float], bounds: dict[str, list[float]], name: str) -> str:
    low, high = bounds[name]
    return f"{metrics[name]:.4f} [{low:.4f}, {high:.4f}]"


def _coverage(result: dict[str, Any]) -> str:
    ours = result["coverage@10"]
    model, popularity = (
        f"{found['share']:.1%} of the catalogue, Gini {found['gini']:.2f}" for found in (ours, ours["popularity"])
    )
    return f"coverage@10: {model}; popularity: {popularity}"


def _strata(title: str, strata: list[dict[str, Any]]) -> list[str]:
    """Return the table of strata; only the whole catalogue has room for intervals."""
    rows: list[tuple[str, ...]] = [
        ("", "", "whole catalogue", "", "1 + 100 sampled", ""),
        (title, "users", *("HR@10", "NDCG@10") * 2),
    ]
    for stratum in strata:
        least, most = stratum["least"], stratum["most"]
        span = f"{least} or more" if most is None else f"{least}–{most}" if least < most else str(least)
        full = (_cell(stratum["full"], stratum["intervals"]["full"], name) for name in ("hr@10", "ndcg@10"))
        sampled = (f"{stratum['sampled'][name]:.4f}" for name in ("hr@10", "ndcg@10"))
        rows.append((span, f"{stratum['users']:,}", *full, *sampled))
    return table_lines(rows, align=STRATUM_ALIGN)
