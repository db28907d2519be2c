"""A folder appears whole or not at all, and nothing that is not ours is replaced."""

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.atomic.boxes import BOX, content, fill, names, write
from sasrec_runtime.atomic import disk, folder, kinds, scratch
from sasrec_runtime.errors import OutputError


@pytest.fixture(params=["exchange", "two renames"])
def _swaps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to replace: where the system can exchange two folders, and where it cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(disk, "_renameat2", lambda *_: False)


@pytest.mark.usefixtures("_swaps")
def test_a_folder_is_put_in_place_with_the_parents_it_needs(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "run", "1")
    assert content(tmp_path / "deep" / "run") == "1"
    assert names(tmp_path / "deep") == ["run"]


@pytest.mark.usefixtures("_swaps")
def test_an_existing_folder_is_replaced_only_by_force(tmp_path: Path) -> None:
    write(tmp_path / "run", "1")
    with pytest.raises(OutputError, match=r"run exists already\. Choose another --out, or give --force"):
        write(tmp_path / "run", "2")
    write(tmp_path / "run", "3", force=True)
    assert content(tmp_path / "run") == "3"
    assert names(tmp_path) == ["run"]


@pytest.mark.usefixtures("_swaps")
def test_an_empty_folder_may_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", "1", force=True)
    assert content(tmp_path / "run") == "1"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_fails_leaves_the_old_folder_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    write(tmp_path / "run", "1")

    def write_and_fail() -> None:
        with folder.staged(tmp_path / "run", BOX, force=True) as place:
            (place / "a.txt").write_text("2")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert content(tmp_path / "run") == "1"
    assert names(tmp_path) == ["run"]


def test_parents_that_were_made_go_when_the_writing_fails(tmp_path: Path) -> None:
    def write_and_fail() -> None:
        with folder.staged(tmp_path / "deep" / "er" / "run", BOX, force=True):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the very one
        write_and_fail()
    assert names(tmp_path) == []


def add_a_file(out: Path) -> None:
    (out / "notes.txt").write_text("mine")


def add_a_file_below(out: Path) -> None:
    (out / "deep" / "notes.txt").write_text("mine")


def add_an_empty_folder(out: Path) -> None:
    (out / "plans").mkdir()


def put_a_link_in_place_of_a_file(out: Path) -> None:
    (out / "a.txt").rename(out.parent / "elsewhere")
    (out / "a.txt").symlink_to(out.parent / "elsewhere")


def add_a_pipe(out: Path) -> None:
    (out / "a.txt").unlink()
    os.mkfifo(out / "a.txt")


@pytest.mark.parametrize(
    ("add", "named"),
    [
        (add_a_file, "'notes.txt'"),
        (add_a_file_below, "'deep/notes.txt'"),
        (add_an_empty_folder, "'plans/'"),
        (put_a_link_in_place_of_a_file, "'a.txt'"),
        (add_a_pipe, "'a.txt'"),
    ],
)
def test_a_stranger_in_our_folder_is_named_and_kept(tmp_path: Path, add, named: str) -> None:
    write(tmp_path / "run", "1")
    add(tmp_path / "run")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match=rf"run holds {named}, which a box does not, so --force does not replace it"):
        write(tmp_path / "run", "2", force=True)
    assert sorted(tmp_path.rglob("*")) == before


def test_of_many_strangers_the_first_few_are_named(tmp_path: Path) -> None:
    write(tmp_path / "run", "1")
    for number in range(9):
        (tmp_path / "run" / f"x{number}").touch()
    with pytest.raises(OutputError, match="holds 'x0', 'x1', 'x2' and more, which a box does not"):
        write(tmp_path / "run", "2", force=True)


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        (None, "it holds no box.json"),
        ('{"name": "My app"}', "its box.json is not that of a box"),
        ("no JSON", "its box.json is not that of a box"),
    ],
    ids=["none", "another's", "garbage"],
)
def test_a_folder_without_our_marker_is_never_replaced(tmp_path: Path, marker: str | None, says: str) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "a.txt").write_text("dear")
    if marker is not None:
        (tmp_path / "home" / "box.json").write_text(marker)
    with pytest.raises(OutputError, match=f"{says}, so --force does not replace it"):
        write(tmp_path / "home", "1", force=True)
    assert (tmp_path / "home" / "a.txt").read_text() == "dear"


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match="run is a file, expected a folder"):
        write(tmp_path / "run", "1", force=True)


