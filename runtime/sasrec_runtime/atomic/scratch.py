"""The scratch folder in which an output is built, beside the output, and how one left by a killed command is settled.

    .NAME.scratch-xxxxxxxx/
        sasrec-edge.json    says for which output; locked while its process lives
        new/                what is being written; after an exchange, what was replaced
        swap.json           there from just before the replacement: the identity of the finished folder
        old/                what is replaced, where the system cannot exchange two folders

Law: whatever step is the last one that was done, `settle` leaves the old content or the new one under the output's
name, whole, and removes nothing but what we wrote.
"""

import contextlib
import json
import os
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sasrec_runtime.atomic import disk, kinds, legacy, locks
from sasrec_runtime.atomic.kinds import FolderKind
from sasrec_runtime.atomic.locks import Lock
from sasrec_runtime.errors import OutputError

__all__ = ["MARKER", "Scratch", "check_description", "description", "is_begun", "is_replacing", "opened", "tidy"]

MARKER: Final = "sasrec-edge.json"
SWAP: Final = "swap.json"
NEW: Final = "new"
OLD: Final = "old"
LAYOUT: Final = {MARKER, SWAP, NEW, OLD}
BEGINNING: Final = b'{"written_by": "sasrec-edge", '
ATTEMPTS: Final = 8


def description(out: Path, kind: str) -> bytes:
    """Return the content of the marker of a scratch or side folder: which output and process it belongs to."""
    says = {"written_by": "sasrec-edge", "output": out.name, "kind": kind, "host": socket.gethostname()}
    return json.dumps({**says, "pid": os.getpid()}).encode() + b"\n"


class Scratch:
    """A scratch folder, locked by this process.

    Args:
        path: The folder.
        out: The output that it is for, resolved.
        kind: What the output is.
        lock: On its marker.
    """

    def __init__(self, path: Path, out: Path, kind: FolderKind, lock: Lock) -> None:
        self.path = path
        self.out = out
        self.kind = kind
        self.lock = lock
        self.new = path / NEW
        """Where the output is built."""
        self._old = path / OLD
        self._swap = path / SWAP

    @classmethod
    def make(cls, out: Path, kind: FolderKind) -> "Scratch":
        """Return a new one with an empty folder `new`.

        Raises:
            OSError: It cannot be made.
        """
        for attempt in range(ATTEMPTS):
            path = out.with_name(f".{out.name}.scratch-{secrets.token_hex(4)}")
            path.mkdir()
            try:
                lock = locks.take(path / MARKER, create=True)
            except (FileNotFoundError, locks.TakenError):  # another command has taken it for a leftover, and removed it
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
            try:
                lock.write(description(out, kind.name))
                (path / NEW).mkdir()
            except BaseException:
                with contextlib.suppress(OSError):
                    kinds.remove_all(path)
                raise
            return cls(path, out, kind, lock)
        raise AssertionError  # the loop returns or raises

    def put_in_place(self) -> None:
        """Give `new` the output's name, and what had it the name of `new` or `old`. All is on the disk then.

        Raises:
            OSError: The disk, or the system, refuses.
            OutputError: Something that is not ours came into the old folder; it is back under its name.
        """
        if foreign := kinds.strangers(self.new, self.kind):
            raise OutputError(f"{self.kind.name} would hold {kinds.in_words(foreign)}: a fault of sasrec-edge.")
        disk.flush_tree(self.new)
        self._swap.write_text(json.dumps(_identity(self.new)), encoding="utf-8")
        disk.flush(self._swap)
        disk.flush(self.path)
        if not os.path.lexists(self.out):
            disk.rename_new(self.new, self.out)
        elif not disk.exchange(self.new, self.out):
            self.out.rename(self._old)
            disk.rename_new(self.new, self.out)
        disk.flush(self.out.parent)
        disk.flush(self.path)
        if (replaced := self._replaced()) and not kinds.is_ours(replaced, self.kind):
            self._put_back(replaced)
            raise OutputError(f"{self.out} has changed meanwhile, so it is not replaced. Choose another --out.")

    def settle(self) -> None:
        """Bring what was begun to an end, and remove the folder. See the law above; any step may be done before."""
        if not os.path.lexists(self.out) and os.path.lexists(self._old):
            self._restore()
        if kinds.names_in(self.path) - LAYOUT:
            return
        if self._is_in_place():
            replaced = self._replaced()
            if replaced and not kinds.is_ours(replaced, self.kind):
                self._put_back(replaced)
            elif replaced:
                disk.flush(self.out.parent)
                kinds.remove(replaced, self.kind)
        if os.path.lexists(self.new) and self._is_unplaced():
            kinds.remove_all(self.new)
        if not os.path.lexists(self.new) and not os.path.lexists(self._old):
            self._swap.unlink(missing_ok=True)
            self.lock.release_before_removal()
            (self.path / MARKER).unlink(missing_ok=True)
            self.path.rmdir()

    def _restore(self) -> None:
        """Put the old content back: the replacement broke off between its two renames."""
        with contextlib.suppress(FileExistsError):
            disk.rename_new(self._old, self.out)
            disk.flush(self.out.parent)

    def _replaced(self) -> Path | None:
        """Return where the replaced folder is, when the new one is in place; None where there was none."""
        return next((path for path in (self._old, self.new) if os.path.lexists(path)), None)

    def _put_back(self, replaced: Path) -> None:
        """Undo the replacement."""
        if replaced == self.new:
            disk.exchange(self.new, self.out)
        else:
            self.out.rename(self.new)
            disk.rename_new(self._old, self.out)
        disk.flush(self.out.parent)

    def _is_in_place(self) -> bool:
        """Return whether what has the output's name is the folder that was built here."""
        return self._swap_says() is not None and self._swap_says() == _identity(self.out)

    def _is_unplaced(self) -> bool:
        """Return whether `new` is still the folder that was built here."""
        # Without a readable swap.json no replacement was begun: it is flushed before.
        return self._swap_says() in (None, _identity(self.new))

    def _swap_says(self) -> list[int] | None:
        try:
            found: Any = json.loads(kinds.plain_bytes(self._swap))
        except (FileNotFoundError, ValueError):
            return None
        return found if isinstance(found, list) else None


