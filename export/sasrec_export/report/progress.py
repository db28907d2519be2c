"""How far a report is: one line or bar on stderr for each thing that takes a while."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import click

from sasrec_runtime.cli.printing import printable

__all__ = ["Progress", "by_line", "on_stderr", "unseen"]

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
"""What is being done, and how many steps it has → a context whose value is told of steps just done."""

LINE_EVERY_S = 15.0


@contextmanager
def unseen(what: str, steps: int) -> Iterator[Callable[[int], object]]:  # noqa: ARG001 - the form of a Progress
    """Show nothing."""
    yield lambda _: None


def by_line(say: Callable[[str], None]) -> Progress:
    """Return a progress that says a line for each thing."""

    @contextmanager
    def said(what: str, steps: int) -> Iterator[Callable[[int], object]]:  # noqa: ARG001 - the form of a Progress
        say(what)
        yield lambda _: None

    return said


@contextmanager
def on_stderr(what: str, steps: int) -> Iterator[Callable[[int], object]]:
    """Show a bar where stderr is a terminal, else a line at the start and one now and then."""
    if sys.stderr.isatty():
        with click.progressbar(length=steps, label=printable(what), file=sys.stderr) as bar:
            yield bar.update
        return
    click.echo(printable(what), err=True)
    done, said = 0, time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, said
        done += count
        if time.monotonic() - said > LINE_EVERY_S:
            said = time.monotonic()
            click.echo(f"  {done:,} of {steps:,}", err=True)

    yield advance