def test_a_folder_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already"), folder.staged(tmp_path / "run", BOX, force=False):
        (tmp_path / "run").mkdir()
    assert names(tmp_path) == ["run"]


@pytest.mark.usefixtures("_swaps")
def test_a_stranger_that_comes_just_before_the_replacement_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "run", "1")
    flush_tree = disk.flush_tree

    def come_late(place: Path) -> None:
        flush_tree(place)
        (tmp_path / "run" / "notes.txt").write_text("mine")

    monkeypatch.setattr(disk, "flush_tree", come_late)
    with pytest.raises(OutputError, match="has changed meanwhile, so it is not replaced"):
        write(tmp_path / "run", "2", force=True)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"
    assert (tmp_path / "run" / "a.txt").read_text() == "1"
    assert names(tmp_path) == ["run"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    write(tmp_path / "v1", "1")
    (tmp_path / "current").symlink_to("v1")
    write(tmp_path / "current", "2", force=True)
    assert content(tmp_path / "v1") == "2"
    assert (tmp_path / "current").is_symlink()
    assert names(tmp_path) == ["current", "v1"]


def test_the_working_directory_may_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run", "1")
    monkeypatch.chdir(tmp_path / "run")
    write(Path(), "2", force=True)
    assert content(tmp_path / "run") == "2"
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("out", "given", "relation"),
    [
        ("data", "data", "is"),
        ("data/deep", "data", "lies in"),
        ("data", "data/log.csv", "holds"),
        ("link", "data", "is"),
        ("link/deep", "data/log.csv", None),
        ("data", "link/log.csv", "holds"),
        ("elsewhere", "elsewhere/link.csv", "holds"),
        ("data2", "data", None),
        ("data/deep", "missing", None),
    ],
)
def test_an_output_does_not_overlap_with_an_input(tmp_path: Path, out: str, given: str, relation: str | None) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log.csv").touch()
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "link.csv").symlink_to(tmp_path / "data" / "log.csv")
    from sasrec_runtime.atomic import overlap

    if relation is None:
        overlap.refuse(tmp_path / out, [tmp_path / given])
    elif out == given:
        with pytest.raises(OutputError, match="is read and to be written"):
            overlap.refuse(tmp_path / out, [tmp_path / given])
    else:
        with pytest.raises(OutputError, match=rf"{out} {relation} .*{given}, which is read"):
            overlap.refuse(tmp_path / out, [tmp_path / given])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_a_sentence_with_the_place(tmp_path: Path, number: int) -> None:
    write(tmp_path / "run", "1")

    def write_and_fail() -> None:
        with folder.staged(tmp_path / "run", BOX, force=True) as place:
            fill(place, "2")
            raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=r"run cannot be written \(.+\)\. Make room, or choose another --out"):
        write_and_fail()
    assert content(tmp_path / "run") == "1"
    assert names(tmp_path) == ["run"]


def test_an_error_of_reading_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), folder.staged(tmp_path / "run", BOX, force=True):
        (tmp_path / "nothing").read_text()


def test_a_disk_that_does_not_flush_leaves_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run", "1")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"run cannot be written \(No space left on device\)"):
            write(tmp_path / "run", "2", force=True)
    assert content(tmp_path / "run") == "1"
    assert names(tmp_path) == ["run"]


def test_a_place_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "file" / "run", "1")


