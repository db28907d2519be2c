"""A bundle on disk: manifest.json read strictly, and every file it names present, whole and inside the folder."""

import functools
import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final, TypeVar

from sasrec_runtime import digests
from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.atomic import folder
from sasrec_runtime.bundle_folder import BUNDLE
from sasrec_runtime.digests import Verify
from sasrec_runtime.errors import (
    BundleError,
    DigestError,
    ManifestError,
    VariantError,
    shown,
)
from sasrec_runtime.folder_state import MANIFEST_NAME, FolderState, Identity, identity, opened_again, read_manifest
from sasrec_runtime.manifest import FileEntry, Manifest, Variant
from sasrec_runtime.vocabulary.vocabulary import Vocabulary

__all__ = ["MANIFEST_NAME", "Bundle"]

LISTED: Final = 50
"""Files that a message names; of more it says the number."""

T = TypeVar("T")

UNSAFE_PATH: Final = re.compile(r"""
    ^/ | ^[A-Za-z]: | \\ | \0        # absolute, a Windows drive or separator, the end of a C string
  | (^|/)\.{1,2}(/|$)                # "." or ".." as a part
  | // | /$ | ^$                     # an empty part
""", re.VERBOSE)  # fmt: skip


class Bundle:
    """A folder that `sasrec-edge export` wrote, opened and checked.

    Opening compares sizes, which costs microseconds; `verify_digests` reads every byte.

    A bundle stands for one state of its folder. What is read from it later, by whatever was loaded from it, is read
    while manifest.json is still the one that was opened; after a replacement it is a BundleReplacedError.

    Example:
        ``Bundle.open("bundle").manifest.model.n_items``
    """

    def __init__(self, path: Path, manifest: Manifest, *, manifest_sha256: str | None = None) -> None:
        self.path = path
        """The folder, as it was given."""
        self.manifest = manifest
        """What manifest.json says."""
        self.manifest_sha256 = manifest_sha256
        """Digest of manifest.json as it was read; None where a writer has not written it yet: nothing is compared."""
        self._root = _resolved(path)  # once: the folder stays the same after chdir, or when a link to it is changed
        self._state = FolderState(path, self._root, manifest_sha256)
        self._hashed: dict[str, Identity] = {}

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Return the bundle in the folder `path`.

        Raises:
            BundleError: There is no bundle, or files of it are missing.
            DigestError: A file has not the size that the manifest says.
            FormatVersionError: It was written in a newer format.
            ManifestError: manifest.json is not valid, or names a file outside the folder.
        """
        return opened_again(lambda: cls._open(Path(path)))

    @classmethod
    def _open(cls, path: Path) -> "Bundle":
        data = _read_manifest(path)
        bundle = cls(path, manifest_module.decode(data), manifest_sha256=hashlib.sha256(data).hexdigest())
        bundle.steadily(bundle._check_all)
        return bundle

    @property
    def root(self) -> Path:
        """The folder, absolute and without links."""
        return self._root

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """Item keys and titles, read on first use."""
        return self._read_vocabulary(self.to_hash(next(iter(self.manifest.variants), None), None))

    def load_vocabulary(self, to_hash: Collection[str]) -> Vocabulary:
        """Return `vocabulary`; where it is read now, its files among the paths `to_hash` are hashed first."""
        if "vocabulary" not in self.__dict__:
            self.__dict__["vocabulary"] = self._read_vocabulary(to_hash)
        return self.vocabulary

    def _read_vocabulary(self, to_hash: Collection[str]) -> Vocabulary:
        files = self.manifest.vocabulary
        items, titles = self.file(files.items.path), self.file(files.titles.path) if files.titles else None

        def read() -> Vocabulary:
            self.check([files.items, *([files.titles] if files.titles else [])], to_hash)
            return Vocabulary.read(items, titles, n_items=self.manifest.model.n_items)

        return self.steadily(read)

    def read(self, entry: FileEntry, limit_bytes: int) -> bytes:
        """Return the content of a file that has the size and the digest the manifest says.

        Raises:
            BundleError: It is missing, cannot be read, or has more than `limit_bytes`.
            DigestError: It has another size or digest.
        """
        if entry.bytes > limit_bytes:
            raise BundleError(
                f"{entry.path} is {entry.bytes} bytes, expected at most {limit_bytes}. Export the bundle again."
            )

        def read() -> bytes:
            self.check([entry], [entry.path])
            return self.file(entry.path).read_bytes()

        return self.steadily(read)

    def variant(self, name: str) -> Variant:
        """Return the variant of that name.

        Raises:
            VariantError: There is none; the message lists those there are.
        """
        is_text = isinstance(name, str)  # an array would be compared element by element
        variant = self.manifest.variant(name) if is_text else None
        if variant is None:
            import difflib  # noqa: PLC0415 - only on the way to an error

            names = [variant.name for variant in self.manifest.variants]
            closest = difflib.get_close_matches(name if is_text else "", names, 1, cutoff=0.0)
            raise VariantError(
                f"variant is {shown(name)}, expected one of {_listed(names, ', ')}. Did you mean {closest[0]!r:.80}?"
            )
        return variant

    def file(self, relative_path: str) -> Path:
        """Return where the file of that manifest path is on this disk.

        Raises:
            ManifestError: The path leaves the bundle.
        """
        if problem := self._path_problem(relative_path):
            raise ManifestError(f"{MANIFEST_NAME}: {problem}. Export the bundle again.")
        return self._root / relative_path

    def to_hash(self, variant: Variant | None, verify: Verify | None) -> frozenset[str]:
        """Return the paths of the files that are hashed before they are parsed.

        Args:
            variant: The one that is loaded, or None.
            verify: As for `Recommender.load`.
        """
        files = self.manifest.vocabulary
        used = [files.items, *([files.titles] if files.titles else []), *(variant.files if variant else [])]
        return frozenset(entry.path for entry in digests.to_hash(used, verify))

    def check(self, entries: Iterable[FileEntry], to_hash: Collection[str]) -> None:
        """Compare files with the manifest, just before something parses them.

        A file that was hashed before, and has not changed since as far as the system says, is not hashed again.

        Args:
            entries: The files.
            to_hash: Paths of those whose digest is compared, too; of others only the size is.

        Raises:
            BundleError: A file is missing or cannot be read.
            DigestError: A file has another size or digest.
        """
        for entry in entries:
            path = self.file(entry.path)
            status = _status(path)
            if status is None or status.st_size != entry.bytes:
                seen = "missing" if status is None else f"{status.st_size} bytes"
                message = f"{self.path}: {entry.path} is {seen}, expected {entry.bytes} bytes. {_copy_again([''])}"
                raise BundleError(message) if status is None else DigestError(message)
            if entry.path not in to_hash or self._hashed.get(entry.path) == identity(status):
                continue
            digest = self._digest_of(entry)
            if digest != entry.sha256:
                raise DigestError(
                    f"{self.path}: {entry.path}: sha256 is {digest}, expected {entry.sha256}. {_copy_again([''])}"
                )
            self._hashed[entry.path] = identity(status)

    def steadily(self, read: Callable[[], T]) -> T:
        """Return what `read` returns, which reads files of this bundle: all of them from one state of the folder.

        Raises:
            BundleReplacedError: The folder holds another bundle now, or none.
        """
        return self._state.steadily(read)

    def verify_digests(self, progress: Callable[[int], object] | None = None) -> None:
        """Read every file and compare its SHA-256 with the manifest.

        Args:
            progress: Called with the number of bytes just read; they add up to the sizes of `manifest.all_files()`.

        Raises:
            BundleError: A file cannot be read.
            BundleReplacedError: The folder holds another bundle than the one that was opened.
            DigestError: At least one file differs; the message lists them.
        """
        self._state.check()
        differing = []
        for entry in self.manifest.all_files():
            try:
                digest = self._digest_of(entry, progress)
            except BundleError as error:
                self._state.check(error)
                raise
            if digest != entry.sha256:
                differing.append(f"{entry.path}: sha256 is {digest}, expected {entry.sha256}")
        self._state.check()
        if differing:
            raise DigestError(f"{self.path}: {_listed(differing)}. {_copy_again(differing)}")

    def _digest_of(self, entry: FileEntry, progress: Callable[[int], object] | None = None) -> str:
        try:
            return digests.sha256(self.file(entry.path), progress)
        except OSError as error:
            raise BundleError(_unreadable(self.path / entry.path, error)) from error

    def _check_all(self) -> None:
        """Refuse a manifest that contradicts itself, and files that are missing or have another size."""
        problems = [problem for entry in self.manifest.all_entries() if (problem := self._path_problem(entry.path))]
        problems += manifest_module.problems(self.manifest)
        if problems:
            listed = _listed(list(dict.fromkeys(problems)))
            raise ManifestError(f"{MANIFEST_NAME}: {listed}. Export the bundle again.")
        self._check_sizes()

    def _path_problem(self, relative_path: str) -> str | None:
        """Say what is wrong with a manifest path; None if it stays inside the folder."""
        if UNSAFE_PATH.search(relative_path):
            return f"path {relative_path!r:.80} is not a plain relative POSIX path inside the bundle"
        try:
            stays_inside = (self._root / relative_path).resolve().is_relative_to(self._root)
        except (OSError, RuntimeError):  # a link that leads to itself; Python 3.13 takes it for a missing file
            stays_inside = False
        if not stays_inside:
            return f"path {relative_path!r:.80} leads out of the bundle through a link"
        return None

    def _check_sizes(self) -> None:
        missing, wrong = [], []
        for entry in self.manifest.all_files():
            status = _status(self._root / entry.path)
            if status is None:
                missing.append(f"{entry.path} is missing, expected {entry.bytes} bytes")
            elif status.st_size != entry.bytes:
                wrong.append(f"{entry.path} is {status.st_size} bytes, expected {entry.bytes}")
        if missing or wrong:
            message = f"{self.path}: {_listed(missing + wrong)}. {_copy_again(missing + wrong)}"
            raise BundleError(message) if missing else DigestError(message)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, no working directory, NUL: not a folder
        return path


def _read_manifest(path: Path) -> bytes:
    file = _resolved(path) / MANIFEST_NAME
    try:
        if not file.is_file():
            folder.repair(path, BUNDLE)  # of a replacement that was killed, where the system has no exchange
        if file.is_file():
            return read_manifest(file)
        seen = "has no manifest.json" if path.is_dir() else "is not a folder" if path.exists() else "does not exist"
        raise BundleError(
            f"{path} {seen}, expected a bundle. Give the folder that `sasrec-edge export` wrote with --out."
        )
    except OSError as error:
        raise BundleError(_unreadable(path / MANIFEST_NAME, error)) from error


def _unreadable(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{path} cannot be read ({reason}). Give this user the right to read it, or copy the bundle again."


def _status(path: Path) -> os.stat_result | None:
    """Return what the system says of a regular file; None where there is none, or no name that the disk can hold."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _listed(parts: list[str], separator: str = "; ") -> str:
    more = len(parts) - LISTED
    return separator.join(parts[:LISTED]) + (f"{separator}and {more} more" if more > 0 else "")


def _copy_again(failures: list[str]) -> str:
    files = "that file" if len(failures) == 1 else f"those {len(failures)} files"
    return f"Copy {files} again from where the bundle was exported, or export it again."
