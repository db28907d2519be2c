"""One training run on several machines: gradients are summed by tf.distribute, everything else is computed on each."""

import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

import numpy as np
import tensorflow as tf  # noqa: TID251 - wraps tf.distribute

from sasrec_train.errors import ConfigError, WorkerLostError

__all__ = ["ALONE", "MultiWorker", "Workers", "connect", "restart"]

logger = logging.getLogger(__name__)
MAX_RESTARTS = 20
RESTARTS = "SASREC_EDGE_RESTARTS"  # Environment variable that counts them.

# What a collective operation ends with when a worker it waits for is gone.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)


class Workers(Protocol):
    """The group of training workers."""

    rank: int
    """Number of this process in the group, from 0; 0 is the chief, which evaluates, writes and decides."""
    count: int
    """Number of workers."""

    def compile(self, step: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:
        """Return a function of tensors as one graph that runs in every worker."""

    def sum(self, tensors: list[Any]) -> list[Any]:
        """Return the sums over all workers; called inside what `compile` got."""

    def share(self, values: list[Any]) -> list[Any]:
        """Return the chief's arrays on every worker; the others give arrays of the same shapes and dtypes."""


class _Alone(Workers):
    """A single process."""

    rank = 0
    count = 1

    def compile(self, step: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:
        compiled: Callable[..., Any] = tf.function(step, input_signature=signature)
        return compiled

    def sum(self, tensors: list[Any]) -> list[Any]:
        return tensors

    def share(self, values: list[Any]) -> list[Any]:
        return values


ALONE: Workers = _Alone()


class MultiWorker(Workers):
    """Processes that find each other by TF_CONFIG, each with one replica, on tf.distribute's collectives.

    Every worker keeps all weights and takes the same steps: each computes the gradients of its rows of the global
    batch, and the sums are applied everywhere.

    Source: tf.distribute.MultiWorkerMirroredStrategy.
    """

    def __init__(self) -> None:
        options = tf.distribute.experimental.CommunicationOptions(
            implementation=tf.distribute.experimental.CommunicationImplementation.RING
        )
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
        resolver = self._strategy.cluster_resolver
        self.rank = int(resolver.task_id or 0)
        self.count = int(self._strategy.num_replicas_in_sync)
        self._sums: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def compile(self, step: Callable[..., Any], signature: list[Any]) -> Callable[..., Any]:  # noqa: D102
        def run(*arguments: Any) -> Any:
            return self._strategy.run(step, args=arguments)

        compiled = tf.function(run, input_signature=signature)

        def guarded(*arguments: Any) -> Any:
            try:
                return compiled(*arguments)
            except LOST as error:
                reason = type(error).__name__
                raise WorkerLostError(
                    f"worker {self.rank} of {self.count} lost another worker ({reason}). "
                    "Start every worker again with --resume."
                ) from error

        return guarded

    def sum(self, tensors: list[Any]) -> list[Any]:  # noqa: D102
        context = tf.distribute.get_replica_context()
        placed = [tf.identity(tensor) for tensor in tensors]  # on this replica's device, which all_reduce asks for
        return list(context.all_reduce(tf.distribute.ReduceOp.SUM, placed))

    def share(self, values: list[Any]) -> list[Any]:  # noqa: D102
        shared = [np.asarray(value) for value in values]
        for dtype in sorted({value.dtype.str for value in shared}):  # tensors that are summed together are of one dtype
            chosen = [i for i, value in enumerate(shared) if value.dtype.str == dtype]
            given = [shared[i] if self.rank == 0 else np.zeros_like(shared[i]) for i in chosen]
            signature = tuple(tf.TensorSpec(value.shape, value.dtype) for value in given)
            if signature not in self._sums:  # tracing again for every call would cost seconds
                self._sums[signature] = self.compile(lambda *tensors: self.sum(list(tensors)), list(signature))
            summed = self._sums[signature](*given)
            for i, value in zip(chosen, summed, strict=True):
                shared[i] = value.numpy()
        return shared


def connect() -> Workers:
    """Return the workers of TF_CONFIG, once all of them are there. Nothing of TensorFlow may have run before.

    Raises:
        ConfigError: TF_CONFIG is missing or does not describe a cluster of workers.
    """
    example = '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, "task": {"type": "worker", "index": 0}}'
    raw = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(raw)
        addresses, task = cluster["cluster"]["worker"], cluster["task"]
        sound = isinstance(addresses, list) and task["type"] == "worker" and 0 <= int(task["index"]) < len(addresses)
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise ConfigError(f"TF_CONFIG is {raw!r:.80}, expected the cluster and this worker's index, such as {example}.")
    if len(addresses) == 1:
        return ALONE
    return MultiWorker()


def restart(error: WorkerLostError) -> NoReturn:
    """Start this process again with --resume, to wait for the lost worker and continue together.

    A collective operation cannot continue once a member is lost, nor can its process join a new cluster.

    Raises:
        WorkerLostError: It was started again so often that something else must be wrong.
    """
    restarts = int(os.environ.get(RESTARTS, "0"))
    if restarts >= MAX_RESTARTS:
        raise error
    logger.warning("%s This worker starts again, and waits for it.", str(error).partition(" Start")[0])
    os.environ[RESTARTS] = str(restarts + 1)
    command = sys.orig_argv if "--resume" in sys.orig_argv else [*sys.orig_argv, "--resume"]
    os.execv(sys.executable, command)  # noqa: S606 - the command is our own