@pytest.mark.usefixtures("_swaps")
def test_all_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run", "1")
    flushed: set[int] = set()
    fsync, rename, renameat2 = os.fsync, Path.rename, disk._renameat2
    seen: list[set[int]] = []

    def noting(descriptor: int) -> None:
        flushed.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def named(source: Path) -> None:
        if source.name == "new":
            seen.append({path.stat().st_ino for path in [source, *source.rglob("*")]} - flushed)

    def rename_noting(source: Path, target: Path) -> Path:
        named(source)
        return rename(source, target)

    def renameat2_noting(source: Path, target: Path, flags: int) -> bool:
        named(source)
        return renameat2(source, target, flags)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(Path, "rename", rename_noting)
    monkeypatch.setattr(disk, "_renameat2", renameat2_noting)
    write(tmp_path / "run", "2", force=True)
    assert seen
    assert not any(seen)
    assert tmp_path.stat().st_ino in flushed


@pytest.mark.parametrize(("age_s", "stays"), [(0, True), (48 * 3600, False)])
def test_what_version_0_1_left_is_removed_when_nobody_touches_it_any_more(
    tmp_path: Path, age_s: float, stays: bool
) -> None:
    write(tmp_path / "run", "1")
    for name in (".run.partial-0a00e842", ".run.old-0a00e842"):
        (tmp_path / name).mkdir()
        fill(tmp_path / name, "0")
        for path in [*(tmp_path / name).rglob("*"), tmp_path / name]:
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - age_s))
    write(tmp_path / "run", "2", force=True)
    assert content(tmp_path / "run") == "2"
    assert names(tmp_path) == ([".run.old-0a00e842", ".run.partial-0a00e842", "run"] if stays else ["run"])


def test_what_version_0_1_moved_away_is_put_back(tmp_path: Path) -> None:
    (tmp_path / ".run.old-0a00e842").mkdir()
    fill(tmp_path / ".run.old-0a00e842", "1")
    folder.repair(tmp_path / "run", BOX)
    assert content(tmp_path / "run") == "1"
    assert names(tmp_path) == ["run"]


def test_what_only_looks_like_a_leftover_is_kept(tmp_path: Path) -> None:
    for name in (".run.partial-0a00e842", ".run.old-0a00e842", ".run.scratch-0a00e842"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "diary.txt").write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    before = sorted(tmp_path.rglob("*"))
    write(tmp_path / "run", "1")
    assert [path for path in sorted(tmp_path.rglob("*")) if "diary" in path.name or path in before] == before


def test_only_what_is_of_the_kind_is_removed(tmp_path: Path) -> None:
    fill(tmp_path, "1")
    (tmp_path / "deep" / "notes.txt").write_text("mine")
    assert not kinds.remove(tmp_path, BOX)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "box.json",
        "deep",
        "deep/notes.txt",
    ]


def test_one_file_is_written_whole_and_leftovers_of_it_go(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.partial-0a00e842").write_text("half")
    (tmp_path / ".b.txt.partial-0a00e842").write_text("of another")
    disk.write_file(tmp_path / "a.txt", b"1")
    disk.write_file(tmp_path / "a.txt", b"2")
    assert (tmp_path / "a.txt").read_bytes() == b"2"
    assert names(tmp_path) == [".b.txt.partial-0a00e842", "a.txt"]


@pytest.fixture
def _in_time() -> Iterator[None]:
    """End a test that waits for ever."""

    def end(*_: object) -> None:
        pytest.fail("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_in_time")
@pytest.mark.parametrize("name", [scratch.MARKER, "swap.json"])
def test_a_pipe_in_what_looks_like_a_leftover_is_not_waited_for(tmp_path: Path, name: str) -> None:
    leftover = tmp_path / ".run.scratch-0123abcd"
    leftover.mkdir()
    if name != scratch.MARKER:
        (leftover / scratch.MARKER).write_bytes(scratch.description(tmp_path / "run", BOX.name))
    os.mkfifo(leftover / name)
    write(tmp_path / "run", "1")
    assert content(tmp_path / "run") == "1"
    assert (leftover / name).is_fifo()
