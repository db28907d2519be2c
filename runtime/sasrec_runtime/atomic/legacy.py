"""What version 0.1 left beside an output when it was killed: `.NAME.partial-xxxxxxxx` and `.NAME.old-xxxxxxxx`.

They have no lock that would show whether their process still runs, so only those unchanged for a day are removed.
"""

import os
import re
import time
from pathlib import Path
from typing import Final

from sasrec_runtime.atomic import disk, kinds
from sasrec_runtime.atomic.kinds import FolderKind

__all__ = ["tidy"]

UNTOUCHED_S: Final = 24 * 3600


def tidy(out: Path, kind: FolderKind) -> None:
    """Put the replaced content back where the output is missing, and remove what is all of its kind and old.

    Raises:
        OSError: Something cannot be read, renamed or removed.
    """
    pattern = re.compile(rf"\.{re.escape(out.name)}\.(partial|old)-[0-9a-f]{{8}}")
    if not out.parent.is_dir():
        return
    with os.scandir(out.parent) as entries:
        found = [(match[1], out.parent / entry.name) for entry in entries if (match := pattern.fullmatch(entry.name))]
    replaced = [path for what, path in found if what == "old" and kinds.is_ours(path, kind) and any(path.iterdir())]
    if replaced and not os.path.lexists(out):
        disk.rename_new(max(replaced, key=lambda path: path.stat().st_mtime), out)
        disk.flush(out.parent)
    for _, path in found:
        if os.path.lexists(path) and kinds.is_ours(path, kind, unfinished=True) and _is_untouched(path):
            kinds.remove(path, kind, unfinished=True)


def _is_untouched(folder: Path) -> bool:
    newest = max(path.lstat().st_mtime for path in [folder, *folder.rglob("*")])
    return time.time() - newest > UNTOUCHED_S
