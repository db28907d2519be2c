"""Standard output as the commands need it: open, able to show every character, and named when it cannot be written."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import click

__all__ = ["named_stdout", "prepare"]

REFUSED: Final = "Standard output is closed, expected a place for the result. Send it to a file or to /dev/null."


def prepare() -> None:
    """Refuse a closed standard output; let a stream that cannot encode a character show its escape instead."""
    if sys.stdout is None:
        raise click.ClickException(REFUSED)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def named_stdout() -> Iterator[None]:
    """Within this, a failure to write the result is a sentence that names standard output, not just any OSError."""
    stream = sys.stdout
    sys.stdout = _NamedStdout(stream)
    try:
        yield
    finally:
        sys.stdout = stream


class _NamedStdout:
    """A text stream whose failures to write say which stream it is."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, as the stream does."""
        if text == "":  # click asks so whether the stream takes text, and passes over what that raises
            return 0
        try:
            return int(self._stream.write(text))
        except OSError as error:
            raise self._failure(error) from error

    def flush(self) -> None:
        """Write what is held back, as the stream does."""
        try:
            self._stream.flush()
        except OSError as error:
            raise self._failure(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _failure(self, error: OSError) -> click.ClickException:
        # What is held back goes nowhere, or Python would try again at its end.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        reason = error.strerror or type(error).__name__
        return click.ClickException(f"Standard output cannot be written: {reason}. The result was not printed whole.")
