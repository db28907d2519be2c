"""The network in a RUN's model.keras: its weights are read into a network that we build, nothing else of it is run.

`keras.saving.load_model` builds whatever classes the file asks for. The file of a RUN holds one class, SASRec, and its
configuration is known from config.json, so only the weights are taken from it.
"""

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras  # noqa: TID251 - the network is a Keras model
import msgspec
import numpy as np

from sasrec_train import untrusted_files
from sasrec_train.config import ModelConfig
from sasrec_train.errors import RunError, corrupted
from sasrec_train.network.model import SASRec
from sasrec_train.training.memory_estimate import weight_bytes

__all__ = ["load"]

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"  # Members, as Keras names them.
REGISTERED = "sasrec_edge>SASRec"
MAX_CONFIG_BYTES = 2**20
OVERHEAD_BYTES = 2**24  # Of HDF5 and zip, beyond the weights themselves: tens of kilobytes are usual.
BLOCK_OBJECTS = 64  # HDF5 objects of a block, at most: groups and weights. Now about 40.
OUTER_OBJECTS = 64  # The same of the network without its blocks.


def load(path: Path, config: ModelConfig) -> SASRec:
    """Return the network of that configuration with the weights in a .keras file.

    Raises:
        RunError: The file is corrupted, holds another network, or weights that are not finite.
    """
    expected_bytes = weight_bytes(config)
    content = untrusted_files.read(path, limit_bytes=2 * expected_bytes + OVERHEAD_BYTES)
    if len(content) < expected_bytes:  # before a network is built that may be of any size
        raise corrupted(path, f"{len(content):,} bytes, fewer than the {expected_bytes:,} of its weights")
    described, weights = _members(path, content)
    if _config(described) != config:
        raise corrupted(path, "another network than config.json describes")
    _check_weights(path, weights, expected_bytes, config.num_blocks)
    network = SASRec(config)
    with tempfile.TemporaryDirectory(prefix="sasrec-edge-") as scratch:  # Keras reads weights by a path only
        copied = Path(scratch) / WEIGHTS
        try:
            copied.write_bytes(weights)
        except OSError as error:
            raise RunError(f"{scratch} cannot be written ({error.strerror}). Make room, or set TMPDIR.") from error
        try:
            network.load_weights(str(copied))
        except Exception as error:  # Keras and HDF5 raise any exception on corrupted content
            raise corrupted(path, _reason(error)) from error
    _refuse_not_finite(path, network)
    return network


def _members(path: Path, content: bytes) -> tuple[bytes, bytes]:
    """Return the configuration and the weights in the archive; their checksums are compared."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            problem = _problem(members, len(content))
            members_read = (b"", b"") if problem else (archive.read(CONFIG), archive.read(WEIGHTS))
    except Exception as error:  # zipfile, zlib, bz2 and lzma raise any exception on corrupted content
        raise corrupted(path, _reason(error)) from error
    if problem:
        raise corrupted(path, problem)
    return members_read


def _problem(members: list[zipfile.ZipInfo], archive_bytes: int) -> str | None:
    """Return what is wrong with the members of an archive; None where nothing is."""
    names = [member.filename for member in members]
    if sorted(names) != [CONFIG, METADATA, WEIGHTS]:
        return f"the members {', '.join(names)[:200]!r}, expected {CONFIG}, {METADATA} and {WEIGHTS}"
    limits = (MAX_CONFIG_BYTES if member.filename == CONFIG else archive_bytes for member in members)
    if any(member.file_size > limit for member, limit in zip(members, limits, strict=True)):
        return "a member that is larger decompressed than it may be"
    return None


def _config(described: bytes) -> ModelConfig | None:
    """Return the configuration of the network in the file; None where it is not a SASRec."""
    try:
        value = json.loads(described)
        if value["registered_name"] != REGISTERED:
            return None
        return msgspec.convert(value["config"]["config"], ModelConfig)
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError):
        return None


def _check_weights(path: Path, weights: bytes, expected_bytes: int, num_blocks: int) -> None:
    """Refuse an HDF5 file whose data are not all in it, as they are: compressed, virtual, linked or of other types."""
    try:
        with h5py.File(io.BytesIO(weights), "r") as file:
            sizes = list(_sizes(file, [OUTER_OBJECTS + num_blocks * BLOCK_OBJECTS]))
    except Exception as error:  # HDF5 raises any exception on corrupted content
        raise corrupted(path, _reason(error)) from error
    if sum(sizes) != expected_bytes:
        raise corrupted(path, f"{sum(sizes):,} bytes of weights, expected {expected_bytes:,}")


def _sizes(group: Any, left: list[int]) -> Iterator[int]:
    """Yield the sizes of the weights below a group; `left` counts down the objects it may have."""
    for name in group:
        left[0] -= 1
        if left[0] < 0:
            raise ValueError("more groups and weights than the network has")
        is_link = not isinstance(group.get(name, getlink=True), h5py.HardLink)
        child = None if is_link else group[name]
        if isinstance(child, h5py.Group):
            yield from _sizes(child, left)
        elif child is None or child.dtype != np.float32 or child.chunks or child.external or child.is_virtual:
            raise ValueError(f"weights {name[:80]!r} that are a link, compressed, or not plain float32")
        else:
            yield child.nbytes


def _refuse_not_finite(path: Path, network: SASRec) -> None:
    wrong = [weight.path for weight in network.weights if not np.isfinite(keras.ops.convert_to_numpy(weight)).all()]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise corrupted(path, f"weights that are not finite numbers, in {wrong[0]}{more}")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
