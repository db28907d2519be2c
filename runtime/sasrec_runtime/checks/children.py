"""Run a module in a child process, so that a crash or hang of an engine does not affect this process."""

import json
import os
import signal
import subprocess
import sys
from typing import Any

from sasrec_runtime.errors import SasrecError

__all__ = ["ChildError", "run_module"]


class ChildError(SasrecError, RuntimeError):
    """A child process crashed, hung or failed; the message says which, after "its process"."""


def run_module(module: str, request: dict[str, Any], *, timeout_s: float) -> str:
    """Run ``python -m MODULE REQUEST`` and return the last line that it printed.

    Args:
        module: Dotted name of a module that reads JSON from its first argument.
        request: That JSON.
        timeout_s: Time after which it is killed, in seconds.

    Raises:
        ChildError: It was killed by a signal, took too long, or ended with an error.
    """
    # -P and this PYTHONPATH: the child imports what this process would, and nothing from the working directory.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder)}
    command = [sys.executable, "-P", "-m", module, json.dumps(request)]
    try:
        done = subprocess.run(  # noqa: S603 - this very package
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise ChildError(f"its process did not end within {timeout_s:g} s, and was stopped") from error
    if done.returncode < 0:
        raise ChildError(f"its process crashed ({_signal_name(-done.returncode)})")
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        *_, last = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ChildError(f"its process failed: {last:.300}")
    return lines[-1]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
