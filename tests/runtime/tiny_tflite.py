"""Write the tiny model as a TFLite file with two signatures: `python tiny_tflite.py OUT`.

A script, so that TensorFlow and its warnings stay out of the process that runs the tests.
"""

import sys
import tempfile
from pathlib import Path

import tensorflow as tf

TABLE = [[0, 0], [1, 0], [0, 1], [1, 1], [2, 0], [0, 2], [-1, 1], [1, -1]]  # tiny.TABLE
FIXED_K = 5


class Tiny(tf.Module):
    """The graph contract as TFLite keeps it: one row, fixed history and k, any number of excluded and candidate ids."""

    def __init__(self) -> None:
        self.table = tf.Variable(TABLE, dtype=tf.float32)

    def clean(self, ids):
        return tf.where((ids >= 1) & (ids < len(TABLE)), ids, 0)

    def user(self, history):
        return tf.reduce_sum(tf.gather(self.table, self.clean(history)), axis=1)  # (1, 2)

    @tf.function(
        input_signature=[tf.TensorSpec([1, 4], tf.int32, "history"), tf.TensorSpec([1, None], tf.int32, "exclude")]
    )
    def recommend(self, history, exclude):
        masked = tf.concat([[0], tf.reshape(self.clean(exclude), [-1])], axis=0)
        bias = tf.scatter_nd(tf.expand_dims(masked, 1), tf.zeros_like(masked, tf.float32) - 1e9, [len(TABLE)])
        scores, ids = tf.math.top_k(tf.matmul(self.user(history), self.table, transpose_b=True) + bias, FIXED_K)
        return {"items": tf.where(scores > -5e8, ids, 0), "scores": scores}

    @tf.function(
        input_signature=[tf.TensorSpec([1, 4], tf.int32, "history"), tf.TensorSpec([1, None], tf.int32, "candidates")]
    )
    def score(self, history, candidates):
        rows = tf.gather(self.table, tf.reshape(self.clean(candidates), [-1]))
        return {"scores": tf.matmul(self.user(history), rows, transpose_b=True)}


def main(out: Path) -> None:
    tiny = Tiny()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tiny, folder, signatures={"recommend": tiny.recommend, "score": tiny.score})
        out.write_bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
