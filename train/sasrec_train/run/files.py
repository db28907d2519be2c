"""Serialization of a RUN, validated on load."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train import npz, untrusted_files
from sasrec_train.errors import corrupted
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.split import NOBODY, SplitPoints
from sasrec_train.training.state import Epoch

__all__ = [
    "read_interactions",
    "read_json",
    "read_metrics",
    "read_split",
    "write_history",
    "write_interactions",
    "write_json",
    "write_split",
]

MAX_JSON_BYTES = 2**24  # metrics.json has some 20 kB.
MAX_LIST_BYTES = 2**36  # Keys or titles. Their number is compared with the histories, and memory ends earlier.


def write_json(path: Path, value: Any) -> None:
    """Write one JSON object, indented, without NaN."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_history(path: Path, epochs: list[Epoch]) -> None:
    """Write history.csv: a row per epoch."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        names = list(epochs[0].validation)
        writer.writerow(["epoch", "loss", *(f"validation_{name}" for name in names), "seconds", "validation_seconds"])
        for epoch in epochs:
            values = (f"{epoch.validation[name]:.6f}" for name in names)
            writer.writerow(
                [epoch.epoch, f"{epoch.loss:.6f}", *values, f"{epoch.seconds:.3f}", f"{epoch.validation_seconds:.3f}"]
            )


def write_interactions(folder: Path, interactions: Interactions) -> None:
    """Write users.txt, items.txt, titles.txt (where there are titles) and histories.npz."""
    _write_lines(folder / "users.txt", interactions.user_keys)
    _write_lines(folder / "items.txt", interactions.item_keys)
    if interactions.titles is not None:
        _write_lines(folder / "titles.txt", interactions.titles)
    histories = interactions.histories
    np.savez(folder / "histories.npz", offsets=histories.offsets, item_ids=histories.item_ids)


def _write_lines(path: Path, lines: list[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def read_interactions(path: Path, name: str) -> Interactions:
    """Return what write_interactions wrote, checked for what a corrupted file could hold."""
    items = _read_lines(path / "items.txt")
    titles = _read_lines(path / "titles.txt") if os.path.lexists(path / "titles.txt") else None
    if titles is not None and len(titles) != len(items):
        raise corrupted(path / "titles.txt", f"{len(titles)} lines, expected one per item ({len(items)})")
    histories = _read_histories(path / "histories.npz", len(items))
    users = _read_lines(path / "users.txt")
    if len(users) != len(histories):
        raise corrupted(path / "users.txt", f"{len(users)} lines, expected one per history ({len(histories)})")
    return Interactions(name, users, items, titles, histories)


def _read_lines(path: Path) -> list[str]:
    try:
        text = untrusted_files.read(path, limit_bytes=MAX_LIST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise corrupted(path, "bytes that are not UTF-8") from error
    return text.removesuffix("\n").split("\n") if text else []


def _read_arrays(path: Path, names: tuple[str, ...]) -> list[NDArray[Any]]:
    try:
        with untrusted_files.opened(path) as file:
            arrays = npz.read(file)
        return [arrays[name] for name in names]
    except (npz.NpzError, KeyError) as error:
        *others, last = (f"`{name}`" for name in names)
        seen = error if isinstance(error, npz.NpzError) else f"only {', '.join(arrays)[:80]}"
        raise corrupted(path, f"no arrays {', '.join(others)} and {last} ({seen})") from error


def _read_histories(path: Path, n_items: int) -> Histories:
    offsets, item_ids = _read_arrays(path, ("offsets", "item_ids"))
    sound = offsets.dtype == np.int64 and item_ids.dtype == np.int32 and offsets.ndim == item_ids.ndim == 1
    if (
        not sound
        or not offsets.size
        or offsets[0]
        or offsets[-1] != item_ids.size
        or (offsets[1:] < offsets[:-1]).any()
    ):
        raise corrupted(path, f"offsets {offsets.dtype} {offsets.shape} that do not fit item_ids {item_ids.shape}")
    if item_ids.size and not (item_ids.min() >= 1 and item_ids.max() <= n_items):
        raise corrupted(path, f"item ids outside [1, {n_items}]")
    return Histories(offsets, item_ids)


def write_split(path: Path, points: SplitPoints) -> None:
    """Write split.npz."""
    np.savez(path, train_ends=points.train_ends, validation=points.validation, test=points.test)


def read_split(path: Path, histories: Histories) -> SplitPoints:
    """Return what write_split wrote, checked to lie within the histories."""
    points = SplitPoints(*_read_arrays(path, ("train_ends", "validation", "test")))
    arrays_of = (points.train_ends, points.validation, points.test)
    if any(array.dtype != np.int64 or array.shape != (len(histories),) for array in arrays_of):
        raise corrupted(path, f"arrays that are not int64 ({len(histories)},)")
    ends, lengths = points.train_ends, histories.lengths
    sound = ((ends >= 0) & (ends <= lengths)).all()
    for positions in arrays_of[1:]:
        sound &= ((positions == NOBODY) | ((positions >= ends) & (positions < lengths))).all()
    if not sound:
        raise corrupted(path, "positions that are not in the histories")
    return points


def read_metrics(path: Path) -> dict[str, Any]:
    """Return metrics.json."""
    metrics = read_json(path)
    for name in ("full", "sampled"):
        if not isinstance(metrics.get(name), dict):
            raise corrupted(path, f"no metrics under {name!r}")
    return metrics


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file."""
    content = untrusted_files.read(path, limit_bytes=MAX_JSON_BYTES)
    try:
        value = json.loads(content, parse_constant=_refuse_constant, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise corrupted(path, f"no JSON ({str(error)[:200]})") from error
    if not isinstance(value, dict):
        raise corrupted(path, "no JSON object")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object names a field twice")
    return value
