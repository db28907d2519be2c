"""A RUN folder: a trained network with everything needed to evaluate and to export it, without the log it came from."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sasrec_runtime.atomic import folder
from sasrec_train import errors, split, untrusted_files
from sasrec_train.config import ModelConfig, TrainConfig
from sasrec_train.errors import RunError
from sasrec_train.log.interactions import Interactions
from sasrec_train.run import files, run_config
from sasrec_train.run.run_config import (
    CONFIG,
    OPTIMIZER,
    RUN,
    RunConfig,
)
from sasrec_train.split import Split, SplitPoints

if TYPE_CHECKING:
    from sasrec_train.network.model import SASRec
    from sasrec_train.training.start import Moments

__all__ = ["Run"]

CHUNK_BYTES = 2**20  # Read at once.
PARTS = (CONFIG, "metrics.json", "split.npz", "model.keras", OPTIMIZER)
"""Files of one run, which must not be mixed with another's."""


class Run:
    """A RUN folder, read and checked. The network itself is loaded by model() only.

    Use Run.load(path), or create.create to make one.
    """

    def __init__(self, path: Path, config: RunConfig, interactions: Interactions, metrics: dict[str, Any]):
        self.path = path
        """The folder."""
        self.config = config
        """What made the run."""
        self.interactions = interactions
        """The log, as far as the model knows it."""
        self.metrics = metrics
        """Test metrics as written by training: {"full": {"hr@10": …}, "sampled": {…}, "popularity": {…}, …}."""
        self._states: dict[str, untrusted_files.State | None] = {
            name: untrusted_files.state(path / name) for name in PARTS
        }

    @classmethod
    def load(cls, path: str | Path) -> "Run":
        """Return the run in a folder. TensorFlow is not imported.

        Raises:
            RunError: The folder or a file is missing or corrupted; the message names it.
        """
        path = Path(path)
        if not os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not look
            folder.repair(path, RUN)
        if not os.path.isdir(path):  # noqa: PTH112
            raise RunError(f"{path} is not a folder. Give a folder that `sasrec-edge train` wrote.")
        states = {name: untrusted_files.state(path / name) for name in PARTS}
        config = run_config.read(path)
        interactions = replace(files.read_interactions(path, config.data), filters=config.filters)
        if interactions.n_items != config.model.n_items:
            raise errors.corrupted(path / "items.txt", f"{interactions.n_items} items, expected {config.model.n_items}")
        if interactions.sha256 != config.data_sha256:
            raise errors.corrupted(path / "histories.npz", "other histories or keys than the model was trained on")
        with untrusted_files.opened(path / "model.keras"):
            pass  # it is there, and may be read
        loaded = cls(path, config, interactions, files.read_metrics(path / "metrics.json"))
        loaded._states = states
        for name in PARTS:
            loaded._as_loaded(name)
        return loaded

    @property
    def model_config(self) -> ModelConfig:
        """The network's configuration."""
        return self.config.model

    @property
    def train_config(self) -> TrainConfig:
        """The training configuration."""
        return self.config.train

    @property
    def data_sha256(self) -> str:
        """Digest of the log."""
        return self.config.data_sha256

    @property
    def seed(self) -> int:
        """Seed of the training."""
        return self.config.train.seed

    def split(self) -> Split:
        """Return the parts of the log as they were when the network was trained.

        Raises:
            RunError: split.npz is missing or corrupted.
        """
        return self.split_points().apply(self.interactions.histories)

    def split_points(self) -> SplitPoints:
        """Return where the log was split, as positions in the histories.

        Raises:
            RunError: split.npz is missing or corrupted.
        """
        if self.config.split is None:
            return split.split(self.interactions)
        return files.read_split(self._as_loaded("split.npz"), self.interactions.histories)

    def model(self) -> "SASRec":
        """Load the trained network.

        Raises:
            RunError: model.keras is corrupted, or holds another network than config.json says.
        """
        from sasrec_train.run import saved_network  # noqa: PLC0415 - a Run is cheap until its network is asked for

        path = self._as_loaded("model.keras")
        return saved_network.load(path, self.model_config)

    def moments(self, network: "SASRec") -> "Moments | None":
        """Return the state of Adam of the network that model() gives; None where the RUN does not hold it.

        Raises:
            RunError: optimizer.npz is corrupted, or of another network.
        """
        from sasrec_train.run import optimizer_file  # noqa: PLC0415 - see model

        path = self._as_loaded(OPTIMIZER)
        return optimizer_file.read(path, network) if os.path.lexists(path) else None

    def sha256(self) -> str:
        """Return the hex digest of what a training that starts from the RUN takes over: network, items, optimizer."""
        digest = hashlib.sha256(self.data_sha256.encode())
        for name in ("model.keras", OPTIMIZER):
            path = self._as_loaded(name)
            if os.path.lexists(path):
                with untrusted_files.opened(path) as file:
                    while chunk := file.read(CHUNK_BYTES):
                        digest.update(chunk)
        return digest.hexdigest()

    def _as_loaded(self, name: str) -> Path:
        """Return the path of a file, if it is the one that was there when the run was loaded."""
        path = self.path / name
        if untrusted_files.state(path) != self._states.get(name):
            raise RunError(f"{path} was replaced after the run was loaded, or is gone. Load the run again.")
        return path
