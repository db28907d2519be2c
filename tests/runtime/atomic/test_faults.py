"""Wherever a replacement breaks off, the old content or the new is under its name, and the next command clears up."""

import contextlib
import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from runtime.atomic.boxes import BOX, content, names, write
from sasrec_runtime import atomic
from sasrec_runtime.atomic import disk, folder

PACKAGE = str(Path(atomic.__file__).parent)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a kill is tried in a child process")


class Stop:
    """Traces the package under test, and calls `end` before its line number `at` runs."""

    def __init__(self, at: int, end: Callable[[], object] = lambda: None) -> None:
        self.at, self.end, self.count = at, end, 0
        self.lines: dict[tuple[str, int], int] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> "Stop | None":
        if not frame.f_code.co_filename.startswith(PACKAGE) or is_collecting(frame):
            return None
        if event == "line":
            self.count += 1
            self.lines.setdefault((frame.f_code.co_filename, frame.f_lineno), self.count)
            if self.count == self.at:
                sys.settrace(None)
                self.end()
        return self


def is_collecting(frame: FrameType) -> bool:
    """Python drops what is raised while an object goes, so nothing can be tried there."""
    callers = (frame, frame.f_back)
    return any(caller is not None and caller.f_code.co_name == "__del__" for caller in callers)


@contextlib.contextmanager
def traced(stop: Stop) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(stop)
    try:
        yield
    finally:
        sys.settrace(before)


def interrupt() -> None:
    raise KeyboardInterrupt


def interrupted(out: Path, at: int) -> None:
    """Replace `out` by "new"; Ctrl-C comes at a line."""
    with contextlib.suppress(KeyboardInterrupt), traced(Stop(at, interrupt)):
        write(out, "new", force=True)
    if len(names(out.parent)) > 2:
        gc.collect()  # a lock goes with the frames that the exception kept


def killed(out: Path, at: int) -> None:
    """The same in a child that is gone at that line, with nothing cleaned up."""
    child = os.fork()
    if child == 0:
        with traced(Stop(at, lambda: os._exit(9))):
            write(out, "new", force=True)
        os._exit(0)
    os.waitpid(child, 0)


def steps_of_a_replacement(place: Path) -> list[int]:
    """Return when each line of the package runs for the first time."""
    write(place / "counted", "old")
    stop = Stop(0)
    with traced(stop):
        write(place / "counted", "new", force=True)
    return list(stop.lines.values())


@pytest.fixture
def frozen_heap() -> Iterator[None]:
    """Take what other tests left out of each garbage collection: hundreds of them take a minute otherwise."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen_heap")
@pytest.mark.parametrize("end", [interrupted, killed])
@pytest.mark.parametrize("can_exchange", [True, False], ids=["exchange", "two renames"])
@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "new"])
def test_wherever_it_breaks_off_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: Callable[..., None], can_exchange: bool, is_replaced: bool
) -> None:
    if not can_exchange:
        monkeypatch.setattr(disk, "_renameat2", lambda *_: False)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # hundreds of replacements
    steps = steps_of_a_replacement(tmp_path)
    assert len(steps) > 100
    seen = set()
    for at in steps[:: 1 if is_replaced else 4]:
        place = tmp_path / str(at)
        place.mkdir()
        (place / ".out.keep").write_text("mine")
        if is_replaced:
            write(place / "out", "old")
        end(place / "out", at)
        if can_exchange and is_replaced:
            assert content(place / "out") in {"old", "new"}, at
        folder.repair(place / "out", BOX)
        seen.add(content(place / "out"))
        write(place / "out", "newer", force=True)
        assert content(place / "out") == "newer", at
        assert names(place) == [".out.keep", "out"], at
    assert seen == {"old" if is_replaced else None, "new"}
