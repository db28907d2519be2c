"""What people see of training: progress on stderr, results as a small table."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from sasrec_train.progress import Epoch

__all__ = ["epochs", "notes", "table"]

COLUMNS = ("hr@10", "ndcg@10", "mrr@10")


@contextmanager
def notes() -> Iterator[None]:
    """Say what the package logs on stderr, one plain line each."""
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
        click.echo(f"{record.levelname.capitalize()}: {record.getMessage()}", err=True)


@contextmanager
def epochs(*, plain: bool) -> Iterator[Callable[[Epoch], None]]:
    """Give a function that shows an epoch: by a line each, or by a bar where stderr is a terminal, unless `plain`."""
    if plain or not sys.stderr.isatty():
        yield lambda epoch: click.echo(describe(epoch), err=True)
        return
    from rich.console import Console  # noqa: PLC0415 - only where somebody watches
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=False) as progress:
        task = progress.add_task("first epoch", total=None)
        yield lambda epoch: progress.update(
            task, total=epoch.total, completed=epoch.epoch, description=describe(epoch)
        )


def describe(epoch: Epoch) -> str:
    """Return one epoch as a line."""
    hr, ndcg = epoch.validation["hr@10"], epoch.validation["ndcg@10"]
    return (
        f"epoch {epoch.epoch}/{epoch.total}  loss {epoch.loss:.4f}  "
        f"validation HR@10 {hr:.4f}  NDCG@10 {ndcg:.4f}  {epoch.seconds + epoch.validation_seconds:.1f} s"
    )


def table(result: dict[str, Any]) -> str:
    """Return the metrics of evaluate.on_test as an aligned table, each protocol under its name."""
    seen = "kept" if result["keep_seen"] else "excluded"
    protocols = {"full": f"whole catalogue, seen items {seen}", "sampled": "1 + 100 sampled"}
    rows = {"model": result, "popularity": result["popularity"]}
    first = max(len(name) for name in rows) + 2
    width = max(*(len(title) for title in protocols.values()), 8 * len(COLUMNS)) + 3
    lines = [f"{result['split']} items of {result['users']} users"]
    lines.append(" " * first + "".join(f"{title:<{width}}" for title in protocols.values()))
    names = "".join(f"{name.upper():<9}" for name in COLUMNS)
    lines.append(" " * first + f"{names:<{width}}" * len(protocols))
    for name, metrics in rows.items():
        cells = ("".join(f"{metrics[protocol][column]:<9.4f}" for column in COLUMNS) for protocol in protocols)
        lines.append(f"{name:<{first}}" + "".join(f"{cell:<{width}}" for cell in cells))
    return "\n".join(line.rstrip() for line in lines)
