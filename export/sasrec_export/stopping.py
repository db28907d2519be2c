"""SIGTERM and SIGHUP as Ctrl-C: what is half done is cleared before the process ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["Terminated", "as_interrupts"]

NAMES: Final = ("SIGTERM", "SIGHUP")  # Windows lacks the second


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
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    ours = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    is_ending = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise Terminated(number)

    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)
