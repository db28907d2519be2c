"""The whole of batch scoring: read, answer, write, part by part."""

import hashlib
import itertools
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Unpack

import msgspec

from sasrec_runtime.batch import counting, formats, outputs, readers
from sasrec_runtime.batch.answering import Answering
from sasrec_runtime.batch.job import PART_ROWS, Job, JobDescription
from sasrec_runtime.batch.rows import BadRow, Columns, Row
from sasrec_runtime.bundle import MANIFEST_NAME
from sasrec_runtime.errors import OutputError, RequestError
from sasrec_runtime.recommender import BATCH_BYTES, Recommender
from sasrec_runtime.selection.allowed_set import AllowedSet
from sasrec_runtime.selection.groups import Groups
from sasrec_runtime.selection.limits import LimitNames

__all__ = ["Progress", "check_files", "score_file"]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is."""

    rows: int
    """Rows of the input that are done."""
    bad_rows: int
    """How many of them had no answer."""
    resumed_rows: int
    """How many were done before this call."""

    @property
    def answered_rows(self) -> int:
        """How many have an answer."""
        return self.rows - self.bad_rows


def score_file(
    recommender: Recommender,
    histories: Path,
    out: Path,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    unknown: str = "error",
    columns: Columns | None = None,
    among: AllowedSet | None = None,
    batch_bytes: int = BATCH_BYTES,
    part_rows: int = PART_ROWS,
    spreadsheet_safe: bool = False,
    resume: bool = False,
    force: bool = False,
    on_part: Callable[[Progress], object] = lambda _: None,
    **limits: Unpack[LimitNames],
) -> Progress:
    """Answer every row of a file, and return how many there were.

    What is in memory is one part, whatever the file's size. A row that has no answer goes to `OUT.bad.jsonl`.

    Law: every row of the file is in exactly one of the two; the rows of all three are counted before these appear.

    Args:
        recommender: What answers.
        histories: The file to read: .csv, .jsonl or .parquet.
        out: The file to write, likewise; it appears when it is whole.
        k: Items for each row without candidates.
        exclude_seen: Leave out the items of the history.
        unknown: The rule the recommender was loaded with; it is part of what a resumed job must share.
        columns: Names of the columns.
        among: The only items to recommend; the set of a row narrows it.
        batch_bytes: Memory for one call of the session.
        part_rows: Rows in memory at once, and what a kill costs at most.
        spreadsheet_safe: Put `'` before users and items of CSV that a spreadsheet would run as a formula.
        resume: Go on with a job that broke off.
        force: Replace `out`, and drop what is left of a job that broke off.
        on_part: Told of every part that is done.
        limits: `groups`, `exclude_groups` and `at_most_per_group`, as for `Recommender.recommend_batch`.

    Raises:
        MissingRuntimeError: A file is Parquet, and pyarrow is not installed.
        OutputError: What lies at `out`, or beside it, is not ours, is read, or is written by another process.
        RequestError: A file, an option, or what lies at `out` is not as it should be; or the file changed meanwhile.
    """
    columns = columns or Columns()
    check_files(histories, out)
    _check_spreadsheet(out, spreadsheet_safe)
    outputs.check_places(out, (recommender.bundle.path, histories))
    _check_separator(recommender, columns.separator)
    answering = Answering(recommender, k, exclude_seen=exclude_seen, batch_bytes=batch_bytes, among=among, **limits)
    options: dict[str, str | int | bool] = {"k": k, "exclude_seen": exclude_seen, "unknown": unknown}
    options |= _described(among, **limits)
    if spreadsheet_safe:
        options["spreadsheet_safe"] = True
    job = Job(out, _describe(recommender, histories, options | msgspec.structs.asdict(columns), part_rows))
    rows = iter(readers.read(histories, columns))
    first = list(itertools.islice(rows, 1))  # a file without the columns leaves nothing behind
    try:
        done = job.start(resume=resume, force=force)
        return _run(job, done, itertools.chain(first, rows), answering, on_part, lambda: counting.rows_in(histories))
    finally:
        job.close()


def _run(
    job: Job,
    done: int,
    rows: Iterator[Row | BadRow],
    answering: Answering,
    on_part: Callable[[Progress], object],
    rows_in: Callable[[], int],
) -> Progress:
    """Do what is left of a job of which `done` parts are done."""
    parts, seen, answered, bad_rows, resumed = 0, 0, 0, 0, 0
    progress = Progress(rows=0, bad_rows=0, resumed_rows=0)
    while part := list(itertools.islice(rows, job.part_rows)):
        if parts < done:
            resumed += len(part)
        else:
            answers, bad = answering.answer([row for row in part if isinstance(row, Row)])
            unread = [row for row in part if isinstance(row, BadRow)]
            job.write_part(parts, answers, sorted([*unread, *bad], key=lambda row: row.row))
        seen += len(part)
        answered += job.answer_count(parts)
        bad_rows += job.bad_count(parts)
        parts += 1
        progress = Progress(rows=seen, bad_rows=bad_rows, resumed_rows=resumed)
        on_part(progress)
    _check_counts(rows_in(), seen, answered, bad_rows)
    job.finish(parts)
    return progress


def _check_counts(rows_in: int, seen: int, answered: int, bad_rows: int) -> None:
    """Refuse a result in which a row of the input is missing, or is more than once."""
    if not rows_in == seen == answered + bad_rows:
        raise RequestError(
            f"The histories have {rows_in:,} rows, of which {seen:,} were read, {answered:,} answered and {bad_rows:,} "
            "written as bad, expected that every row is one or the other. The output was not written. If the file "
            "changed meanwhile, start anew with --force; else report this."
        )


def check_files(histories: Path, out: Path) -> None:
    """Refuse files that cannot be read or written, before any work.

    Raises:
        MissingRuntimeError: A file is Parquet, and pyarrow is not installed.
        OutputError: `out` is a folder.
        RequestError: A suffix is not known, a path is not that of a file, or both are of the same.
    """
    for path in (histories, out):
        if formats.format_of(path) == "parquet":
            formats.parquet(path)
    _check_is_file(histories, histories.stat().st_mode)
    if out.is_dir():
        raise OutputError(f"{out} is a folder, expected a file to write. Choose another --out.")
    if out.exists():
        _check_is_file(out, out.stat().st_mode)
    histories.open("rb").close()  # an OSError that names the file
    if out.resolve() == histories.resolve():
        raise RequestError(f"{out} is read and to be written, expected two files. Choose another --out.")


def _check_is_file(path: Path, mode: int) -> None:
    """Refuse a folder, and a pipe or a device, whose rows can be read only once and have no size."""
    if not stat.S_ISREG(mode):
        seen = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise RequestError(f"{path} is {seen}, expected a file. Name another.")


def _check_spreadsheet(out: Path, spreadsheet_safe: bool) -> None:
    if spreadsheet_safe and formats.format_of(out) != "csv":
        raise RequestError(f"{out} is not CSV, expected .csv with --spreadsheet-safe. Leave that out, or write .csv.")


def _check_separator(recommender: Recommender, separator: str) -> None:
    """Refuse a separator that would cut an item key in two."""
    if not separator:
        raise RequestError("separator is empty, expected at least one character.")
    for key in recommender.vocabulary.keys:
        if key is not None and separator in key:
            raise RequestError(
                f"separator is {separator!r}, which the item key {key!r:.80} holds. Choose another with --separator."
            )


def _described(
    among: AllowedSet | None,
    groups: Groups | None = None,
    exclude_groups: Sequence[str] | None = None,
    at_most_per_group: int | None = None,
) -> dict[str, str | int | bool]:
    """Return what of the items that may be recommended must be the same for a job to be resumed."""
    described: dict[str, str | int | bool] = {}
    if among is not None:
        described["among_sha256"] = among.sha256()
    if groups is not None:
        described |= {
            "groups_sha256": groups.sha256(),
            "exclude_groups": msgspec.json.encode([*(exclude_groups or ())]).decode(),
        }
        described |= {"at_most_per_group": 0 if at_most_per_group is None else at_most_per_group}
    return described


def _describe(
    recommender: Recommender, histories: Path, options: dict[str, str | int | bool], part_rows: int
) -> JobDescription:
    status = histories.stat()
    manifest = (recommender.bundle.path / MANIFEST_NAME).read_bytes()
    return JobDescription(
        histories=histories.name,
        bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        bundle=hashlib.sha256(manifest).hexdigest(),
        variant=recommender.variant.name,
        options=options,
        part_rows=part_rows,
    )
