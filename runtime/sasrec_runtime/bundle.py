"""A bundle on disk: manifest.json read strictly, and every file it names present, whole and inside the folder."""

import functools
import hashlib
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.atomic import folder
from sasrec_runtime.bundle_folder import BUNDLE
from sasrec_runtime.errors import BundleError, DigestError, ManifestError, VariantError
from sasrec_runtime.manifest import Manifest, Variant
from sasrec_runtime.vocab import Vocabulary

__all__ = ["MANIFEST_NAME", "Bundle"]

MANIFEST_NAME: Final = "manifest.json"

CHUNK_BYTES: Final = 1 << 20
"""Read at once while hashing: large enough to be fast, small enough for a phone."""

UNSAFE_PATH: Final = re.compile(r"""
    ^/ | ^[A-Za-z]: | \\ | \0        # absolute, a Windows drive or separator, the end of a C string
  | (^|/)\.{1,2}(/|$)                # "." or ".." as a part
  | // | /$ | ^$                     # an empty part
""", re.VERBOSE)  # fmt: skip


class Bundle:
    """A folder that `sasrec-edge export` wrote, opened and checked.

    Opening compares sizes, which costs microseconds; `verify_digests` reads every byte.

    Example:
        ``Bundle.open("bundle").manifest.model.n_items``
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        """The folder."""
        self.manifest = manifest
        """What manifest.json says."""
        self._root = path.resolve()

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Return the bundle in the folder `path`.

        Raises:
            BundleError: There is no bundle, or files of it are missing.
            DigestError: A file has not the size that the manifest says.
            FormatVersionError: It was written in a newer format.
            ManifestError: manifest.json is not valid, or names a file outside the folder.
        """
        path = Path(path)
        bundle = cls(path, manifest_module.decode(_read_manifest(path)))
        problems = [problem for entry in bundle.manifest.all_entries() if (problem := bundle._path_problem(entry.path))]
        problems += manifest_module.problems(bundle.manifest)
        if problems:
            raise ManifestError(f"{MANIFEST_NAME}: {'; '.join(dict.fromkeys(problems))}. Export the bundle again.")
        bundle._check_sizes()
        return bundle

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        """Item keys and titles, read on first use."""
        files = self.manifest.vocabulary
        titles = self.file(files.titles.path) if files.titles else None
        return Vocabulary.read(self.file(files.items.path), titles, n_items=self.manifest.model.n_items)

    def variant(self, name: str) -> Variant:
        """Return the variant of that name.

        Raises:
            VariantError: There is none; the message lists those there are.
        """
        variant = self.manifest.variant(name)
        if variant is None:
            import difflib  # noqa: PLC0415 - only on the way to an error

            names = [variant.name for variant in self.manifest.variants]
            closest = difflib.get_close_matches(name, names, 1, cutoff=0.0)
            raise VariantError(
                f"variant is {name!r:.80}, expected one of {', '.join(names)}. Did you mean {closest[0]!r}?"
            )
        return variant

    def file(self, relative_path: str) -> Path:
        """Return where the file of that manifest path is on this disk.

        Raises:
            ManifestError: The path leaves the bundle.
        """
        if problem := self._path_problem(relative_path):
            raise ManifestError(f"{MANIFEST_NAME}: {problem}. Export the bundle again.")
        return self.path / relative_path

    def verify_digests(self, progress: Callable[[int], object] | None = None) -> None:
        """Read every file and compare its SHA-256 with the manifest.

        Args:
            progress: Called with the number of bytes just read; they add up to the sizes of `manifest.all_files()`.

        Raises:
            DigestError: At least one file differs; the message lists all that do.
        """
        differing = []
        for entry in self.manifest.all_files():
            digest = _sha256(self.file(entry.path), progress)
            if digest != entry.sha256:
                differing.append(f"{entry.path}: sha256 is {digest}, expected {entry.sha256}")
        if differing:
            raise DigestError(f"{self.path}: {'; '.join(differing)}. {_copy_again(differing)}")

    def _path_problem(self, relative_path: str) -> str | None:
        """Say what is wrong with a manifest path; None if it stays inside the folder."""
        if UNSAFE_PATH.search(relative_path):
            return f"path {relative_path!r:.80} is not a plain relative POSIX path inside the bundle"
        try:
            stays_inside = (self.path / relative_path).resolve().is_relative_to(self._root)
        except (OSError, RuntimeError):  # a link that leads to itself; Python 3.13 takes it for a missing file
            stays_inside = False
        if not stays_inside:
            return f"path {relative_path!r:.80} leads out of the bundle through a link"
        return None

    def _check_sizes(self) -> None:
        missing, wrong = [], []
        for entry in self.manifest.all_files():
            size_bytes = _size(self.path / entry.path)
            if size_bytes is None:
                missing.append(f"{entry.path} is missing, expected {entry.bytes} bytes")
            elif size_bytes != entry.bytes:
                wrong.append(f"{entry.path} is {size_bytes} bytes, expected {entry.bytes}")
        if missing or wrong:
            message = f"{self.path}: {'; '.join(missing + wrong)}. {_copy_again(missing + wrong)}"
            raise BundleError(message) if missing else DigestError(message)


def _read_manifest(path: Path) -> bytes:
    file = path / MANIFEST_NAME
    if not file.is_file():
        folder.repair(path, BUNDLE)
    if not file.is_file():
        seen = "has no manifest.json" if path.is_dir() else "is no folder" if path.exists() else "does not exist"
        raise BundleError(
            f"{path} {seen}, expected a bundle. Give the folder that `sasrec-edge export` wrote with --out."
        )
    with file.open("rb") as stream:
        return stream.read(manifest_module.MANIFEST_LIMIT_BYTES + 1)


def _size(path: Path) -> int | None:
    """Return the size of a regular file in bytes; None where there is none, or no name that the disk can hold."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _sha256(path: Path, progress: Callable[[int], object] | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            if progress is not None:
                progress(len(chunk))
    return digest.hexdigest()


def _copy_again(failures: list[str]) -> str:
    files = "that file" if len(failures) == 1 else f"those {len(failures)} files"
    return f"Copy {files} again from where the bundle was exported, or export it again."
