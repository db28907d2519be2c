"""config.json of a RUN: what made it, and how a RUN is recognised."""

import json
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import msgspec

from sasrec_runtime.atomic.kinds import FolderKind
from sasrec_train import errors
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import ConfigError, RunError
from sasrec_train.log.filters import Filters
from sasrec_train.log.interactions import Interactions
from sasrec_train.run import files
from sasrec_train.split import SplitConfig

__all__ = ["CONFIG", "FILES", "FORMAT_VERSION", "RUN", "RunConfig", "describe", "identity", "read"]

FORMAT_VERSION = 1
CONFIG = "config.json"
OPTIMIZER = "optimizer.npz"
WARM_START = "warm_start.json"
MAX_STAY_NEAR = 10**6
VERSIONED = ("sasrec-edge", "tensorflow", "keras", "numpy")
FILES = (
    "model.keras", "users.txt", "items.txt", "titles.txt", "histories.npz", "split.npz", "split.json", "history.csv",
    "learning_curve.svg", "metrics.json", "new_items.json", OPTIMIZER, WARM_START,
)  # fmt: skip


class WarmStartConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The RUN that a training started from."""

    run_sha256: str
    """Run.sha256 of it."""
    stay_near: Annotated[float, msgspec.Meta(ge=0.0, le=MAX_STAY_NEAR)] = 0.0
    """Weight of the distance of item vectors from those of that RUN."""


class RunConfig(msgspec.Struct, frozen=True, kw_only=True):
    """config.json: what made the run."""

    format_version: int
    """Of the folder's layout; newer ones are refused."""
    preset: str
    """The preset the two configurations started from."""
    fitted: str = ""
    """What the preset fitted to the log and why, in a sentence; empty where it looked at nothing."""
    data: str
    """What the log was called on the command line."""
    data_sha256: str
    """Interactions.sha256 of the log."""
    model: ModelConfig
    """The network."""
    train: TrainConfig
    """The training configuration."""
    versions: dict[str, str]
    """Python and the packages that made the weights."""
    filters: Filters = Filters()
    """The filters that were applied to the log."""
    split: SplitConfig | None = None
    """How the log was split; None in runs older than split.npz: leave-one-out."""
    added_items: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Items at the end of the catalogue that `add-items` gave vectors; new_items.json says more of them."""
    warm_start: WarmStartConfig | None = None
    """The RUN that training started from; None where it began at random."""


def describe(
    interactions: Interactions,
    model: ModelConfig,
    train: TrainConfig,
    split_config: SplitConfig,
    preset: str,
    warm_start: WarmStartConfig | None = None,
    *,
    fitted: str = "",
) -> RunConfig:
    """Return the configuration of a RUN that is to be made here and now."""
    return RunConfig(
        format_version=FORMAT_VERSION,
        preset=preset,
        fitted=fitted,
        data=interactions.name,
        data_sha256=interactions.sha256,
        model=model,
        train=train,
        versions={"python": platform.python_version(), **{name: metadata.version(name) for name in VERSIONED}},
        filters=interactions.filters,
        split=split_config,
        warm_start=warm_start,
    )


def identity(config: RunConfig) -> dict[str, Any]:
    """Return what a checkpoint must share with the run that continues from it."""
    parts = [part for part in (config.model, config.train, config.filters, config.split) if part is not None]
    fields = {name: value for part in parts for name, value in msgspec.to_builtins(part).items()}
    origin = config.warm_start
    started = {
        "a start from a RUN of SHA-256": None if origin is None else origin.run_sha256,
        "stay_near": None if origin is None else origin.stay_near,
    }
    added = {"added items": config.added_items} if config.added_items else {}
    return {"n_items": config.model.n_items, "a log of SHA-256": config.data_sha256, **started, **fields, **added}


def read(path: Path) -> RunConfig:
    """Return the configuration of the RUN in a folder.

    Raises:
        RunError: It is missing, corrupted, or of a newer version.
    """
    return _decode(files.read_json(path / CONFIG), path / CONFIG)


def _decode(raw: dict[str, Any], path: Path) -> RunConfig:
    version = raw.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise RunError(
            f"{path}: format_version is {version}, this sasrec-edge reads up to {FORMAT_VERSION}. Upgrade it."
        )
    try:
        return msgspec.convert(raw, RunConfig)
    except (msgspec.ValidationError, ConfigError) as error:
        raise errors.corrupted(path, str(error)) from error


def _paths(data: bytes) -> tuple[str, ...]:
    raw = json.loads(data)
    if not isinstance(raw, dict):
        raise errors.corrupted(Path(CONFIG), "no JSON object")
    _decode(raw, Path(CONFIG))
    return FILES


RUN = FolderKind(
    name="a RUN",
    marker=CONFIG,
    paths=_paths,
    unmarked=re.compile("|".join(re.escape(name) for name in FILES)),
)
