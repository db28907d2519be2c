"""Copies of folders to spoil, what is in them, and manifests signed again."""

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["copy", "entries", "files", "flipped", "put", "resign", "snapshot", "structural_words"]


def copy(source: Path, target: Path) -> Path:
    """Copy a folder by hard links: to be changed by `put` only. Returns the target."""
    shutil.copytree(source, target, copy_function=os.link)
    return target


def put(path: Path, data: bytes) -> None:
    """Write a file of a linked copy anew, so that the original stays."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def files(folder: Path) -> list[str]:
    """Return the relative paths of the files in a folder, sorted."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def snapshot(folder: Path) -> dict[str, str]:
    """Return what lies in a folder: path → kind and digest, content of links, all levels; links are not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        name = str(path.relative_to(folder))
        if stat.S_ISLNK(mode):
            found[name] = f"link to {path.readlink()}"
        elif stat.S_ISREG(mode):
            found[name] = f"file {hashlib.sha256(path.read_bytes()).hexdigest()}"
        else:
            found[name] = "folder" if stat.S_ISDIR(mode) else "special"
    return found


def entries(value: Any) -> list[dict[str, Any]]:
    """Return every description of a file in a decoded manifest."""
    if isinstance(value, dict):
        own = [value] if {"path", "bytes", "sha256"} <= value.keys() else []
        return own + [entry for part in value.values() for entry in entries(part)]
    return [entry for part in value for entry in entries(part)] if isinstance(value, list) else []


def resign(bundle: Path) -> None:
    """Write sizes and digests of the files as they are now into manifest.json, as whoever may write it can."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    for entry in entries(manifest):
        file = bundle / entry["path"]
        if file.is_file():
            data = file.read_bytes()
            entry["bytes"], entry["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    put(bundle / "manifest.json", json.dumps(manifest, indent=2).encode() + b"\n")


def flipped(data: bytes, rng: np.random.Generator, most: int = 8) -> tuple[bytes, str]:
    """Return the data with 1…most bytes changed, and which."""
    changed = bytearray(data)
    places = rng.integers(0, len(data), rng.integers(1, most + 1)).tolist() if data else []
    for place in places:
        choices = (int(rng.integers(256)), 255, 0, (changed[place] + 1) % 256, (changed[place] - 1) % 256)
        changed[place] = choices[rng.integers(len(choices))]
    return bytes(changed), f"bytes {places}"


def structural_words(data: bytes) -> np.ndarray:
    """Return the offsets of the 4-byte words that can be an offset, a length or a count of a flatbuffer's tables.

    Weights hardly ever look like that: as whole numbers they are huge.
    """
    words = np.frombuffer(data[: len(data) // 4 * 4], np.int32)
    small = (words != 0) & (np.abs(words.astype(np.int64)) < len(data))
    return np.flatnonzero(small) * 4
