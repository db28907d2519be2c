"""Write a folder whole or not at all: built beside its place, renamed at the end, the old one kept until then."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sasrec_train.errors import RunError

__all__ = ["check", "staged"]


def check(out: Path, *, force: bool, marker: str) -> None:
    """Refuse an output that is in the way.

    Args:
        out: The folder to be written.
        force: Whether an old one may be replaced.
        marker: A file every such folder holds; a folder without it is not ours, and is never replaced.

    Raises:
        RunError: `out` exists and must stay.
    """
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise RunError(f"{out} is a file, expected a folder to write. Choose another --out.")
    if not force:
        raise RunError(f"{out} exists already. Choose another --out, or give --force to replace it.")
    if not (out / marker).is_file() and any(out.iterdir()):
        raise RunError(f"{out} holds no {marker}, so --force does not replace it: it may be something else. "
                       "Choose another --out.")  # fmt: skip


@contextmanager
def staged(out: Path, *, force: bool, marker: str) -> Iterator[Path]:
    """Give an empty folder beside `out`; put it in `out`'s place when the block ends well, else remove it.

    Raises:
        RunError: See check; it is also checked at the end, as another run may have come first.
    """
    check(out, force=force, marker=marker)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    suffix = secrets.token_hex(4)
    partial = out.with_name(f".{out.name}.partial-{suffix}")
    partial.mkdir()
    try:
        yield partial
        check(out, force=force, marker=marker)
        old = out.with_name(f".{out.name}.old-{suffix}")
        replaces = out.exists()
        if replaces:
            out.rename(old)
        try:
            partial.rename(out)
        except OSError:
            if replaces:
                old.rename(out)
            raise
        if replaces:
            shutil.rmtree(old)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
