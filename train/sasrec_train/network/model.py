"""SASRec as a Keras model: item ids in, hidden states out, scored against its own item table."""

import math
from typing import Any

import keras  # noqa: TID251 - this file defines the network
import msgspec
import tensorflow as tf  # noqa: TID251
from keras import ops  # noqa: TID251

from sasrec_train.config import ModelConfig
from sasrec_train.network.layers import MASKED, PACKAGE, PositionEmbedding, SASRecBlock, layer_norm, unit

__all__ = ["PAD_ID", "SASRec"]

PAD_ID = 0  # Not an item; a contract test pins it to the runtime's.


@keras.saving.register_keras_serializable(PACKAGE)
class SASRec(keras.Model):  # type: ignore[misc] # Keras has no types
    """Self-attentive sequential recommendation with tied item vectors.

    Args:
        config: The network, a ModelConfig (or its fields as a dict, when loaded from a file).

    Call arguments:
        history: int32 (B, T), oldest item first, left-padded with PAD_ID. Only the last max_len columns are
            read; ids outside 1…n_items count as padding.

    Returns of a call: float32 (B, T, D), the hidden state after each position, T ≤ max_len.

    Masking: a position sees the items at and before it (`causal`), and never a pad.

    Source: Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018.
    """

    def __init__(self, config: ModelConfig | dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        config = config if isinstance(config, ModelConfig) else msgspec.convert(config, ModelConfig)
        self.config = config
        self.item_embedding = keras.layers.Embedding(
            config.n_items + 1,
            config.hidden_dim,
            embeddings_initializer="glorot_uniform",
            name="item_embedding",
        )
        self.position_embedding = PositionEmbedding(config.max_len, config.positions, name="position_embedding")
        self.dropout = keras.layers.Dropout(config.dropout_rate)
        self.blocks = [
            SASRecBlock(
                config.hidden_dim,
                config.num_heads,
                config.ffn_dim,
                config.dropout_rate,
                config.norm,
                config.trainable_norms,
                config.output_projection,
                config.activation,
                name=f"block_{i}",
            )
            for i in range(config.num_blocks)
        ]
        self.final_norm = layer_norm("final_norm", trained=config.trainable_norms) if config.final_norm else None
        self.build()

    def get_config(self) -> dict[str, Any]:
        return {"config": msgspec.to_builtins(self.config), "name": self.name}

    def build(self, input_shape: Any = None) -> None:  # noqa: ARG002 - every shape follows from the config
        hidden = (None, None, self.config.hidden_dim)
        self.item_embedding.build((None, None))
        self.position_embedding.build(hidden)
        for block in self.blocks:
            block.build(hidden)
        if self.final_norm is not None:
            self.final_norm.build(hidden)
        self.built = True

    @property
    def item_table(self) -> Any:
        """The tied item vectors as they are read and scored, float32 (V, D); row PAD_ID stands for no item."""
        return self.item_vectors(ops.convert_to_tensor(self.item_embedding.embeddings))

    def item_vectors(self, rows: Any) -> Any:
        """Return the item vectors of rows of the embedding: the rows themselves, or of length 1 for cosines."""
        return unit(rows) if self.config.similarity == "cosine" else rows

    def call(self, history: Any, training: bool | None = None) -> Any:
        history = history[:, -self.config.max_len :]
        is_item = ops.logical_and(history > PAD_ID, history <= self.config.n_items)  # (B, T)
        embedded = self.item_vectors(self.item_embedding(ops.where(is_item, history, PAD_ID)))
        return self.transform(embedded, ops.cast(is_item, "int32"), training=training)

    def transform(self, embedded: Any, segments: Any, positions: Any = None, training: bool | None = None) -> Any:
        """Return the hidden states of embedded rows, each of which may hold several windows.

        Args:
            embedded: float32 (B, T, D), item vectors.
            segments: int32 (B, T), window of each entry within its row, 0 for pads. A position sees its own
                window only, so windows side by side give what each gives alone.
            positions: int32 (B, T), position of each entry, in [0, max_len); None where each row is one window that
                ends at the last column.
            training: Whether dropout is on.
        """
        is_item = segments > 0
        x = embedded * ops.expand_dims(ops.cast(is_item, embedded.dtype), -1)  # pads are zero vectors
        if self.config.scale_embeddings:
            x = x * math.sqrt(self.config.hidden_dim)
        x = self.dropout(self.position_embedding(x, positions), training=training)  # (B, T, D)
        bias = self._attention_bias(segments)
        for block in self.blocks:
            x = block(x, bias, training=training)
        if self.final_norm is not None:
            x = self.final_norm(x)
        return unit(x) / self.config.temperature if self.config.similarity == "cosine" else x

    def user_vector(self, history: Any) -> Any:
        """Return the hidden state after the newest position, float32 (B, D)."""
        return self(history, training=False)[:, -1]

    def encoder(self) -> Any:
        """Return `user_vector` as one compiled function of int32 (B, T), for many calls of any shape."""
        return tf.function(self.user_vector, input_signature=[tf.TensorSpec((None, None), tf.int32)])

    def scores(self, history: Any) -> Any:
        """Return the score of every id as next item, float32 (B, V); column PAD_ID means nothing."""
        return ops.matmul(self.user_vector(history), ops.transpose(self.item_table))

    def _attention_bias(self, segments: Any) -> Any:
        """(B, T) → (B, 1, T, T): 0 where the query may see the key, MASKED where not."""
        query, key = segments[:, None, :, None], segments[:, None, None, :]
        visible = ops.logical_and(key > 0, ops.logical_or(query == key, query == 0))  # a pad sees every item before it
        if self.config.causal:
            position = ops.arange(ops.shape(segments)[1])
            visible = ops.logical_and(visible, position[None, :] <= position[:, None])
        return ops.where(visible, 0.0, MASKED)
