"""What an experiment counts, the rows it prints, and the options that all experiments share."""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import click

__all__ = ["HEADING", "Row", "Tally", "Wrong", "options"]

HEADING = "| experiment | tried | refused properly | allowed or right | wrong |\n|---|---|---|---|---|"


class Wrong(Exception):  # noqa: N818 - a verdict, not an error of this program
    """The project did what it must not do.

    Args:
        kind: A word or two to count by, such as "other answer".
        what: What was seen.
    """

    def __init__(self, kind: str, what: str = "") -> None:
        super().__init__(kind, what)
        self.kind, self.what = kind, what


@dataclass
class Row:
    """One line of the table."""

    refused: int = 0
    """One sentence and exit code 1, 2 or 3, or a SasrecError or TrainError."""
    right: int = 0
    """Accepted, and it may be; or the right answer."""
    wrong: Counter[str] = field(default_factory=Counter)
    """Kind → number: a traceback, a crash, a hang, or accepted though it must not be."""

    @property
    def tried(self) -> int:
        return self.refused + self.right + self.wrong.total()


class Tally:
    """The rows of an experiment, and its first wrong cases."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.cases: list[tuple[int, str, str, str, str]] = []
        """(number, row, kind, what was tried, what was seen) of each wrong case."""

    def row(self, name: str) -> Row:
        return self.rows.setdefault(name, Row())

    def wrong(self, number: int, row: str, kind: str, tried: str, seen: str) -> None:
        self.row(row).wrong[kind] += 1
        self.cases.append((number, row, kind, tried, seen))

    def lines(self, command: str, shown: int) -> Iterator[str]:
        """Yield the table and, below it, the first `shown` cases of each kind of wrong with how to repeat them."""
        yield HEADING
        for name, row in sorted(self.rows.items()):
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in row.wrong.most_common())
            wrong = f"{row.wrong.total():,}" + (f": {kinds}" if kinds else "")
            yield f"| {name} | {row.tried:,} | {row.refused:,} | {row.right:,} | {wrong} |"
        seen_kinds: Counter[tuple[str, str]] = Counter()
        for number, row_name, kind, tried, seen in self.cases:
            seen_kinds[row_name, kind] += 1
            if seen_kinds[row_name, kind] <= shown:
                yield f"\nWRONG ({kind}) {tried}"
                yield f"    {seen:.400}"
                yield f"    again: {command} --only {number}"

    def exit_code(self) -> int:
        return 1 if any(row.wrong for row in self.rows.values()) else 0


def options(*, cases: int, limit_s: float = 60.0) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add --cases, --seed, --only, --jobs, --limit-s and --shown; the command takes them as `how: children.How`."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        from children import How

        @click.option("--cases", default=cases, show_default=True, type=click.IntRange(min=0), help="Cases to try.")
        @click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), help="Of all cases.")
        @click.option("--only", multiple=True, type=click.IntRange(min=0), help="Try this case alone; repeatable.")
        @click.option("--jobs", default=2, show_default=True, type=click.IntRange(min=1), help="Cases at a time.")
        @click.option("--limit-s", default=limit_s, show_default=True, help="Seconds after which a case hangs.")
        @click.option("--shown", default=2, show_default=True, help="Wrong cases of a kind to print.")
        @functools.wraps(command)
        def with_options(
            *, cases: int, seed: int, only: tuple[int, ...], jobs: int, limit_s: float, shown: int, **rest: Any
        ) -> None:
            numbers = list(only) or list(range(cases))
            command(how=How(numbers=numbers, seed=seed, jobs=jobs, limit_s=limit_s, shown=shown), **rest)

        return with_options

    return add
