"""Real processes: what a kill leaves is cleared, what a living one uses is not, and a reader always finds a folder."""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runtime.atomic.boxes import BOX, content, fill, names, write
from sasrec_runtime.atomic import disk, folder, scratch, side
from sasrec_runtime.atomic.kinds import FolderKind
from sasrec_runtime.errors import OutputError

TESTS = Path(__file__).parents[2]
WRITER = """
import sys, time
from pathlib import Path
from runtime.atomic.boxes import BOX, fill
from sasrec_runtime.atomic import folder
with folder.staged(Path(sys.argv[1]), BOX, force=True) as place:
    fill(place, "new")
    print("writing", flush=True)
    time.sleep(60)
"""
REPLACER = """
import sys
from pathlib import Path
from runtime.atomic.boxes import write
for number in range(50):
    write(Path(sys.argv[1]), str(number), force=True)
"""
HOLDER = """
import sys, time
from pathlib import Path
from sasrec_runtime.atomic import scratch, side
from sasrec_runtime.atomic.kinds import FolderKind
kind = FolderKind(name="a job", marker=scratch.MARKER, paths=lambda _: ["done"])
with side.held(Path(sys.argv[1]), kind, Path("out"), job="job"):
    print("holding", flush=True)
    time.sleep(60)
"""
JOB = FolderKind(name="a job", marker=scratch.MARKER, paths=lambda _: ["done"])


def start(code: str, *arguments: Path) -> "subprocess.Popen[str]":
    """Start a Python that prints one line when it is where it should be."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def kill(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_what_a_kill_leaves_is_cleared_by_the_next_command_and_not_while_it_lives(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    writer = start(WRITER, tmp_path / "out")
    assert writer.stdout is not None
    assert writer.stdout.readline() == "writing\n"
    write(tmp_path / "out", "mine", force=True)
    assert len(names(tmp_path)) == 2, "the living writer keeps its folder"
    kill(writer)
    assert content(tmp_path / "out") == "mine"
    assert len(names(tmp_path)) == 2
    write(tmp_path / "out", "last", force=True)
    assert content(tmp_path / "out") == "last"
    assert names(tmp_path) == ["out"]


@pytest.mark.skipif(sys.platform != "linux", reason="two folders are exchanged on Linux only")
def test_a_reader_finds_a_whole_folder_through_fifty_replacements(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(out, "start")
    (tmp_path / "probe").mkdir()
    if not disk.exchange(out, tmp_path / "probe"):
        pytest.skip("this file system exchanges no folders")
    disk.exchange(out, tmp_path / "probe")
    replacer = start(REPLACER, out)
    reads = 0
    while replacer.poll() is None:
        for name in ("box.json", "a.txt", "deep/er/b.txt"):
            assert (out / name).read_text()
        reads += 1
    assert replacer.wait() == 0
    replacer.communicate()
    assert reads > 50
    assert content(out) == "49"
    assert names(tmp_path) == ["out", "probe"]


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    holder = start(HOLDER, tmp_path / "run.training")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holding\n"
    for _ in range(2):
        with pytest.raises(OutputError, match=r"another job writes to .*run\.training\. Wait for its end"):
            side.check(tmp_path / "run.training", JOB, job="job")
        with (
            pytest.raises(OutputError, match="another job writes to"),
            side.held(tmp_path / "run.training", JOB, Path("out"), job="job"),
        ):
            pass
    kill(holder)
    with side.held(tmp_path / "run.training", JOB, Path("out"), job="job"):
        (tmp_path / "run.training" / "done").touch()
    assert names(tmp_path / "run.training") == ["done", scratch.MARKER]


def test_a_side_folder_without_anything_in_it_goes(tmp_path: Path) -> None:
    with side.held(tmp_path / "run.training", JOB, Path("out"), job="job"):
        assert names(tmp_path / "run.training") == [scratch.MARKER]
    assert names(tmp_path) == []


def test_where_no_lock_is_known_only_the_leftover_of_a_process_that_is_gone_is_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for number, process in enumerate([gone.pid, os.getpid()]):
        made = scratch.Scratch.make(tmp_path / "out", BOX)
        fill(made.new, "half")
        says = (made.path / scratch.MARKER).read_text().replace(f'"pid": {os.getpid()}', f'"pid": {process}')
        (made.path / scratch.MARKER).write_text(says)
        made.path.rename(tmp_path / f".out.scratch-0000000{number}")
        made.lock.release()
    folder.check(tmp_path / "out", BOX, force=False)
    assert names(tmp_path) == [".out.scratch-00000001"]


def test_a_reader_waits_for_a_living_command_between_its_two_renames(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    made = scratch.Scratch.make(tmp_path / "out", BOX)
    fill(made.new, "new")
    (tmp_path / "out").rename(made.path / "old")
    timer = threading.Timer(0.2, made.new.rename, [tmp_path / "out"])
    timer.start()
    folder.repair(tmp_path / "out", BOX)
    assert content(tmp_path / "out") == "new"
    timer.join()
    made.lock.release()


def test_a_reader_waits_for_nothing_where_nothing_was(tmp_path: Path) -> None:
    started = time.monotonic()
    folder.repair(tmp_path / "out", BOX)
    assert time.monotonic() - started < 1
