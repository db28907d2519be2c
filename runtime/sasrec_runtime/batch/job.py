"""A scoring job in parts, each written atomically, so that a job that was killed can be resumed.

Beside OUT lies the folder OUT.parts while the job runs: job.json says what is being done, and part i is i.rows with the
answers and i.bad with the bad rows, of the same PART_ROWS rows of the input. i.rows appears last and at once.
Every file is flushed before it gets its name. job.json is locked while a process works on the job.

Law: the parts of a job, and so OUT, are the same whether or not it was killed and resumed, also by a power cut.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from sasrec_runtime.atomic import disk, kinds, locks, side
from sasrec_runtime.atomic.kinds import FolderKind
from sasrec_runtime.batch import formats, outputs, writers
from sasrec_runtime.batch.rows import Answer, BadRow
from sasrec_runtime.errors import OutputError, RequestError

__all__ = ["PARTS", "PART_ROWS", "Job", "JobDescription", "can_resume"]

PART_ROWS: Final = 4096
"""Rows of the input in one part: the most that a kill can lose, and what is in memory."""


DESCRIPTION: Final = "job.json"
FINISHING: Final = "finishing"
"""Marker file: the output is about to be renamed into place."""


class JobDescription(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that must be unchanged for a job to be resumed."""

    histories: str
    """Name of the input file, without its folder."""
    bytes: int
    """Size of the input file, in bytes."""
    modified_ns: int
    """Modification time of the input file, in nanoseconds since the epoch."""
    bundle: str
    """SHA-256 of the bundle's manifest."""
    variant: str
    """Name of the variant that answers."""
    options: dict[str, str | int | bool]
    """Everything else that changes an answer."""
    part_rows: int
    """Rows of the input in one part."""


def _paths(data: bytes) -> list[str]:
    msgspec.json.decode(data, type=JobDescription)
    return []


PARTS_NAMES: Final = re.compile(r"job\.json(\.tmp)?|[0-9]+\.(rows|bad|bad\.tmp|tmp)|finishing|whole|bad")
PARTS: Final = FolderKind(
    name="a scoring job",
    marker=DESCRIPTION,
    paths=_paths,
    unmarked=PARTS_NAMES,
    needs_marker=False,
)
"""The folder OUT.parts."""


class Job:
    """The files of one job."""

    def __init__(self, out: Path, description: JobDescription) -> None:
        self._out = out
        self._bad = outputs.bad_rows_path(out)
        self._kind = formats.format_of(out)
        self._folder = outputs.parts_path(out)
        self._description = description
        self._lock: locks.Lock | None = None
        self._force = False
        self.part_rows = description.part_rows
        """Rows of the input in one part."""

    def start(self, *, resume: bool, force: bool) -> int:
        """Return how many parts are done already: 0 unless a job is resumed. The job is this process's until close().

        Raises:
            RequestError: The output is in the way, or what lies there is the beginning of another job.
            OutputError: What lies there is not ours, or another process works on the job.
        """
        side.check(self._folder, PARTS, job="score")
        # A kill may come when the output is there and its parts still are: then resuming puts them together again.
        was_finishing = resume and _was_finishing(self._folder)
        outputs.check_in_the_way(self._out, self._bad, force=force or was_finishing)
        self._force = force
        if self._folder.exists() and not resume:
            if not force:
                raise RequestError(
                    f"{self._folder} holds a job that broke off. Go on with --resume, or start anew with --force."
                )
            self._remove_folder()
        if (self._folder / DESCRIPTION).exists():
            self._take()
            return self._resumed()
        self._folder.mkdir(parents=True, exist_ok=True)
        disk.flush(self._folder.parent)
        _write_whole(self._folder / DESCRIPTION, msgspec.json.format(msgspec.json.encode(self._description)))
        self._take()
        return 0

    def close(self) -> None:
        """Let others work on the job."""
        if self._lock is not None:
            self._lock.release()

    def _take(self) -> None:
        try:
            self._lock = locks.take(self._folder / DESCRIPTION)
        except locks.TakenError as error:
            raise OutputError(
                f"another score writes to {self._folder}. Wait for its end, or choose another --out."
            ) from error

    def _remove_folder(self) -> None:
        """Remove the parts; what else has come among them stays."""
        if self._lock is not None:
            self._lock.release_before_removal()
        ours = sorted(path for path in self._folder.iterdir() if path.is_file() and PARTS_NAMES.fullmatch(path.name))
        late = [self._folder / DESCRIPTION, self._folder / FINISHING]  # so that a kill in between is recognised
        for path in [*(path for path in ours if path not in late), *late]:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _resumed(self) -> int:
        place = self._folder / DESCRIPTION
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
        """Write a part whole.

        Raises:
            OutputError: The disk refuses; the parts before are as they were.
        """
        with self._explained():
            _write_whole(self._folder / f"{part}.bad", b"".join(msgspec.json.encode(row) + b"\n" for row in bad))
            temporary = self._folder / f"{part}.tmp"
            options = self._description.options
            safe = bool(options.get("spreadsheet_safe", False))
            writers.write(temporary, self._kind, answers, str(options["separator"]), spreadsheet_safe=safe)
            disk.move(temporary, self._folder / f"{part}.rows")

    def bad_count(self, part: int) -> int:
        """Return how many bad rows a part that is done has."""
        with (self._folder / f"{part}.bad").open("rb") as file:
            return sum(1 for _ in file)

    def answer_count(self, part: int) -> int:
        """Return how many answers lie in the file of a part that is done."""
        return writers.count(self._folder / f"{part}.rows", self._kind)

    def finish(self, parts: int) -> None:
        """Put the parts together; the output appears when it is whole, and the parts go.

        Raises:
            OutputError: The disk refuses; the parts are as they were.
            RequestError: Something else has come to where the output should be.
        """
        with self._explained():
            self._finish(parts)
        self._remove_folder()

    def _finish(self, parts: int) -> None:
        whole = self._folder / "whole"
        writers.merge((self._folder / f"{part}.rows" for part in range(parts)), whole, self._kind)
        bad = self._folder / "bad"
        with bad.open("wb") as target:
            for chunk in self._bad_parts(parts):
                target.write(chunk)
        if not self._force:
            outputs.check_same(whole, self._out)
            outputs.check_same(bad, self._bad)
        (self._folder / FINISHING).touch()
        disk.flush(self._folder)
        if bad.stat().st_size:
            disk.move(bad, self._bad)
        elif self._force:
            self._bad.unlink(missing_ok=True)  # of an earlier job
        disk.move(whole, self._out)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Name the output, and say how to go on, where a writer only says that the disk is full."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self._out} cannot be written ({reason:.200}). Make room, and go on with --resume."
            ) from error

    def _bad_parts(self, parts: int) -> Iterator[bytes]:
        return ((self._folder / f"{part}.bad").read_bytes() for part in range(parts))


def can_resume(out: Path) -> bool:
    """Whether a job for this output broke off, which `resume` would go on with."""
    return (outputs.parts_path(out) / "job.json").is_file()


def _was_finishing(folder: Path) -> bool:
    """Return whether a job was killed while its output appeared, or later, while its folder was removed."""
    return (folder / FINISHING).exists() or (folder.is_dir() and not kinds.names_in(folder))


def _write_whole(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(data)
    disk.move(temporary, path)
