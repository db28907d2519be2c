"""One state of a bundle's folder: whatever is read later comes from the manifest that was opened, or is refused."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from sasrec_runtime.errors import BundleError, BundleReplacedError, SasrecError
from sasrec_runtime.manifest import MANIFEST_LIMIT_BYTES

__all__ = ["MANIFEST_NAME", "FolderState", "Identity", "identity", "opened_again", "read_manifest"]

MANIFEST_NAME: Final = "manifest.json"

ATTEMPTS: Final = 4
"""How often something is read again when the folder changed meanwhile."""

T = TypeVar("T")
Identity = tuple[int, ...]
"""What tells one state of a file or folder from a later one: device, inode, size and times."""


class FolderState:
    """The state in which a folder was opened, known by the digest of its manifest.json.

    Args:
        path: The folder, as messages name it.
        root: The same, absolute and without links.
        manifest_sha256: Digest of manifest.json as it was read; None where there is none yet: nothing is compared.
    """

    def __init__(self, path: Path, root: Path, manifest_sha256: str | None) -> None:
        self._path = path
        self._root = root
        self._manifest_sha256 = manifest_sha256

    def steadily(self, read: Callable[[], T]) -> T:
        """Return what `read` returns, which reads files of the bundle: all of them from one state of the folder.

        Where the folder changed while it ran, and holds the same bundle, it runs again.

        Raises:
            BundleReplacedError: The folder holds another bundle now, or none.
        """
        if self._manifest_sha256 is None:
            return read()
        for _ in range(ATTEMPTS):
            before = self._now()
            try:
                result = read()
            except (SasrecError, OSError, ValueError, IndexError) as error:
                # Files of two bundles may contradict each other in any way; the cause is then the replacement.
                if self._now(error) != before:
                    continue
                if isinstance(error, SasrecError):
                    raise
                raise BundleError(
                    f"{self._path}: a file of it cannot be read ({error!s:.200}). Give this user the right to read the "
                    "folder, or export the bundle again."
                ) from error
            if self._now() == before:
                return result
        raise BundleReplacedError(
            f"{self._path} changed {ATTEMPTS} times while it was read. Load it again when it is left alone."
        )

    def check(self, cause: Exception | None = None) -> None:
        """Refuse a folder that holds another bundle than when it was opened.

        Args:
            cause: What went wrong before; it becomes the cause of the error.

        Raises:
            BundleReplacedError: manifest.json is not the one that was opened.
        """
        if self._manifest_sha256 is not None:
            self._now(cause)

    def _now(self, cause: Exception | None = None) -> Identity:
        """Return what tells this state of the folder from any other.

        The digest alone would not: a folder that is replaced twice may hold the first bundle again.

        Raises:
            BundleReplacedError: manifest.json is not the one that was opened.
        """
        try:
            folder = self._root.stat()
            status = (self._root / MANIFEST_NAME).stat()
            digest = hashlib.sha256(read_manifest(self._root / MANIFEST_NAME)).hexdigest()
        except OSError as error:
            cause, digest = error, ""
        if digest != self._manifest_sha256:
            raise BundleReplacedError(
                f"{self._path} was replaced or removed after it was opened: its manifest.json is another one. "
                "Load it again."
            ) from cause
        return folder.st_dev, folder.st_ino, folder.st_ctime_ns, *identity(status)


def opened_again(action: Callable[[], T]) -> T:
    """Return what `action` returns, which opens a bundle by its path: again where it was replaced meanwhile."""
    for _ in range(ATTEMPTS - 1):
        try:
            return action()
        except BundleReplacedError:
            continue
    return action()


def identity(status: os.stat_result) -> Identity:
    """Return what tells one state of a file from a later one."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_manifest(file: Path) -> bytes:
    """Return the content of a manifest.json, at most one byte more than it may have."""
    with file.open("rb") as stream:
        return stream.read(MANIFEST_LIMIT_BYTES + 1)
