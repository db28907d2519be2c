"""Errors that a user of training can act on; a message says where, what was seen, what was expected and what to do."""

from pathlib import Path

__all__ = ["ConfigError", "DataError", "RunError", "TrainError", "WorkerLostError", "corrupted", "missing"]


class TrainError(Exception):
    """Anything expected that can go wrong between a log and a trained run."""


class ConfigError(TrainError, ValueError):
    """An option of the model or of training is out of its range, or two options contradict each other."""


class DataError(TrainError, ValueError):
    """An interaction log cannot be read, or holds something that is not an interaction."""


class RunError(TrainError, ValueError):
    """A RUN folder is missing, incomplete, or exists where a new one is to be written."""


class WorkerLostError(TrainError, ConnectionError):
    """Another worker of a distributed run is gone; all continue from the last checkpoint once it is back."""


def missing(path: Path) -> RunError:
    """Return the error for a file of a RUN that is not there."""
    return RunError(f"{path} is missing: the run is incomplete. Train it again.")


def corrupted(path: Path, seen: str) -> RunError:
    """Return the error for a file of a RUN that holds something else than it should."""
    return RunError(f"{path} is corrupted: it holds {seen.rstrip('.')}. Train it again.")
