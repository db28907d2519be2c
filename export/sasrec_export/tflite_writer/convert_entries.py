"""The graph contract in TFLite: `recommend` and `score` as two signatures of one file, before the item table is in it.

The table is an input while TensorFlow's converter works, which therefore never sees its bytes: a million items convert
as fast as ten. `table.py` then makes it a constant. k is fixed, and so is the number of rows: one, unless the
options say more. `history`, `exclude` and `candidates` may have any length unless the options fix it; an interpreter
resizes its inputs.
"""

import tempfile
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - the graph that the TFLite converter takes

from sasrec_export.encoder.inference_encoder import InferenceEncoder, folds_projections
from sasrec_export.export_options import ExportOptions
from sasrec_export.search_plan import SearchPlan
from sasrec_export.table.transform import Matrix
from sasrec_export.tflite_writer import top_k
from sasrec_runtime.signature import PAD_ID
from sasrec_train.network.layers import MASKED, UNIT_EPSILON
from sasrec_train.network.model import SASRec

__all__ = ["TABLE", "convert"]

TABLE = "table"
"""Name of the input that stands for the item table."""


class _Contract(tf.Module):  # type: ignore[misc] # TensorFlow has no types
    """The two entries, without variables: the converter would drop those of a Keras model."""

    def __init__(self, model: SASRec, *, top_k: int, options: ExportOptions, transform: Matrix | None):
        super().__init__(name="sasrec")
        self.config = model.config
        self.encoder = InferenceEncoder(model, gelu=lambda x: tf.nn.gelu(x, approximate=False))
        self.positions = np.asarray(model.position_embedding.embeddings, np.float32)
        self.search = SearchPlan.of(model.config.n_items)
        self.batch = options.batch or 1
        self.length = min(options.history or model.config.max_len, model.config.max_len)
        self.top_k = top_k
        self.table_transform = transform

    def recommend(self, history: Any, exclude: Any, table: Any) -> dict[str, Any]:
        """History int32 (B, T), exclude int32 (B, E) → items int32 (B, k), scores float32 (B, k)."""
        scores = tf.matmul(self._user(history, table), table, transpose_b=True)  # (B, rows)
        _, excluded = self._valid_ids(exclude)
        values, rows = top_k.top_k(top_k.exclude(scores, excluded, self.search), self.top_k, self.search)
        items = tf.where(values > tf.float32.min, rows, PAD_ID)
        return {"items": items, "scores": values}

    def score(self, history: Any, candidates: Any, table: Any) -> dict[str, Any]:
        """History int32 (B, T), candidates int32 (B, C) → scores float32 (B, C).

        A candidate that is not an item scores -inf; XNNPACK returns the lowest float for it.
        """
        is_item, ids = self._valid_ids(candidates)
        vectors = tf.gather(table, tf.reshape(ids, [-1]))
        if self.batch > 1:
            vectors = tf.reshape(vectors, [self.batch, -1, self.config.hidden_dim])
        products = tf.reduce_sum(vectors * tf.expand_dims(self._user(history, table), 1), axis=-1)
        return {"scores": tf.where(is_item, tf.reshape(products, [self.batch, -1]), -np.inf)}

    def _user(self, history: Any, table: Any) -> Any:
        """User vectors, transformed for the table, (B, D)."""
        c = self.config
        if history.shape[1] != self.length:
            before = tf.constant(PAD_ID, tf.int32, (self.batch, self.length))
            history = tf.concat([before, history], 1)[:, -self.length :]  # of any length, T columns
        is_item, ids = self._valid_ids(tf.reshape(history, [self.batch, self.length]))
        x = self._transformed(tf.gather(table, tf.reshape(ids, [-1])))
        x = tf.reshape(x, [self.batch, self.length, c.hidden_dim])
        x = (x * np.sqrt(c.hidden_dim).astype(np.float32) if c.scale_embeddings else x) + self.positions[-self.length :]
        key_bias = tf.expand_dims(tf.where(is_item, 0.0, MASKED), 1)  # (B, 1, T)
        user = self.encoder(x, key_bias, self._bias(key_bias), [self.batch, -1, c.hidden_dim])
        return self._transformed(user if c.similarity == "dot" else self._unit_over_temperature(user))

    def _transformed(self, rows: Any) -> Any:
        """(…, D) times the transform, see `table.transform`."""
        if self.table_transform is None:
            return rows
        return rows * self.table_transform if self.table_transform.ndim == 1 else tf.matmul(rows, self.table_transform)

    def _bias(self, key_bias: Any) -> Any:
        """Join key_bias with the causal mask, in the layout that the encoder names."""
        c = self.config
        if not folds_projections(c):
            key_bias = tf.expand_dims(key_bias, 1)  # (B, 1, 1, T)
        if not c.causal:
            return key_bias
        later = np.triu(np.full((self.length, self.length), MASKED, np.float32), 1)
        return tf.minimum(key_bias, np.repeat(later, c.num_heads if folds_projections(c) else 1, axis=0))

    def _unit_over_temperature(self, x: Any) -> Any:
        """Return ``x / √((|x|² + ε) · temperature²)``: vectors of length 1 / temperature.

        The temperature stands under the root. As a factor of the result, the converter would multiply it into the
        constant that comes next, the table.
        """
        squares = tf.reduce_sum(tf.square(x), -1, keepdims=True) + UNIT_EPSILON
        return x * tf.math.rsqrt(squares * self.config.temperature**2)

    def _valid_ids(self, ids: Any) -> tuple[Any, Any]:
        """Return which ids are items, and the ids with everything else as PAD_ID."""
        is_item = tf.logical_and(ids > PAD_ID, ids <= self.config.n_items)
        return is_item, tf.where(is_item, ids, PAD_ID)


def convert(model: SASRec, *, top_k: int, options: ExportOptions, transform: Matrix | None = None) -> bytes:
    """Return the float32 TFLite file of `model` with both signatures, the item table an input named TABLE of each.

    Args:
        model: The trained model.
        top_k: Items that `recommend` returns.
        options: Which sizes are fixed.
        transform: (D,) or (D, D), what the table is held in, see `table.transform`; None: nothing.
    """
    contract = _Contract(model, top_k=top_k, options=options, transform=transform)
    table = tf.TensorSpec((contract.search.rows, model.config.hidden_dim), tf.float32, name=TABLE)

    def ids(name: str, columns: int) -> Any:
        return tf.TensorSpec((contract.batch, columns or None), tf.int32, name=name)

    history = ids("history", options.history)
    functions = {
        "recommend": tf.function(contract.recommend, input_signature=(history, ids("exclude", options.exclude), table)),
        "score": tf.function(contract.score, input_signature=(history, ids("candidates", options.candidates), table)),
    }
    with tempfile.TemporaryDirectory() as folder:
        signatures = {name: function.get_concrete_function() for name, function in functions.items()}
        tf.saved_model.save(contract, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        return bytes(converter.convert())
