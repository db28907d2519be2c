"""Errors a user of training can expect and act on; each message says place, value seen and what to do."""

__all__ = ["ConfigError", "DataError", "RunError", "TrainError", "WorkerLostError"]


class TrainError(Exception):
    """Anything expected that can go wrong between a log and a trained run."""


class ConfigError(TrainError, ValueError):
    """An option of the model or of training is out of its range, or two options contradict each other."""


class DataError(TrainError, ValueError):
    """An interaction log cannot be read, or holds something that is no interaction."""


class RunError(TrainError, ValueError):
    """A RUN folder is missing, incomplete or in the way."""


class WorkerLostError(TrainError, ConnectionError):
    """Another worker of a distributed run is gone; all go on from the last checkpoint once it is back."""
