"""A long job in parts: each is written whole, so that a job which was killed goes on where it was.

Beside OUT lies the folder OUT.parts while the job runs: job.json says what is being done, and part i is i.rows with the
answers and i.bad with the bad rows, of the same PART_ROWS rows of the input. i.rows appears last and at once.
Every file is on the disk before it has its name.

Law: the parts of a job, and so OUT, are the same whether or not it was killed and resumed; a power cut is a kill.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sasrec_runtime.batch import durable, formats, writers
from sasrec_runtime.batch.rows import Answer, BadRow
from sasrec_runtime.errors import RequestError

__all__ = ["PART_ROWS", "Job", "JobDescription", "bad_rows_path", "can_resume"]

PART_ROWS: Final = 4096
"""Rows of the input in one part: what a kill costs at most, and what is in memory."""


FINISHING: Final = "finishing"
"""Lies among the parts from just before the output appears."""


class JobDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What must be the same for a job to be resumed."""

    histories: str
    """The input file."""
    bytes: int
    """Its size."""
    modified_ns: int
    """When it was written."""
    bundle: str
    """SHA-256 of the bundle's manifest."""
    variant: str
    """The variant that answers."""
    options: dict[str, str | int | bool]
    """Everything else that changes an answer."""
    part_rows: int
    """Rows of the input in one part."""


class Job:
    """The files of one job."""

    def __init__(self, out: Path, description: JobDescription) -> None:
        self._out = out
        self._bad = bad_rows_path(out)
        self._kind = formats.format_of(out)
        self._folder = out.with_name(out.name + ".parts")
        self._description = description
        self.part_rows = description.part_rows
        """Rows of the input in one part."""

    def start(self, *, resume: bool, force: bool) -> int:
        """Return how many parts are done already: 0 unless a job is resumed.

        Raises:
            RequestError: The output is in the way, or what lies there is the beginning of another job.
        """
        # A kill may come when the output is there and its parts still are: then resuming puts them together again.
        was_finishing = resume and (self._folder / FINISHING).exists()
        if self._out.exists() and not force and not was_finishing:
            raise RequestError(f"{self._out} exists. Replace it with --force, or choose another --out.")
        if self._folder.exists() and not resume:
            if not force:
                raise RequestError(
                    f"{self._folder} holds a job that broke off. Go on with --resume, or start anew with --force."
                )
            shutil.rmtree(self._folder)
        if self._folder.exists():
            return self._resumed()
        self._folder.mkdir(parents=True)
        durable.flush(self._folder.parent)
        _write_whole(self._folder / "job.json", msgspec.json.format(msgspec.json.encode(self._description)))
        return 0

    def _resumed(self) -> int:
        place = self._folder / "job.json"
        try:
            begun = msgspec.json.decode(place.read_bytes(), type=JobDescription)
        except (OSError, msgspec.MsgspecError) as error:
            raise RequestError(f"{place} cannot be read ({error}). Start anew with --force.") from error
        fields = JobDescription.__struct_fields__
        other = [name for name in fields if getattr(begun, name) != getattr(self._description, name)]
        if other:
            seen, expected = getattr(begun, other[0]), getattr(self._description, other[0])
            raise RequestError(
                f"{place}: {other[0]} is {seen!r:.200}, expected {expected!r:.200} as in this call. "
                "Resume with what the job began with, or start anew with --force."
            )
        done = 0
        while (self._folder / f"{done}.rows").exists():
            done += 1
        return done

    def write_part(self, part: int, answers: list[Answer], bad: list[BadRow]) -> None:
        """Write a part whole."""
        _write_whole(self._folder / f"{part}.bad", b"".join(msgspec.json.encode(row) + b"\n" for row in bad))
        temporary = self._folder / f"{part}.tmp"
        options = self._description.options
        safe = bool(options.get("spreadsheet_safe", False))
        writers.write(temporary, self._kind, answers, str(options["separator"]), spreadsheet_safe=safe)
        durable.move(temporary, self._folder / f"{part}.rows")

    def bad_count(self, part: int) -> int:
        """Return how many bad rows a part that is done has."""
        with (self._folder / f"{part}.bad").open("rb") as file:
            return sum(1 for _ in file)

    def answer_count(self, part: int) -> int:
        """Return how many answers lie in the file of a part that is done."""
        return writers.count(self._folder / f"{part}.rows", self._kind)

    def finish(self, parts: int) -> None:
        """Put the parts together; the output appears when it is whole, and the parts go."""
        whole = self._folder / "whole"
        writers.merge((self._folder / f"{part}.rows" for part in range(parts)), whole, self._kind)
        bad = self._folder / "bad"
        with bad.open("wb") as target:
            for chunk in self._bad_parts(parts):
                target.write(chunk)
        if bad.stat().st_size:
            durable.move(bad, self._bad)
        else:
            self._bad.unlink(missing_ok=True)  # of an earlier job
        (self._folder / FINISHING).touch()
        durable.flush(self._folder)
        durable.move(whole, self._out)
        shutil.rmtree(self._folder)

    def _bad_parts(self, parts: int) -> Iterator[bytes]:
        return ((self._folder / f"{part}.bad").read_bytes() for part in range(parts))


def bad_rows_path(out: Path) -> Path:
    """Return where the bad rows of an output go: JSON lines with row, user and reason."""
    return out.with_name(out.name + ".bad.jsonl")


def can_resume(out: Path) -> bool:
    """Whether a job for this output broke off, which `resume` would go on with."""
    return (out.with_name(out.name + ".parts") / "job.json").is_file()


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    durable.move(temporary, path)
