"""Last and best checkpoint of a training run, written atomically and validated on load."""

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_runtime.atomic import disk, scratch, side
from sasrec_runtime.atomic.kinds import FolderKind
from sasrec_train import npz, untrusted_files
from sasrec_train.errors import ConfigError, RunError
from sasrec_train.training.state import Progress

__all__ = ["TRAINING", "Checkpoints", "folder_of"]

FORMAT_VERSION = 1
LAST = "last.npz"
CURVE = "learning_curve.svg"
DRAW_EVERY_S = 10.0  # Between two pictures: one takes a fifth of a second, an epoch of a small log not much longer.
BEST = re.compile(r"best-[0-9]+\.npz")
MEMO = "memo"  # Key of the JSON among the arrays; one file, so that arrays and progress are of one moment.


def _paths(data: bytes) -> list[str]:
    scratch.check_description(data, TRAINING.name)
    return []


TRAINING = FolderKind(
    name="an unfinished training",
    marker=scratch.MARKER,
    paths=_paths,
    unmarked=re.compile(
        r"(last|best-[0-9]+)\.npz|learning_curve\.svg|\.((last|best-[0-9]+)\.npz|learning_curve\.svg)\.partial"
    ),
    needs_marker=False,  # version 0.1 wrote none
)
"""The folder of the checkpoints; the marker says whose it is, and is locked while the training runs."""

Arrays = Mapping[str, NDArray[Any]]


def folder_of(out: Path) -> Path:
    """Return the folder that holds the checkpoints of a run while it is trained: run.training beside run."""
    out = out.resolve()
    return out.with_name(f"{out.name}.training")


