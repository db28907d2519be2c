"""The graph contract in TFLite: `recommend` and `score` as two signatures of one file, on one item table.

History and batch have fixed shapes there (1 × max_len), and k is fixed; `exclude` and `candidates` may have any
length, to which an interpreter resizes.
"""

import tempfile
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - the graph that the TFLite converter takes
from numpy.typing import NDArray

from sasrec_export import flatbuffer
from sasrec_export.encoder import Encoder
from sasrec_export.errors import ConversionError
from sasrec_runtime.signature import ENTRIES, PAD_ID
from sasrec_train.model import SASRec

__all__ = ["convert"]


class _Contract(tf.Module):  # type: ignore[misc] # TensorFlow has no types
    """The two entries. It tracks its variables itself: the converter would drop those of a Keras model."""

    def __init__(self, model: SASRec, table: NDArray[np.float32], *, top_k: int):
        super().__init__(name="sasrec")
        self.encoder = Encoder(model, spelling="tflite")
        self.table = tf.Variable(table, trainable=False, name="item_table")
        self.top_k = top_k
        self.n_items = model.config.n_items
        self.max_len = model.config.max_len
        self.hidden_dim = model.config.hidden_dim

    def recommend(self, history: Any, exclude: Any) -> dict[str, Any]:
        """History int32 (1, max_len), exclude int32 (1, E) → items int32 (1, k), scores float32 (1, k)."""
        scores = tf.matmul(self._user(history), tf.convert_to_tensor(self.table), transpose_b=True)  # (1, V)
        _, excluded = self._valid_ids(tf.reshape(exclude, [-1]))
        excluded = tf.concat([tf.constant([PAD_ID]), excluded], 0)
        # Added, not sliced or scattered into the scores: those builtins copy the whole row of scores.
        hidden = tf.zeros_like(tf.cast(excluded, tf.float32)) - np.inf
        scores = scores + tf.scatter_nd(tf.expand_dims(excluded, 1), hidden, [self.n_items + 1])
        values, indices = tf.math.top_k(scores, self.top_k)
        items = tf.where(values > tf.float32.min, indices, PAD_ID)
        return {"items": items, "scores": values}

    def score(self, history: Any, candidates: Any) -> dict[str, Any]:
        """History int32 (1, max_len), candidates int32 (1, C) → scores float32 (1, C).

        What is no item scores -inf; XNNPACK makes the lowest float of it.
        """
        is_item, ids = self._valid_ids(tf.reshape(candidates, [-1]))
        products = tf.reduce_sum(self._lookup(ids) * self._user(history), axis=1)
        return {"scores": tf.expand_dims(tf.where(is_item, products, -np.inf), 0)}

    def _user(self, history: Any) -> Any:
        is_item, ids = self._valid_ids(tf.reshape(history, [-1]))
        embedded = tf.reshape(self._lookup(ids), [1, self.max_len, self.hidden_dim])
        return self.encoder(embedded, tf.reshape(is_item, [1, self.max_len]))

    def _lookup(self, ids: Any) -> Any:
        """Rows of `ids` (n,): one-dimensional, as EMBEDDING_LOOKUP wants them."""
        return tf.gather(tf.convert_to_tensor(self.table), ids)

    def _valid_ids(self, ids: Any) -> tuple[Any, Any]:
        """Return which ids are items, and the ids with everything else as PAD_ID."""
        is_item = tf.logical_and(ids > PAD_ID, ids <= self.n_items)
        return is_item, tf.where(is_item, ids, PAD_ID)


def convert(model: SASRec, table: NDArray[np.float32], *, top_k: int) -> Any:
    """Return the float32 TFLite model of `model` as a ModelT, with both signatures and one item table.

    Args:
        model: The trained model.
        table: Its item table, float32 (V, D), row 0 zero.
        top_k: Items that `recommend` returns.

    Raises:
        ConversionError: The converter dropped a signature, left variables empty or used operators that are not
            builtin.
    """
    contract = _Contract(model, table, top_k=top_k)
    history = tf.TensorSpec((1, model.config.max_len), tf.int32, name="history")
    functions = {
        "recommend": tf.function(
            contract.recommend, input_signature=(history, tf.TensorSpec((1, None), tf.int32, name="exclude"))
        ),
        "score": tf.function(
            contract.score, input_signature=(history, tf.TensorSpec((1, None), tf.int32, name="candidates"))
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        signatures = {name: function.get_concrete_function() for name, function in functions.items()}
        tf.saved_model.save(contract, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converted = flatbuffer.load(converter.convert())
    _check(converted, table)
    return converted


def _check(converted: Any, table: NDArray[np.float32]) -> None:
    """Refuse what the converter is known to return without an error."""
    signatures = {definition.signatureKey.decode() for definition in converted.signatureDefs or []}
    if signatures != set(ENTRIES):
        raise ConversionError(f"TFLite model: signatures are {sorted(signatures)}, expected {sorted(ENTRIES)}.")
    tables = {
        tensor.buffer
        for graph in converted.subgraphs
        for tensor in graph.tensors
        if (data := flatbuffer.tensor_data(converted, tensor)) is not None and data.nbytes == table.nbytes
    }
    if len(tables) != 1:
        raise ConversionError(f"TFLite model: the item table stands in it {len(tables)} times, expected once.")
    names = {name for _, _, name in flatbuffer.operators(converted)}
    foreign = sorted(names & {"CUSTOM", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"})
    if foreign:
        raise ConversionError(f"TFLite model: it uses {', '.join(foreign)}, expected builtin operators on constants.")
