"""Epochs as TensorBoard events."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path

import tensorflow as tf  # noqa: TID251 - the writer of events

from sasrec_train.errors import ConfigError
from sasrec_train.training.state import Epoch

__all__ = ["events"]


@contextmanager
def events(folder: Path | None) -> Iterator[Callable[[Epoch], None]]:
    """Give a function that writes an epoch's loss, validation metrics and seconds; without a folder it does nothing.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    if folder is None:
        yield _ignore
        return
    if util.find_spec("tensorboard") is None:
        raise ConfigError("--tensorboard needs TensorBoard, which is not installed. Run: pip install tensorboard")
    writer = tf.summary.create_file_writer(str(folder))

    def write(epoch: Epoch) -> None:
        with writer.as_default(step=epoch.epoch):
            tf.summary.scalar("loss", epoch.loss)
            tf.summary.scalar("seconds", epoch.seconds)
            for name, value in epoch.validation.items():
                tf.summary.scalar(f"validation/{name}", value)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()


def _ignore(_epoch: Epoch) -> None:
    """Do nothing with an epoch."""
