"""MovieLens-100K, as RecBole's wheel carries it, from the package registry pip is set up for."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import platformdirs

from sasrec_runtime.atomic import disk
from sasrec_train.errors import DataError

__all__ = ["ML_100K", "fetch"]

REQUIREMENT = "recbole==1.2.1"
IN_WHEEL = "recbole/dataset_example/ml-100k"
ML_100K = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
}
INSTEAD = "Give --data synthetic, or the path of a log you have (ml-100k.inter, .csv, .tsv, .parquet, .txt)."


def fetch(cache: Path | None = None) -> Path:
    """Return the path of ml-100k.inter, with ml-100k.item beside it; downloaded once, then cached.

    Args:
        cache: Where the two files are kept; the user's cache folder by default.

    Raises:
        DataError: The wheel cannot be downloaded, or does not hold the expected bytes.
    """
    folder = cache or Path(platformdirs.user_cache_dir("sasrec-edge")) / "ml-100k"
    if not all(_is_intact(folder / name, digest) for name, digest in ML_100K.items()):
        with tempfile.TemporaryDirectory(prefix="sasrec-edge-") as scratch:
            wheel = _download(Path(scratch))
            for name, content in _unpack(wheel).items():
                _write(folder / name, content)
    return folder / "ml-100k.inter"


def _is_intact(path: Path, digest: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(scratch), REQUIREMENT]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - fixed words
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"ml-100k: pip could not be run to download {REQUIREMENT} ({error}). {INSTEAD}") from error
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reason = lines[-1][:200] if lines else f"exit code {done.returncode}"
        raise DataError(f"ml-100k: pip download {REQUIREMENT} failed: {reason.rstrip('.')}. {INSTEAD}")
    return wheels[0]


def _unpack(wheel: Path) -> dict[str, bytes]:
    contents = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in ML_100K:
                contents[name] = archive.read(f"{IN_WHEEL}/{name}")
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"ml-100k: {wheel.name} does not hold {IN_WHEEL} ({error}). {INSTEAD}") from error
    for name, digest in ML_100K.items():
        seen = hashlib.sha256(contents[name]).hexdigest()
        if seen != digest:
            raise DataError(f"ml-100k: {name} in {wheel.name} has SHA-256 {seen}, expected {digest}. {INSTEAD}")
    return contents


def _write(path: Path, content: bytes) -> None:
    try:
        disk.write_file(path, content)
    except OSError as error:
        raise DataError(f"ml-100k: {path} cannot be written ({error.strerror or error}). {INSTEAD}") from error
