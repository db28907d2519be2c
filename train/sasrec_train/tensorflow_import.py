"""TensorFlow without its start-up notes."""

import os
import sys

__all__ = ["import_tensorflow"]


def import_tensorflow() -> None:
    """Import TensorFlow; its notes about missing GPUs and logging are hidden.

    It writes to the process's own stderr before any log level can be set from Python, so that is redirected for the
    moment. Errors are exceptions and still arrive.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf  # noqa: PLC0415, TID251 - imported for the modules that follow
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
    tf.get_logger().setLevel("ERROR")  # warnings about retracing and the like are for those who write the graphs
