"""optimizer.npz of a RUN: the state of Adam, for a training that starts from this one. Readers may do without it."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train import npz, untrusted_files
from sasrec_train.errors import RunError
from sasrec_train.training import start
from sasrec_train.training.start import MAX_STEP, Moments

__all__ = ["read", "write"]

STEP, FIRST, SECOND = "step", "first_moment/", "second_moment/"


def write(path: Path, moments: Moments, network: Any) -> None:
    """Write the state of Adam; rows of the item table's moments are in the order of items.txt, after that of padding.

    Args:
        path: The file.
        moments: Of the network's trained weights.
        network: The SASRec that they belong to.
    """
    arrays: dict[str, NDArray[Any]] = {STEP: np.array(moments.step, np.int64)}
    for name, first, second in zip(start.names(network), moments.first, moments.second, strict=True):
        arrays |= {FIRST + name: first, SECOND + name: second}
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type] # a key may not be allow_pickle, and none is


def read(path: Path, network: Any) -> Moments:
    """Return what `write` wrote.

    Args:
        path: The file.
        network: The SASRec of the same RUN.

    Raises:
        RunError: The file is missing, corrupted, or of another network.
    """
    try:
        with untrusted_files.opened(path) as file:
            arrays = npz.read(file)
    except npz.NpzError as error:
        raise _corrupted(path, str(error)) from error
    names, shapes = start.names(network), [tuple(weight.shape) for weight in network.trainable_variables]
    expected: dict[str, tuple[tuple[int, ...], type]] = {STEP: ((), np.int64)}
    for kind in (FIRST, SECOND):
        expected |= {kind + name: (shape, np.float32) for name, shape in zip(names, shapes, strict=True)}
    if arrays.keys() != expected.keys():
        name = min(arrays.keys() ^ expected.keys())
        raise _corrupted(path, f"{'an unknown' if name in arrays else 'no'} array {name[:80]!r}")
    for name, (shape, dtype) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise _corrupted(path, f"an array {name!r} of {array.dtype} {array.shape}, expected {shape}")
        if not np.isfinite(array).all() or (name.startswith(SECOND) and array.min(initial=0) < 0):
            raise _corrupted(path, f"an array {name!r} with values that Adam does not have")
    step = int(arrays[STEP])
    if not 0 <= step <= MAX_STEP:
        raise _corrupted(path, f"step {step}, expected one in [0, {MAX_STEP:,}]")
    return Moments(step, *([arrays[kind + name] for name in names] for kind in (FIRST, SECOND)))


def _corrupted(path: Path, seen: str) -> RunError:
    return RunError(
        f"{path} is corrupted: it holds {seen[:200].rstrip('.')}. Delete the file, which a RUN can do without."
    )
