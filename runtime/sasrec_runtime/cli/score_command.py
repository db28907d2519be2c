"""The command that answers a whole file of histories."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sasrec_runtime.cli.options import (
    bundle_argument,
    json_option,
    k_option,
    session_options,
    unknown_option,
    variant_option,
)
from sasrec_runtime.cli.printing import print_json

if TYPE_CHECKING:
    from sasrec_runtime.batch.score_file import Progress
    from sasrec_runtime.engines.options import OptionNames

__all__ = ["score"]

MEBIBYTE = 1 << 20


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
@click.option("--user-column", default="user", show_default=True, help="Column of the user's key.")
@click.option("--history-column", default="history", show_default=True, help="Column of item keys, oldest first.")
@click.option(
    "--candidates-column", default="candidates", show_default=True, help="Column of items to score, if there is one."
)
@click.option("--separator", default=" ", show_default="a space", help="Between the keys of one text.")
@unknown_option
@variant_option
@session_options
@click.option(
    "--batch-mb", default=64, show_default=True, type=click.IntRange(min=1), help="Memory for one call, in MiB."
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
    user_column: str,
    history_column: str,
    candidates_column: str,
    separator: str,
    unknown: Any,
    variant: str | None,
    options: "OptionNames",
    batch_mb: int,
    resume: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Answer every history of a file with BUNDLE: the best items, or the scores of given candidates.

    A row that has no answer, for a key that is no item or a field that is no list, goes to OUT.bad.jsonl with the
    reason. Numbers as keys stand for their digits. Memory does not grow with the file.

    Example: sasrec-edge score bundle --histories users.parquet --out answers.parquet
    """
    from sasrec_runtime.batch.rows import Columns
    from sasrec_runtime.batch.score_file import score_file
    from sasrec_runtime.recommender import Recommender

    recommender = Recommender.load(bundle, variant=variant, unknown=unknown, **options)
    progress = score_file(
        recommender,
        histories,
        out,
        k=k,
        exclude_seen=exclude_seen,
        unknown=unknown,
        columns=Columns(user=user_column, history=history_column, candidates=candidates_column, separator=separator),
        batch_bytes=batch_mb * MEBIBYTE,
        resume=resume,
        force=force,
        on_part=_Meter(hidden=as_json),
    )
    _print_result(out, progress, recommender.variant.name, as_json=as_json)


def _print_result(out: Path, progress: "Progress", variant: str, *, as_json: bool) -> None:
    from sasrec_runtime.batch.job import bad_rows_path

    bad = str(bad_rows_path(out)) if progress.bad_rows else None
    if as_json:
        counts = {"rows": progress.rows, "bad_rows": progress.bad_rows, "resumed_rows": progress.resumed_rows}
        print_json({"output_version": 1, "variant": variant, "out": str(out), "bad_rows_out": bad, **counts})
        return
    click.echo(f"{progress.rows - progress.bad_rows:,} rows answered by {variant}: {out}")
    if bad:
        click.echo(f"{progress.bad_rows:,} rows have no answer: {bad}")


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
