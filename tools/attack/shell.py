"""The command `sasrec-edge` in a child process: forked and thus fast, or started by the shell as a user does."""

import contextlib
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tally import Wrong

__all__ = ["STARTED", "Finished", "command", "judge", "preload", "start"]

STARTED = (sys.executable, "-c", "from sasrec_export.cli import main; main(prog_name='sasrec-edge')")
"""What a user's shell would run, whatever is installed where."""

ENGINES = ("ai_edge_litert.interpreter", "onnxruntime", "sasrec_export.cli", "sasrec_runtime.checks.verify",
           "sasrec_runtime.batch.score_file")  # fmt: skip
TRAINING = ("sasrec_export.bundle.write", "sasrec_train.evaluation.evaluate", "sasrec_train.run")

PROPER = (0, 1, 2, 3)
SIGNALLED = (128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP)


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    code: int
    """Exit code; -N where signal N ended it."""
    out: str
    err: str


class Running:
    """A forked command that has begun."""

    def __init__(self, pid: int, out: Path, err: Path) -> None:
        self.pid, self._out, self._err = pid, out, err
        self.code: int | None = None

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, limit_s: float) -> Finished:
        """Return how it ended.

        Raises:
            Wrong: It has not, after that many seconds; it is killed.
        """
        until = time.monotonic() + limit_s
        while not self.ended():
            if time.monotonic() > until:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                raise Wrong("hang", f"the command has not ended after {limit_s:g} s")
            time.sleep(0.002)
        out, err = (path.read_bytes().decode(errors="replace") for path in (self._out, self._err))
        self._out.unlink()
        self._err.unlink()
        assert self.code is not None
        return Finished(self.code, out, err)


def preload(*, training: bool = False) -> None:
    """Import what the commands import, once for all children; no engine runs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ENGINES:
        importlib.import_module(name)
    if training:
        from sasrec_train import tensorflow_import

        tensorflow_import.import_tensorflow()
        for name in TRAINING:
            importlib.import_module(name)


def start(arguments: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Running:
    """Start the command in a process of its own group; what it prints goes to files."""
    out, err = (Path(tempfile.mkstemp(prefix="attack-out-")[1]) for _ in range(2))
    pid = os.fork()
    if pid == 0:
        _become(arguments, out, err, cwd, env or {})
    return Running(pid, out, err)


def command(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, limit_s: float = 55.0
) -> Finished:
    """Run the command and return how it ended."""
    return start(arguments, cwd=cwd, env=env).wait(limit_s)


def judge(finished: Finished, *, signalled: bool = False) -> bool:
    """Return whether the command did its work; False if it refused properly.

    Raises:
        Wrong: A traceback, a crash, another exit code, or no sentence.
    """
    if finished.code < 0 and not (signalled and -finished.code == signal.SIGKILL):
        raise Wrong(f"crash {signal.Signals(-finished.code).name}", finished.err[-300:])
    if "Traceback (most recent call last)" in finished.err:
        after = finished.err.rpartition("Traceback (most recent call last)")[2].splitlines()[1:]
        last = next((line for line in after if line and not line[0].isspace()), "unknown")
        raise Wrong(f"traceback {last.partition(':')[0].rpartition('.')[2]}", last)
    if finished.code not in PROPER + (SIGNALLED if signalled else ()) and finished.code >= 0:
        raise Wrong(f"exit {finished.code}", finished.err[-300:])
    if finished.code in {1, 2} and not any(word in finished.err for word in ("Error: ", "Usage: ", "Aborted!")):
        raise Wrong("exit without a sentence", finished.err[-300:] or finished.out[-300:])
    return finished.code == 0


def _become(arguments: Sequence[str], out: Path, err: Path, cwd: Path | None, env: Mapping[str, str]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, path in ((1, out), (2, err)):
            opened = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.dup2(opened, number)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "r" if n == 0 else "w", buffering=1) for n in range(3))
        os.environ.update(env)
        if cwd is not None:
            os.chdir(cwd)
        from sasrec_export.cli import main

        code = 0
        main(list(arguments), prog_name="sasrec-edge")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does at its end
        sys.excepthook(*sys.exc_info())
        code = 1
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