def _identity(path: Path) -> list[int] | None:
    """Return what names a folder on this machine, whatever it is called."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return [status.st_dev, status.st_ino]


@contextlib.contextmanager
def opened(out: Path, kind: FolderKind) -> Iterator[Scratch]:
    """Give a scratch folder, and settle it however the block ends."""
    scratch = Scratch.make(out, kind)
    try:
        yield scratch
    finally:
        try:
            with contextlib.suppress(OSError):  # what cannot be removed now is a leftover for the next command
                scratch.settle()
        finally:
            scratch.lock.release()


def tidy(out: Path, kind: FolderKind) -> None:
    """Settle what killed commands left of an output, put it back where it is missing, and remove the rest.

    What a living command uses, what holds strangers, and what is of another kind stays; so does what may not be
    removed.

    Args:
        out: The output, resolved.
        kind: What it is.
    """
    for path in _beside(out, _pattern(out)):
        with contextlib.suppress(OSError, locks.TakenError):
            _settle_leftover(path, out, kind)
    with contextlib.suppress(OSError):
        legacy.tidy(out, kind)


def is_replacing(out: Path) -> bool:
    """Return whether an output is between its two names, as seen from outside."""
    return any(os.path.lexists(path / OLD) and os.path.lexists(path / NEW) for path in _beside(out, _pattern(out)))


def _pattern(out: Path) -> "re.Pattern[str]":
    return re.compile(rf"\.{re.escape(out.name)}\.scratch-[0-9a-f]{{8}}")


def _beside(out: Path, pattern: "re.Pattern[str]") -> list[Path]:
    try:
        with os.scandir(out.parent) as entries:
            found = [entry.name for entry in entries if pattern.fullmatch(entry.name)]
    except OSError:  # the folder does not exist yet
        return []
    return [out.parent / name for name in sorted(found)]


def _settle_leftover(path: Path, out: Path, kind: FolderKind) -> None:
    if path.is_symlink() or not path.is_dir():
        return
    marker = path / MARKER
    if not os.path.lexists(marker):
        path.rmdir()  # killed before its first file: removed if it is empty
        return
    lock = locks.take(marker)
    try:
        if _is_of(marker, out, kind) and (lock.is_certain or _has_ended(marker)):
            Scratch(path, out, kind, lock).settle()
    finally:
        lock.release()


def _is_of(marker: Path, out: Path, kind: FolderKind) -> bool:
    data = kinds.plain_bytes(marker)
    if is_begun(data):
        return kinds.names_in(marker.parent) == {MARKER}
    says = _read(data)
    return (says.get("written_by"), says.get("output"), says.get("kind")) == ("sasrec-edge", out.name, kind.name)


def is_begun(data: bytes) -> bool:
    """Return whether this is the beginning of a description whose writing broke off."""
    return BEGINNING.startswith(data) or (data.startswith(BEGINNING) and not data.endswith(b"}\n"))


def check_description(data: bytes, kind: str) -> None:
    """Refuse a marker that is not the description of something of a kind, whole or begun.

    Raises:
        ValueError: It is not.
    """
    says = _read(data)
    if not is_begun(data) and (says.get("written_by"), says.get("kind")) != ("sasrec-edge", kind):
        raise ValueError(f"it is not {kind}")


def _has_ended(marker: Path) -> bool:
    """Return whether a process is known to be gone; where nothing is known, it is taken to live."""
    says = _read(kinds.plain_bytes(marker))
    process = says.get("pid")
    if os.name != "posix" or says.get("host") != socket.gethostname() or not isinstance(process, int) or process < 1:
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _read(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
