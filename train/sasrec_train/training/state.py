"""Progress of a training run: its epochs, and what a checkpoint holds beside the weights."""

from typing import Annotated

import msgspec

__all__ = ["Epoch", "Progress"]


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one pass over the training windows."""

    epoch: int
    """Number of the epoch, from 1."""
    total: int
    """Epochs the run takes, unless patience ends it earlier."""
    loss: float
    """Mean training loss of a position, with the L2 penalty."""
    validation: dict[str, float]
    """Metrics of the validation items against the whole catalogue, seen items excluded."""
    seconds: float
    """Wall-clock time of the training steps, in seconds."""
    validation_seconds: float
    """Wall-clock time of the validation, in seconds."""


class Progress(msgspec.Struct, kw_only=True):
    """Progress of a run."""

    batch: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Batches done of the epoch under way."""
    seconds: float = 0.0
    """Wall-clock time spent on them, in seconds."""
    epochs: list[Epoch] = []
    """The finished epochs."""
    best_epoch: int = 0
    """The finished epoch with the best validation NDCG@10, the first of equals; 0: none yet."""

    def __post_init__(self) -> None:
        if not 0 <= self.best_epoch <= len(self.epochs):
            raise ValueError(f"best_epoch is {self.best_epoch}, expected one of {len(self.epochs)} finished epochs")
        if any("ndcg@10" not in epoch.validation for epoch in self.epochs):
            raise ValueError("an epoch has no validation NDCG@10")

    @property
    def best_ndcg(self) -> float:
        """Validation NDCG@10 of the best epoch; -1 where there is none."""
        return self.epochs[self.best_epoch - 1].validation["ndcg@10"] if self.best_epoch else -1.0

    def add(self, epoch: Epoch) -> bool:
        """Record a finished epoch; return whether it is the best."""
        better = epoch.validation["ndcg@10"] > self.best_ndcg
        self.epochs.append(epoch)
        self.batch, self.seconds = 0, 0.0
        if better:
            self.best_epoch = epoch.epoch
        return better
