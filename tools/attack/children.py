"""Cases in child processes: each is forked from this one, so that what crashes or hangs is counted and nothing more.

The parent imports the engines and never runs them; a fork then costs milliseconds.
"""

import json
import multiprocessing
import multiprocessing.connection
import os
import pickle
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tally import Tally, Wrong

from sasrec_runtime.errors import SasrecError
from sasrec_train.errors import TrainError

__all__ = ["Case", "How", "ask", "run"]

MEMORY_BYTES = 3 << 30
"""Memory of a case: what asks for more gets a MemoryError, and this machine goes on."""

FORK = multiprocessing.get_context("fork")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class How:
    """The options of an experiment."""

    numbers: Sequence[int]
    seed: int
    jobs: int
    limit_s: float
    shown: int


class Case:
    """One case, as its child sees it."""

    def __init__(self, number: int, seed: int, folder: Path, pipe: Connection) -> None:
        self.number = number
        self.rng = np.random.default_rng([seed, number])
        """Draws the same for the same seed and number."""
        self.folder = folder
        """An empty folder, removed afterwards."""
        self._pipe = pipe

    def begins(self, row: str, tried: str) -> None:
        """Say what is tried and in which row of the table it counts: before it is, for it may end this process."""
        self._pipe.send(("begins", row, tried))

    def counts(self, *, refused: int = 0, right: int = 0, row: str | None = None) -> None:
        """Count several tries that this one case stands for; then its own end counts only where it is wrong."""
        self._pipe.send(("counts", row, refused, right))

    def wrong(self, kind: str, what: str) -> None:
        """Count something wrong, and go on."""
        self._pipe.send(("wrong", kind, what))


@dataclass
class _Child:
    process: Any
    pipe: Connection
    number: int
    deadline: float
    row: str = "?"
    tried: str = "?"
    counted: bool = False
    ended: bool = False


def run(how: How, attempt: Callable[[Case], None]) -> int:
    """Try every case and print the table; return the exit code.

    An attempt that returns was right, one that raises SasrecError or TrainError was refused properly. Wrong are those
    that raise `Wrong` or anything else, die, or take longer than the limit.
    """
    tally = Tally()
    waiting = list(reversed(how.numbers))
    running: dict[Connection, _Child] = {}
    progress = _Progress(len(waiting))
    with tempfile.TemporaryDirectory(prefix="attack-") as scratch:
        try:
            while waiting or running:
                while waiting and len(running) < how.jobs:
                    child = _start(waiting.pop(), how, attempt, Path(scratch))
                    running[child.pipe] = child
                ready = multiprocessing.connection.wait(list(running), timeout=0.5)
                for pipe in ready:
                    child = running[pipe]  # type: ignore[index]
                    if not _hear(child, tally):
                        del running[child.pipe]
                        _end(child, tally, Path(scratch))
                        progress.one_more(tally)
                for child in [child for child in running.values() if time.monotonic() > child.deadline]:
                    del running[child.pipe]
                    _kill(child)
                    tally.wrong(child.number, child.row, "hang", child.tried, f"no end after {how.limit_s:g} s")
                    child.ended = True
                    _end(child, tally, Path(scratch))
                    progress.one_more(tally)
        finally:
            for child in running.values():
                _kill(child)
    command = f"python {shlex.join(sys.argv)}"
    print("\n".join(tally.lines(command, how.shown)), flush=True)
    return tally.exit_code()


def ask(function: Callable[[], Answer]) -> Answer:
    """Return what the function returns in a child, so that this process never runs an engine itself."""
    receiver, sender = FORK.Pipe(duplex=False)

    def answer() -> None:
        sender.send_bytes(pickle.dumps(function()))

    process = FORK.Process(target=answer)
    process.start()
    sender.close()
    try:
        return pickle.loads(receiver.recv_bytes())
    except EOFError:
        process.join()
        sys.exit(f"{function}: its process ended with {process.exitcode} and no answer, see above.")
    finally:
        process.join()


def _start(number: int, how: How, attempt: Callable[[Case], None], scratch: Path) -> _Child:
    receiver, sender = FORK.Pipe(duplex=False)
    folder = scratch / str(number)
    folder.mkdir()
    case = Case(number, how.seed, folder, sender)
    process = FORK.Process(target=_work, args=(case, attempt, sender))
    process.start()
    sender.close()
    return _Child(process, receiver, number, time.monotonic() + how.limit_s)


def _work(case: Case, attempt: Callable[[Case], None], pipe: Connection) -> None:
    """The child: its own process group, no core files, no noise on stderr."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    noise = os.open(os.devnull, os.O_WRONLY)
    os.dup2(noise, 1)
    os.dup2(noise, 2)
    try:
        attempt(case)
        end = ("right", "", "")
    except (SasrecError, TrainError) as error:
        end = ("refused", type(error).__name__, str(error))
    except Wrong as verdict:
        end = ("ends wrong", verdict.kind, verdict.what)
    except BaseException as error:  # noqa: BLE001 - whatever it is: that it came out is what is counted
        last = traceback.extract_tb(error.__traceback__)[-1]
        end = ("ends wrong", type(error).__name__, f"{error!s:.200} ({Path(last.filename).name}:{last.lineno})")
    pipe.send(end)
    pipe.close()
    os._exit(0)  # without the exit handlers of the engines, which are not under test


def _hear(child: _Child, tally: Tally) -> bool:
    """Take one message of the child; False when there are no more."""
    try:
        kind, first, *rest = child.pipe.recv()
    except (EOFError, OSError, pickle.UnpicklingError):
        return False
    if kind == "begins":
        child.row, child.tried = first, rest[0]
    elif kind == "counts":
        row = tally.row(first or child.row)
        row.refused += rest[0]
        row.right += rest[1]
        child.counted = True
    elif kind == "wrong":
        tally.wrong(child.number, child.row, first, child.tried, rest[0])
    else:
        child.ended = True
        if kind == "ends wrong":
            tally.wrong(child.number, child.row, first, child.tried, rest[0])
        elif not child.counted:
            row = tally.row(child.row)
            row.refused += kind == "refused"
            row.right += kind == "right"
    return True


def _end(child: _Child, tally: Tally, scratch: Path) -> None:
    child.process.join(10)
    child.pipe.close()
    if not child.ended:
        code = child.process.exitcode
        kind = f"crash {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit {code} unsaid"
        tally.wrong(child.number, child.row, kind, child.tried, "the process died")
    shutil.rmtree(scratch / str(child.number), ignore_errors=True)


def _kill(child: _Child) -> None:
    for kill in (lambda: os.killpg(child.process.pid, signal.SIGKILL), child.process.kill):
        try:
            kill()
        except (ProcessLookupError, PermissionError):
            continue
    child.process.join()


class _Progress:
    """Says on stderr how far it is, every ten seconds."""

    def __init__(self, cases: int) -> None:
        self._cases, self._done, self._said = cases, 0, time.monotonic()

    def one_more(self, tally: Tally) -> None:
        self._done += 1
        if time.monotonic() - self._said > 10:
            self._said = time.monotonic()
            wrong = sum(row.wrong.total() for row in tally.rows.values())
            print(json.dumps({"done": self._done, "of": self._cases, "wrong": wrong}), file=sys.stderr, flush=True)
