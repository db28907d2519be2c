"""TensorFlow's errors of memory and of computation as errors with one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf  # noqa: TID251 - its errors

from sasrec_train.errors import ConfigError, TrainError

__all__ = ["explained"]


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Convert TensorFlow's errors of memory and of arguments to TrainError.

    Args:
        doing: What is done in the block, to begin the sentence.

    Raises:
        ConfigError: There is not enough memory.
        TrainError: TensorFlow refuses to compute something.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise ConfigError(
            f"{doing} needs more memory than there is. Lower --batch-size, --max-len, --hidden-dim or --negatives."
        ) from error
    except tf.errors.InvalidArgumentError as error:
        reason = " ".join(str(error.message).split())[:200].rstrip(".")
        raise TrainError(
            f"{doing} failed in TensorFlow: {reason}. Report it with the options that were given."
        ) from error
