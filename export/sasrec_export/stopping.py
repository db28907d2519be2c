"""SIGTERM and SIGHUP as Ctrl-C: what is half done is cleared before the process ends."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["Terminated", "as_interrupts"]

NAMES: Final = ("SIGTERM", "SIGHUP")  # Windows lacks the second

PATIENCE_S: Final = 10.0
"""How long a call of an engine may hold up the signal; then the process ends at once, as it would without this file."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end; whatever clears up after Ctrl-C clears up after this."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        """Of the signal."""


@contextmanager
def as_interrupts() -> Iterator[None]:
    """Raise Terminated in the main thread on the first of these signals; those after it wait for the clearing up.

    A signal that is ignored, as SIGHUP is under nohup, or handled already, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    numbers = [int(getattr(signal, name)) for name in NAMES if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    handled = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        if not handled.is_set():
            handled.set()
            raise Terminated(number)

    for number in ours:
        signal.signal(number, end)
    try:
        with _watched(ours, handled):
            yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _watched(numbers: Sequence[int], handled: threading.Event) -> Iterator[None]:
    """End the process if the main thread cannot handle a signal in time: Python runs no handler in native code."""
    if os.name != "posix":  # elsewhere only a socket can wake
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    watcher = threading.Thread(target=_watch, args=(reader, numbers, handled), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        watcher.join()
        os.close(reader)


def _watch(reader: int, numbers: Sequence[int], handled: threading.Event) -> None:
    while seen := os.read(reader, 64):
        ours = [number for number in seen if number in numbers]
        if ours and not handled.wait(PATIENCE_S):
            os.write(2, b"Terminated.\n")
            os._exit(128 + ours[0])
