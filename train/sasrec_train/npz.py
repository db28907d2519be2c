"""Arrays of an .npz file as numpy.savez writes it, and nothing else: what is read is never larger than the file.

numpy.load allocates what a header claims, evaluates the header as Python, and raises whatever zipfile, zlib, tokenize
and ast do. Here a header has one form, and nothing is decompressed.
"""

import errno
import math
import re
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["NpzError", "read"]

MAGIC = b"\x93NUMPY\x01\x00"
MAX_HEADER_BYTES = 4096
HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<|][biufU]\d{1,9})', 'fortran_order': False, "
    r"'shape': \((?P<shape>|\d{1,18},|\d{1,18}(?:, \d{1,18}){1,15})\), \} *\n"
)
ENCRYPTED = 1
# What zipfile raises for corrupted archives beside its own error: fields that are not text, sizes that do not fit,
# versions and methods that it does not know.
ZIP_ERRORS = (
    zipfile.BadZipFile, ValueError, KeyError, EOFError, OSError, NotImplementedError, OverflowError, RuntimeError,
)  # fmt: skip


class NpzError(ValueError):
    """The file does not hold such arrays; the message says what it holds, to follow "it holds"."""


def read(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name. Each member's checksum is compared.

    Raises:
        NpzError: The file is corrupted, or not of the form that numpy.savez writes.
        OSError: The disk fails.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in _members(archive)}
    except NpzError:
        raise
    except ZIP_ERRORS as error:
        if isinstance(error, OSError) and error.errno not in {None, errno.EINVAL}:  # the disk's; EINVAL: a seek
            raise
        raise NpzError(f"no intact archive ({type(error).__name__}: {str(error)[:80]})") from error


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    if len({member.filename for member in members}) != len(members):
        raise NpzError("two members of one name")
    return members


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    name = member.filename[:80]
    if not name.endswith(".npy"):
        raise NpzError(f"a member {name!r}, which is not an array")
    stored = member.compress_type == zipfile.ZIP_STORED and member.file_size == member.compress_size
    if not stored or member.flag_bits & ENCRYPTED:
        raise NpzError(f"a member {name!r} that is compressed or encrypted")
    with archive.open(member) as content:
        source: Any = content  # which typeshed gives no readinto
        dtype, shape, header_bytes = _header(content, name)
        count = math.prod(shape)
        size = count * dtype.itemsize
        if count > member.file_size or size != member.file_size - header_bytes:
            raise NpzError(f"an array {name!r} of {member.file_size - header_bytes:,} bytes that says it has {size:,}")
        array = np.empty(shape, dtype)
        into: Any = array.reshape(-1).view(np.uint8) if size else b""
        filled = 0
        while filled < size:
            read_bytes = source.readinto(into[filled:])
            if not read_bytes:
                raise NpzError(f"an array {name!r} that ends early")
            filled += read_bytes
        content.read(1)  # the end, where the checksum is compared
    return array


def _header(content: Any, name: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Return what an array is, and how many bytes said so."""
    start = content.read(len(MAGIC) + 2)
    length = int.from_bytes(start[len(MAGIC) :], "little")
    if not start.startswith(MAGIC) or len(start) != len(MAGIC) + 2 or length > MAX_HEADER_BYTES:
        raise NpzError(f"an array {name!r} without the header that numpy writes")
    header = content.read(length).decode("latin-1")
    found = HEADER.fullmatch(header)
    if found is None or len(header) != length:
        raise NpzError(f"an array {name!r} with the header {header.strip()[:80]!r}")
    try:
        dtype = np.dtype(found["dtype"])
    except TypeError as error:
        raise NpzError(f"an array {name!r} of type {found['dtype']!r}") from error
    return dtype, tuple(int(length) for length in re.findall(r"\d+", found["shape"])), len(start) + length
