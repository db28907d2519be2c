"""The command that answers a whole file of histories."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_runtime.cli.options import (
    among_option,
    bundle_argument,
    group_options,
    json_option,
    k_option,
    session_options,
    unknown_option,
    variant_option,
)
from sasrec_runtime.cli.printing import print_json, print_lines
from sasrec_runtime.errors import RequestError

if TYPE_CHECKING:
    from sasrec_runtime.batch.max_bad import MaxBad
    from sasrec_runtime.batch.score_file import Progress
    from sasrec_runtime.engines.options import OptionNames

__all__ = ["score"]

MEBIBYTE = 1 << 20


def _max_bad(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> "MaxBad | None":
    """Return the limit of bad rows; a bare 0.5 might be a half or half a percent, so it is refused."""
    if value is None:
        return None
    from sasrec_runtime.batch.max_bad import MaxBad

    try:
        return MaxBad.parse(value)
    except RequestError as error:
        raise click.BadParameter(
            f"{value!r:.80} is not a limit, expected a percentage such as 1%, or a count of rows such as 100."
        ) from error


@click.command()
@bundle_argument
@click.option(
    "--histories", required=True, type=click.Path(path_type=Path), help="File to read: .csv, .jsonl or .parquet."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write: .csv, .jsonl or .parquet.")
@k_option
@click.option(
    "--exclude-seen/--keep-seen", default=True, show_default=True, help="Leave out items of the history, or not."
)
@among_option
@group_options
@click.option("--user-column", default="user", show_default=True, help="Column of the user's key.")
@click.option("--history-column", default="history", show_default=True, help="Column of item keys, oldest first.")
@click.option(
    "--candidates-column", default="candidates", show_default=True, help="Column of items to score, if there is one."
)
@click.option(
    "--among-column",
    default="among",
    show_default=True,
    help="Column of a row's only items to return, if there is one.",
)
@click.option("--separator", default=" ", show_default="a space", help="Between the keys of one text.")
@unknown_option
@variant_option
@session_options
@click.option(
    "--batch-mb", default=64, show_default=True, type=click.IntRange(min=1), help="Memory for one call, in MiB."
)
@click.option(
    "--max-bad",
    callback=_max_bad,
    metavar="LIMIT",
    help="Exit code 1 if more rows than this have no answer: such as 1%, or a count.  [default: no limit]",
)
@click.option(
    "--spreadsheet-safe", is_flag=True, help="Put ' before cells of CSV that a spreadsheet would run as a formula."
)
@click.option("--resume", is_flag=True, help="Go on with a job that broke off; the output is the same.")
@click.option("--force", is_flag=True, help="Replace an existing output.")
@json_option
def score(
    bundle: Path,
    histories: Path,
    out: Path,
    k: int,
    exclude_seen: bool,
    among: Path | None,
    groups: Path | None,
    exclude_groups: tuple[str, ...],
    at_most_per_group: int | None,
    user_column: str,
    history_column: str,
    candidates_column: str,
    among_column: str,
    separator: str,
    unknown: Any,
    variant: str | None,
    options: "OptionNames",
    batch_mb: int,
    max_bad: "MaxBad | None",
    spreadsheet_safe: bool,
    resume: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Answer every history of a file with BUNDLE: the best items, or the scores of given candidates.

    A row that has no answer, for a key that is not an item or a field that is not a list, goes to OUT.bad.jsonl with
    the reason. Every row of the file is in OUT or there: both are counted. Numbers as keys stand for their digits.
    Memory does not grow with the file.

    Example: sasrec-edge score bundle --histories users.parquet --out answers.parquet
    """
    from sasrec_runtime.batch import score_file as scoring
    from sasrec_runtime.batch.rows import Columns
    from sasrec_runtime.bundle import Bundle
    from sasrec_runtime.cli import selecting
    from sasrec_runtime.recommender import Recommender

    opened = Bundle.open(bundle)
    scoring.check_files(histories, out)  # before the model is loaded
    columns = Columns(
        user=user_column,
        history=history_column,
        candidates=candidates_column,
        among=among_column,
        separator=separator,
    )
    recommender = Recommender.load(opened, variant=variant, unknown=unknown, **options)
    with _says_what_resumes(out):
        progress = scoring.score_file(
            recommender,
            histories,
            out,
            k=k,
            exclude_seen=exclude_seen,
            unknown=unknown,
            columns=columns,
            among=selecting.allowed_set(among, recommender),
            batch_bytes=batch_mb * MEBIBYTE,
            spreadsheet_safe=spreadsheet_safe,
            resume=resume,
            force=force,
            on_part=_Meter(hidden=as_json),
            **selecting.limits(groups, exclude_groups, at_most_per_group, recommender),
        )
    _print_result(out, progress, recommender.variant.name, as_json=as_json)
    if max_bad is not None and max_bad.is_exceeded(progress.bad_rows, progress.rows):
        raise RequestError(
            f"{progress.bad_rows:,} of {_rows(progress.rows)} have no answer, expected at most {max_bad.text} "
            f"(--max-bad). {out} holds the answers of the others."
        )


@contextmanager
def _says_what_resumes(out: Path) -> Iterator[None]:
    """Say on Ctrl-C, or on a signal that acts alike, that --resume goes on with the job, if one was begun."""
    from sasrec_runtime.batch.job import can_resume

    try:
        yield
    except KeyboardInterrupt:
        if can_resume(out):
            click.echo("Stopped. The same command with --resume goes on.", err=True)
        raise


def _print_result(out: Path, progress: "Progress", variant: str, *, as_json: bool) -> None:
    from sasrec_runtime.batch.outputs import bad_rows_path

    bad = str(bad_rows_path(out)) if progress.bad_rows else None
    if as_json:
        counts = {"rows": progress.rows, "answered_rows": progress.answered_rows, "bad_rows": progress.bad_rows}
        counts |= {"resumed_rows": progress.resumed_rows}
        print_json({"output_version": 1, "variant": variant, "out": str(out), "bad_rows_out": bad, **counts})
        return
    print_lines(
        f"{_rows(progress.rows)} read: {progress.answered_rows:,} answered by {variant} ({out}), "
        f"{progress.bad_rows:,} without an answer{f' ({bad})' if bad else ''}"
    )


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


class _Meter:
    """Says on stderr how far a job is, at most every two seconds."""

    def __init__(self, *, hidden: bool) -> None:
        self._hidden = hidden
        self._started = self._said = time.monotonic()

    def __call__(self, progress: "Progress") -> None:
        now = time.monotonic()
        if self._hidden or now - self._said < 2:
            return
        self._said = now
        rate = (progress.rows - progress.resumed_rows) / (now - self._started)
        click.echo(f"{progress.rows:,} rows, {progress.bad_rows:,} bad, {rate:,.0f} rows/s", file=sys.stderr)