class Checkpoints:
    """Checkpoints of one run: `last.npz` to continue from, `best-N.npz` with the weights of the best epoch N.

    A file is replaced atomically.

    Args:
        folder: Their folder; made when the first is saved.
        identity: What a checkpoint must share with the run that continues from it: name → value, both plain JSON.
        every_s: Seconds between checkpoints within an epoch; there is one after each epoch anyway.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], *, every_s: float = 600.0):
        self.folder = folder
        self._identity = json.loads(json.dumps(identity))
        self._every_s = every_s
        self._saved = time.monotonic()
        self._drawn = -DRAW_EVERY_S

    @property
    def due(self) -> bool:
        """Whether every_s have passed since the last checkpoint."""
        return time.monotonic() - self._saved >= self._every_s

    def exists(self) -> bool:
        """Return whether there is a checkpoint to continue from."""
        return (self.folder / LAST).is_file()

    @contextlib.contextmanager
    def held(self, out: Path) -> Iterator["Checkpoints"]:
        """Keep the folder for this process, so that no other training into `out` runs at the same time.

        Raises:
            OutputError: Another one does, or the folder holds something that is not ours.
        """
        with side.held(self.folder, TRAINING, out, job="training"):
            yield self

    def save(self, arrays: Arrays, progress: Progress, *, best: Arrays | None = None) -> None:
        """Save the state, and with it the weights of the best epoch where that is the one just finished.

        Raises:
            RunError: The disk is full, or cannot be written; the checkpoints before are as they were.
        """
        memo = {
            "format_version": FORMAT_VERSION,
            "identity": self._identity,
            "progress": msgspec.to_builtins(progress),
        }
        with self._explained(progress):
            self.folder.mkdir(parents=True, exist_ok=True)
            if best is not None:
                _write(self.folder / _best_name(progress), best)
            _write(self.folder / LAST, {**arrays, MEMO: np.array(json.dumps(memo))})
        for old in self.folder.glob("best-*.npz"):
            if old.name != _best_name(progress) and BEST.fullmatch(old.name):
                old.unlink()
        self._saved = time.monotonic()

    def draw(self, progress: Progress) -> None:
        """Draw the learning curve beside the checkpoints, at most every ten seconds; a full disk does not matter."""
        if time.monotonic() - self._drawn < DRAW_EVERY_S:
            return
        partial = self.folder / f".{CURVE}.partial"
        with contextlib.suppress(OSError):
            from sasrec_train.training import learning_curve  # noqa: PLC0415 - matplotlib; reading a Run is light

            learning_curve.draw(partial, progress.epochs, progress.best_epoch)
            partial.replace(self.folder / CURVE)
        self._drawn = time.monotonic()

    def load(self, like: Arrays) -> tuple[dict[str, NDArray[Any]], Progress]:
        """Return the last state.

        Args:
            like: Arrays of the names, shapes and types that the state must have.

        Raises:
            RunError: The file is corrupted, or of a newer version.
            ConfigError: It is of a run with another log, network or training configuration; the message says what
                differs.
        """
        path = self.folder / LAST
        arrays = _read(path)
        try:
            memo = json.loads(str(arrays.pop(MEMO)))
            version, identity = memo["format_version"], memo["identity"]
            if version > FORMAT_VERSION:
                raise RunError(f"{path}: format_version is {version}, this sasrec-edge reads up to {FORMAT_VERSION}. "
                               "Upgrade it, or start over with --force.")  # fmt: skip
            self._compare(identity)
            progress = msgspec.convert(memo["progress"], Progress)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if isinstance(error, ConfigError | RunError):
                raise
            raise _corrupted(path, f"no state of a training ({type(error).__name__}: {error})") from error
        _refuse_other_arrays(path, arrays, like)
        return arrays, progress

    def load_best(self, progress: Progress, like: Arrays) -> dict[str, NDArray[Any]]:
        """Return the weights of the best epoch; `like` as in load."""
        path = self.folder / _best_name(progress)
        arrays = _read(path)
        _refuse_other_arrays(path, arrays, like)
        return arrays

    def remove(self) -> None:
        """Remove the checkpoints: the run is whole, or starts over. The marker stays until nobody holds the folder."""
        side.clear(self.folder, TRAINING)

    def _compare(self, identity: Mapping[str, Any]) -> None:
        for name, now in self._identity.items():
            then = identity.get(name)
            if then != now:
                raise ConfigError(
                    f"{self.folder / LAST} is of a run with {name} {then!r:.80}, not {now!r:.80}. "
                    "Give the same log and options to continue it, or start over with --force."
                )

    @contextlib.contextmanager
    def _explained(self, progress: Progress) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            left = "The last good checkpoint is as it was" if self.exists() else "There is no checkpoint yet"
            raise RunError(
                f"{self.folder}: the checkpoint after epoch {len(progress.epochs)} could not be saved "
                f"({error.strerror or error}). {left}: make room, and continue with --resume."
            ) from error


def _best_name(progress: Progress) -> str:
    return f"best-{progress.best_epoch}.npz"


def _write(path: Path, arrays: Arrays) -> None:
    """Write to a temporary file, flush it to the disk, rename it, flush the folder."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # a key may not be allow_pickle, and none is
        disk.move(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a checkpoint. It may be anybody's: no header and no size in it is believed."""
    try:
        with untrusted_files.opened(path) as file:
            return npz.read(file)
    except npz.NpzError as error:
        raise _corrupted(path, str(error)) from error


def _refuse_other_arrays(path: Path, arrays: Arrays, like: Arrays) -> None:
    """Refuse arrays whose names, shapes or types are not those of `like`."""
    if arrays.keys() != like.keys():
        name = min(arrays.keys() ^ like.keys())
        raise _corrupted(path, f"{'an unknown' if name in arrays else 'no'} array {name[:80]!r}")
    for name, expected in like.items():
        found = arrays[name]
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            raise _corrupted(
                path,
                f"an array {name!r} of {found.dtype} {found.shape}, expected {expected.dtype} {expected.shape}",
            )


def _corrupted(path: Path, seen: str) -> RunError:
    return RunError(f"{path} is corrupted: it holds {seen[:200].rstrip('.')}. Start over with --force.")
