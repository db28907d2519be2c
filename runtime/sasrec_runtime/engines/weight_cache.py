"""XNNPACK's cache of packed weights, tied to the model it was packed from.

LiteRT does not check the cache: with that of another model, or with a damaged one, its answers are wrong. So a file
beside the cache, its sidecar, says what the cache belongs to, and its digest. Both are replaced by renaming, first the
sidecar, then the cache: a cache never stands without a sidecar, and a sidecar does not match another cache.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from sasrec_runtime import digests
from sasrec_runtime.atomic import disk
from sasrec_runtime.digests import LIMIT_BYTES, Verify
from sasrec_runtime.errors import RequestError

__all__ = ["Key", "load", "sidecar_of"]

ATTEMPTS = 4
"""How often loading starts again when another process replaced the cache meanwhile."""

SIDECAR_LIMIT_BYTES = 1 << 16

T = TypeVar("T")


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a cache belongs to."""

    model_sha256: str
    """SHA-256 of the model file, lower-case hex."""
    engine: str
    """Name and version of the engine that packed it."""
    machine: str
    """Kind of processor it was packed for, such as x86_64."""


class Sidecar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file beside a cache."""

    key: Key
    """What it belongs to."""
    bytes: int
    """Size of the cache, in bytes."""
    sha256: str
    """SHA-256 of the cache, lower-case hex."""
    inode: int
    """Inode of the cache: while it and `mtime_ns` are unchanged, the file has not been written to."""
    mtime_ns: int
    """Modification time of the cache, in nanoseconds since the epoch."""


def load(cache: Path, key: Key, build: Callable[[Path], T], *, verify: Verify | None = None) -> T:
    """Return the model that `build` loads, from the cache where it fits, else after writing it anew.

    Args:
        cache: The file; `sidecar_of` it lies beside it.
        key: What the cache must belong to.
        build: Loads the model with the cache at a path, and writes it where there is none.
        verify: "digests" hashes the cache whatever its size, None where it has at most LIMIT_BYTES. Otherwise, and with
            "sizes", it is hashed only if the file is not the one that was written.

    Raises:
        RequestError: What lies at `cache` was not written here, or it cannot be written.
    """
    cache = cache.resolve()
    try:
        for _ in range(ATTEMPTS):
            before = _status(cache)
            _refuse_foreign(cache, before)
            if before is None or not _fits(cache, before, key, verify):
                return _build(cache, key, build)
            model = build(cache)
            if _same(before, _status(cache)):
                return model
    except OSError as error:
        raise RequestError(
            f"weight_cache {cache} cannot be used ({error.strerror or error}). Give a file in a folder that this user "
            "can write to, or leave the option out."
        ) from error
    raise RequestError(
        f"weight_cache {cache} was replaced {ATTEMPTS} times while it was read. Give each variant a file of its own."
    )


def sidecar_of(cache: Path) -> Path:
    """Return the path of the file that says what a cache belongs to."""
    return cache.with_name(f"{cache.name}.json")


def _build(cache: Path, key: Key, build: Callable[[Path], T]) -> T:
    """Load without a cache; the cache that this writes appears when it is complete."""
    scratch = cache.with_name(f".{cache.name}.{secrets.token_hex(4)}.partial")
    described = sidecar_of(scratch)
    try:
        scratch.touch(exist_ok=False)  # raises where the folder is read-only, which LiteRT does not report
        scratch.unlink()
        model = build(scratch)
        if scratch.exists():  # a model without anything to pack has none
            described.write_bytes(msgspec.json.encode(_describe(scratch, key)) + b"\n")
            disk.flush(scratch)  # before the sidecar of the old cache is replaced
            disk.move(described, sidecar_of(cache))
            disk.move(scratch, cache)
    finally:
        for left in (scratch, described):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
    return model


def _describe(cache: Path, key: Key) -> Sidecar:
    status = cache.stat()
    return Sidecar(
        key=key,
        bytes=status.st_size,
        sha256=digests.sha256(cache),
        inode=status.st_ino,
        mtime_ns=status.st_mtime_ns,
    )


def _refuse_foreign(cache: Path, status: os.stat_result | None) -> None:
    """Refuse to overwrite what was not written here."""
    if status is not None and not stat.S_ISREG(status.st_mode):
        raise RequestError(
            f"weight_cache {cache} is not a regular file. Give the path of a file, or of one to be made."
        )
    described = sidecar_of(cache)
    if _sidecar(cache) is None and (status is not None or os.path.lexists(described)):
        raise RequestError(
            f"weight_cache {cache}: a file is there, and {described.name} beside it does not say that it is a weight "
            "cache. Give another path, or delete both if they are a cache of an earlier version, or a damaged one."
        )


def _fits(cache: Path, status: os.stat_result, key: Key, verify: Verify | None) -> bool:
    sidecar = _sidecar(cache)
    if sidecar is None or sidecar.key != key or sidecar.bytes != status.st_size:
        return False
    untouched = (sidecar.inode, sidecar.mtime_ns) == (status.st_ino, status.st_mtime_ns)
    cheap = verify is None and sidecar.bytes <= LIMIT_BYTES
    if untouched and not cheap and verify != "digests":
        return True
    return digests.sha256(cache) == sidecar.sha256


def _sidecar(cache: Path) -> Sidecar | None:
    """Return what the file beside a cache says; None where there is none, or it is not ours."""
    try:
        with sidecar_of(cache).open("rb") as stream:
            return msgspec.json.decode(stream.read(SIDECAR_LIMIT_BYTES), type=Sidecar)
    except (FileNotFoundError, msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _same(before: os.stat_result, after: os.stat_result | None) -> bool:
    return after is not None and (before.st_ino, before.st_mtime_ns, before.st_size) == (
        after.st_ino,
        after.st_mtime_ns,
        after.st_size,
    )
