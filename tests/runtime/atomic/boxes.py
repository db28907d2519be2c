"""A made-up kind of folder, for the tests of writing whole folders: small, and without any library."""

import json
from pathlib import Path

from sasrec_runtime.atomic import folder
from sasrec_runtime.atomic.kinds import FolderKind

__all__ = ["BOX", "content", "fill", "names", "write"]


def _paths(data: bytes) -> list[str]:
    says = json.loads(data)
    if set(says) != {"box"}:
        raise ValueError("it is not a box")
    return list(says["box"])


BOX = FolderKind(name="a box", marker="box.json", paths=_paths)
FILES = ("a.txt", "deep/er/b.txt")


def fill(place: Path, text: str) -> None:
    """Write what a box holds into an empty folder."""
    for name in FILES:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    (place / "box.json").write_text(json.dumps({"box": FILES}))


def write(out: Path, text: str, *, force: bool = False) -> None:
    """Write a box as a command would."""
    with folder.staged(out, BOX, force=force) as place:
        fill(place, text)


def content(out: Path) -> str | None:
    """Return the text of a whole box, None where there is nothing."""
    if not out.exists():
        return None
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "a.txt",
        "box.json",
        "deep/er/b.txt",
    ]
    (text,) = {(out / name).read_text() for name in FILES}
    return text


def names(place: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in place.iterdir())
