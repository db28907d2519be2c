"""The options that say which log is read, how it is filtered and how it is split: the same in every command."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_train.cli.config_options import Number

if TYPE_CHECKING:
    from sasrec_train.log.filters import Filters
    from sasrec_train.log.interactions import Interactions
    from sasrec_train.split import SplitConfig

__all__ = ["LogOptions", "data_options"]

SHARE = Number(min=0, max=1, min_open=True, max_open=True)
OPTIONS = (
    click.option("--data", required=True, help="ml-100k, synthetic[:items=…,users=…,seed=…,mean_length=…], or a file."),
    click.option("--user-column", metavar="NAME", help="Column of user keys.  [default: by its name]"),
    click.option("--item-column", metavar="NAME", help="Column of item keys.  [default: by its name]"),
    click.option("--time-column", metavar="NAME", help="Column of times.  [default: by its name]"),
    click.option("--titles", type=click.Path(path_type=Path), help="File with item and title columns."),
    click.option("--min-rating", type=Number(), metavar="X", help="Filter out rows rated lower."),
    click.option("--rating-column", metavar="NAME", help="Column of ratings.  [default: by its name]"),
    click.option(
        "--k-core", type=click.IntRange(min=1), metavar="K",
        help="Filter out users and items with fewer than K interactions, until all have K.",
    ),
    click.option(
        "--min-history", type=click.IntRange(min=1), metavar="N", help="Filter out users with fewer interactions."
    ),
    click.option(
        "--split", type=click.Choice(["leave-one-out", "temporal"]), default="leave-one-out", show_default=True,
        help="Hold out the newest items of each user, or of all from two points in time on.",
    ),
    click.option(
        "--validation-share", type=SHARE, metavar="SHARE",
        help="Interactions between the two points in time, of all.  [default: 0.1]",
    ),
    click.option(
        "--test-share", type=SHARE, metavar="SHARE", help="Interactions after the second, of all.  [default: 0.1]"
    ),
)  # fmt: skip
NAMES = (
    "data", "user_column", "item_column", "time_column", "titles", "min_rating", "rating_column", "k_core",
    "min_history", "split", "validation_share", "test_share",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What was given on the command line; checked for contradictory options."""

    data: str
    """The log."""
    columns: dict[str, str | None]
    """user_column, item_column and time_column."""
    titles: Path | None
    """The file of titles."""
    filters: "Filters"
    """How it is filtered."""
    split: "SplitConfig"
    """How it is split."""

    def files(self) -> list[Path]:
        """Return the files that are read, which no output may replace."""
        return [Path(self.data), *([self.titles] if self.titles is not None else [])]

    def load(self) -> "Interactions":
        """Read the log."""
        from sasrec_train import datasets

        return datasets.load(self.data, **self.columns, titles=self.titles, filters=self.filters)


def data_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a log to a command, which gets them as one LogOptions called `source`."""

    @functools.wraps(command)
    def with_source(**given: Any) -> None:
        source = _parse(**{name: given.pop(name) for name in NAMES})
        command(source=source, **given)

    wrapped: Callable[..., None] = with_source
    for option in reversed(OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _parse(
    *,
    data: str,
    user_column: str | None,
    item_column: str | None,
    time_column: str | None,
    titles: Path | None,
    split: str,
    validation_share: float | None,
    test_share: float | None,
    **filters: Any,
) -> LogOptions:
    from sasrec_train.errors import ConfigError
    from sasrec_train.log.filters import Filters
    from sasrec_train.split import SplitConfig

    shares = {"validation_share": validation_share, "test_share": test_share}
    given = {name: share for name, share in shares.items() if share is not None}
    if given and split != "temporal":
        raise click.UsageError(f"--{next(iter(given)).replace('_', '-')} has no effect without --split temporal.")
    columns = {"user_column": user_column, "item_column": item_column, "time_column": time_column}
    if data.partition(":")[0] == "synthetic":
        for name, value in {**columns, **filters}.items():
            if value is not None and name not in {"k_core", "min_history"}:
                raise click.UsageError(f"--{name.replace('_', '-')} has no effect on a synthetic log. Omit it.")
        if split == "temporal":
            raise click.UsageError("--split temporal needs times, and a synthetic log has none.")
    kind: Any = split  # click has checked it
    try:
        return LogOptions(data, columns, titles, Filters(**filters), SplitConfig(kind=kind, **given))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
