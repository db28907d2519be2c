"""The layers of SASRec: self-attention under a mask, position embeddings, and the block that joins them."""

import math
from typing import Any

import keras  # noqa: TID251 - this file defines the network
import numpy as np
from keras import ops  # noqa: TID251
from numpy.typing import NDArray

__all__ = [
    "LAYER_NORM_EPSILON",
    "MASKED",
    "UNIT_EPSILON",
    "PositionEmbedding",
    "SASRecBlock",
    "SelfAttention",
    "layer_norm",
    "sinusoids",
    "unit",
]

MASKED = -1e9  # Added to attention logits of masked keys; finite, so that a row of pads gives no NaN.
LAYER_NORM_EPSILON = 1e-6
UNIT_EPSILON = 1e-12  # Under the root, so that a zero vector stays zero and has a gradient.
PACKAGE = "sasrec_edge"


def sinusoids(max_len: int, hidden_dim: int) -> NDArray[np.float32]:
    """Return fixed sine and cosine position embeddings, (max_len, hidden_dim).

    Source: Vaswani et al. 2017, section 3.5.
    """
    position = np.arange(max_len)[:, None]
    angle = position / 10000 ** (2 * np.arange((hidden_dim + 1) // 2) / hidden_dim)
    table = np.empty((max_len, hidden_dim), np.float32)
    table[:, 0::2] = np.sin(angle)
    table[:, 1::2] = np.cos(angle[:, : hidden_dim // 2])
    return table


@keras.saving.register_keras_serializable(PACKAGE)
class PositionEmbedding(keras.layers.Layer):  # type: ignore[misc] # Keras has no types
    """Adds a vector per position, counted from the newest item, so that a trimmed history keeps its positions.

    Args:
        max_len: Number of positions.
        kind: `learned` or `sinusoidal` (fixed).

    Call arguments:
        x: float32 (B, T, D) with T ≤ max_len.
        positions: int32 (B, T), the position of each entry; None where the newest item stands in the last column.

    Masking: none; pads get a position too, and are hidden as keys later.

    Source: kang205/SASRec model.py (learned), Vaswani et al. 2017 (sinusoidal).
    """

    def __init__(self, max_len: int, kind: str = "learned", **kwargs: Any):
        super().__init__(**kwargs)
        self.max_len = max_len
        self.kind = kind

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_len": self.max_len, "kind": self.kind}

    def build(self, input_shape: tuple[int | None, int | None, int]) -> None:
        dim = input_shape[-1]
        if self.kind == "sinusoidal":
            self.embeddings = sinusoids(self.max_len, dim)
        else:
            self.embeddings = self.add_weight(
                shape=(self.max_len, dim), initializer="glorot_uniform", name="embeddings"
            )
        self.built = True

    def call(self, x: Any, positions: Any = None) -> Any:
        embeddings = ops.convert_to_tensor(self.embeddings)
        if positions is None:
            return x + embeddings[self.max_len - ops.shape(x)[1] :]
        return x + ops.take(embeddings, positions, axis=0)


@keras.saving.register_keras_serializable(PACKAGE)
class SelfAttention(keras.layers.Layer):  # type: ignore[misc]
    """Scaled dot-product attention with several heads and an additive mask.

    Args:
        hidden_dim: Width D; a multiple of num_heads.
        num_heads: Heads H.
        dropout_rate: Dropout on attention weights.
        output_projection: A linear layer after the heads are joined (the SASRec code has none).

    Call arguments:
        queries: float32 (B, T, D).
        keys: float32 (B, T, D); also the values' source.
        bias: float32 (B or 1, 1, T, T), 0 where a query may see a key, MASKED where not.

    Masking: by `bias` alone.

    Source: Kang & McAuley 2018, section 3.2.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        dropout_rate: float = 0.0,
        output_projection: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.dropout_rate = dropout_rate
        self.output_projection = output_projection
        self.query = keras.layers.Dense(hidden_dim, name="query")
        self.key = keras.layers.Dense(hidden_dim, name="key")
        self.value = keras.layers.Dense(hidden_dim, name="value")
        self.output_dense = keras.layers.Dense(hidden_dim, name="output") if output_projection else None
        self.dropout = keras.layers.Dropout(dropout_rate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_heads": self.num_heads,
            "dropout_rate": self.dropout_rate,
            "output_projection": self.output_projection,
        }

    def build(self, *_shapes: Any, **_named_shapes: Any) -> None:
        for dense in (self.query, self.key, self.value, self.output_dense):
            if dense is not None:
                dense.build((None, None, self.hidden_dim))
        self.built = True

    def call(self, queries: Any, keys: Any, bias: Any, training: bool | None = None) -> Any:
        if queries is keys:
            projected = _linear(queries, self.query, self.key, self.value)
        else:
            projected = [*_linear(queries, self.query), *_linear(keys, self.key, self.value)]
        query, key, value = (self._split(each) for each in projected)  # (B, H, T, D/H)
        logits = ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(self.hidden_dim // self.num_heads)
        weights = self.dropout(ops.softmax(logits + bias, axis=-1), training=training)  # (B, H, T, T)
        joined = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        joined = ops.reshape(joined, (-1, ops.shape(queries)[1], self.hidden_dim))
        return joined if self.output_dense is None else self.output_dense(joined)

    def _split(self, x: Any) -> Any:
        """(B, T, D) → (B, H, T, D/H)."""
        split = ops.reshape(x, (-1, ops.shape(x)[1], self.num_heads, self.hidden_dim // self.num_heads))
        return ops.transpose(split, (0, 2, 1, 3))


@keras.saving.register_keras_serializable(PACKAGE)
class SASRecBlock(keras.layers.Layer):  # type: ignore[misc]
    """One block: self-attention and a point-wise feed-forward network, with residuals and layer norms.

    Args:
        hidden_dim: Width D.
        num_heads: Heads; must divide hidden_dim.
        ffn_dim: Inner width of the feed-forward network.
        dropout_rate: Dropout on attention weights and on both branches.
        norm: `pre`, `post`, or `paper` (residuals are added to the normalised input, as in the authors' code).
        trainable_norms: Whether layer norms have a trained scale and offset.
        output_projection: A linear layer after attention.
        activation: Activation inside the feed-forward network.

    Call arguments:
        x: float32 (B, T, D).
        bias: float32 (B or 1, 1, T, T), see SelfAttention.

    Masking: by `bias` alone.

    Source: Kang & McAuley 2018, sections 3.2 and 3.3; kang205/SASRec model.py for `paper`.
    """

    def __init__(
        self,
        hidden_dim: int,
        num_heads: int,
        ffn_dim: int,
        dropout_rate: float = 0.0,
        norm: str = "pre",
        trainable_norms: bool = True,
        output_projection: bool = True,
        activation: str = "relu",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.ffn_dim = ffn_dim
        self.dropout_rate = dropout_rate
        self.norm = norm
        self.trainable_norms = trainable_norms
        self.output_projection = output_projection
        self.activation = activation
        self.attention = SelfAttention(hidden_dim, num_heads, dropout_rate, output_projection, name="attention")
        self.norm_1 = layer_norm("norm_1", trained=trainable_norms)
        self.norm_2 = layer_norm("norm_2", trained=trainable_norms)
        self.ffn_1 = keras.layers.Dense(ffn_dim, activation=activation, name="ffn_1")
        self.ffn_2 = keras.layers.Dense(hidden_dim, name="ffn_2")
        self.dropout = keras.layers.Dropout(dropout_rate)

    def get_config(self) -> dict[str, Any]:
        names = (
            "hidden_dim", "num_heads", "ffn_dim", "dropout_rate", "norm", "trainable_norms", "output_projection",
            "activation",
        )  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def build(self, *_shapes: Any, **_named_shapes: Any) -> None:
        self.attention.build()
        for layer in (self.norm_1, self.norm_2, self.ffn_1):
            layer.build((None, None, self.hidden_dim))
        self.ffn_2.build((None, None, self.ffn_dim))
        self.built = True

    def call(self, x: Any, bias: Any, training: bool | None = None) -> Any:
        if self.norm == "pre":
            normed = self.norm_1(x)
            x = x + self._attend(normed, normed, bias, training)
            return x + self._feed_forward(self.norm_2(x), training)
        if self.norm == "post":
            x = self.norm_1(x + self._attend(x, x, bias, training))
            return self.norm_2(x + self._feed_forward(x, training))
        query = self.norm_1(x)
        x = self.norm_2(query + self._attend(query, x, bias, training))
        return x + self._feed_forward(x, training)

    def _attend(self, queries: Any, keys: Any, bias: Any, training: bool | None) -> Any:
        return self.dropout(self.attention(queries, keys, bias, training=training), training=training)

    def _feed_forward(self, x: Any, training: bool | None) -> Any:
        inner = self.dropout(self.ffn_1(x), training=training)
        return self.dropout(self.ffn_2(inner), training=training)


def layer_norm(name: str, *, trained: bool) -> Any:
    """Return the layer norm used throughout, with or without a trained scale and offset."""
    return keras.layers.LayerNormalization(epsilon=LAYER_NORM_EPSILON, center=trained, scale=trained, name=name)


def _linear(x: Any, *layers: Any) -> Any:
    """Return what each Dense layer makes of x, by one product: small matrices are slow one by one."""
    kernel = ops.concatenate([layer.kernel for layer in layers], axis=1)
    bias = ops.concatenate([layer.bias for layer in layers], axis=0)
    return ops.split(ops.matmul(x, kernel) + bias, len(layers), axis=-1)


def unit(x: Any) -> Any:
    """Return vectors (…, D) of length 1 in the same directions; zero vectors stay zero."""
    return x * ops.rsqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + UNIT_EPSILON)
