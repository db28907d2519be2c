"""The encoder of a trained model as a function for the converters: embedded history in, user vector out.

The same mathematics as ``sasrec_train.model``, written so that tf2onnx and the TFLite converter emit few and
fusable operators: three-dimensional matmuls, layer norms and GELU in the spelling each runtime knows, an additive
mask, and a last block that works for the newest position alone.
"""

import math
from collections.abc import Callable
from typing import Any, Literal

import tensorflow as tf  # noqa: TID251 - the function that the converters trace

from sasrec_train.layers import LAYER_NORM_EPSILON, MASKED, UNIT_EPSILON, SASRecBlock
from sasrec_train.model import SASRec

__all__ = ["Encoder", "Spelling"]

Spelling = Literal["onnx", "tflite"]
"""For which converter the function is written: `onnx` divides by a square root and names the error function, which
onnxruntime fuses into LayerNormalization and Gelu; `tflite` uses rsqrt and tf.nn.gelu, which are builtins there."""

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": tf.nn.relu,
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
}


class Encoder(tf.Module):  # type: ignore[misc] # TensorFlow has no types
    """The inference function of one trained model, without its item table.

    Args:
        model: The trained model.
        spelling: The converter it is written for.
    """

    def __init__(self, model: SASRec, *, spelling: Spelling):
        super().__init__(name="encoder")
        self.config = model.config
        self.spelling = spelling
        self.positions = tf.Variable(model.position_embedding.embeddings, trainable=False, name="positions")
        self.blocks = [self._block_weights(block) for block in model.blocks]
        self.final_norm = None if model.final_norm is None else self._norm_weights(model.final_norm)

    def __call__(self, embedded: Any, is_item: Any) -> Any:
        """Return the user vectors, float32 (B, D).

        Args:
            embedded: float32 (B, T, D), item embeddings with zero vectors for pads; T ≤ max_len.
            is_item: bool (B, T), True where the history holds an item.
        """
        length = embedded.shape[1] or tf.shape(embedded)[1]
        x = embedded * math.sqrt(self.config.hidden_dim) if self.config.scale_embeddings else embedded
        x = x + tf.convert_to_tensor(self.positions)[self.config.max_len - length :]
        key_bias = tf.expand_dims(tf.where(is_item, 0.0, MASKED), 1)  # (B, 1, T)
        bias = tf.minimum(key_bias, self._causal_bias(length)) if self.config.causal else key_bias
        for block in self.blocks[:-1]:
            x = self._block(block, x, bias)
        # The newest position sees every key, so its row of the causal mask is empty.
        x = self._block(self.blocks[-1], x, key_bias, newest_only=True)
        if self.final_norm is not None:
            x = self._normalise(x, self.final_norm)
        x = tf.reshape(x, [-1, self.config.hidden_dim])
        return x if self.config.similarity == "dot" else self._unit_over_temperature(x)

    def _causal_bias(self, length: Any) -> Any:
        """(T, T): 0 where the key is at or before the query, MASKED after it."""
        position = tf.range(length)
        return tf.cast(tf.expand_dims(position, 0) > tf.expand_dims(position, 1), tf.float32) * MASKED

    def _block(self, weights: dict[str, Any], keys: Any, bias: Any, *, newest_only: bool = False) -> Any:
        """Run one block on `keys` (B, T, D): for every position, or for the newest alone, (B, 1, D)."""
        x = keys[:, -1:] if newest_only else keys
        if self.config.norm == "pre":
            normed = self._normalise(keys, weights["norm_1"])
            x = x + self._attend(weights, normed[:, -1:] if newest_only else normed, normed, bias)
            return x + self._feed_forward(weights, self._normalise(x, weights["norm_2"]))
        if self.config.norm == "post":
            x = self._normalise(x + self._attend(weights, x, keys, bias), weights["norm_1"])
            return self._normalise(x + self._feed_forward(weights, x), weights["norm_2"])
        query = self._normalise(x, weights["norm_1"])
        x = self._normalise(query + self._attend(weights, query, keys, bias), weights["norm_2"])
        return x + self._feed_forward(weights, x)

    def _attend(self, weights: dict[str, Any], queries: Any, keys: Any, bias: Any) -> Any:
        heads, width = self.config.num_heads, self.config.hidden_dim
        # The scale of the logits lies on the query, the smallest of the tensors it could lie on.
        query = _linear(queries, weights["query"]) * (1.0 / math.sqrt(width // heads))
        key, value = _linear(keys, weights["key"]), _linear(keys, weights["value"])
        if heads > 1:
            query, key, value = (self._split(x) for x in (query, key, value))  # (B, H, ·, D/H)
            bias = tf.expand_dims(bias, 1)
        attention = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + bias)
        joined = tf.matmul(attention, value)
        if heads > 1:
            length = queries.shape[1] or tf.shape(queries)[1]
            joined = tf.reshape(tf.transpose(joined, (0, 2, 1, 3)), [-1, length, width])
        return joined if weights["output"] is None else _linear(joined, weights["output"])

    def _split(self, x: Any) -> Any:
        """(B, T, D) → (B, H, T, D/H)."""
        heads = self.config.num_heads
        length = x.shape[1] or tf.shape(x)[1]
        return tf.transpose(tf.reshape(x, [-1, length, heads, self.config.hidden_dim // heads]), (0, 2, 1, 3))

    def _feed_forward(self, weights: dict[str, Any], x: Any) -> Any:
        return _linear(self._activate(_linear(x, weights["ffn_1"])), weights["ffn_2"])

    def _activate(self, x: Any) -> Any:
        if self.config.activation == "gelu" and self.spelling == "onnx":
            return 0.5 * x * (1.0 + tf.math.erf(x / math.sqrt(2.0)))
        return ACTIVATIONS[self.config.activation](x)

    def _normalise(self, x: Any, weights: tuple[Any, Any]) -> Any:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        if self.spelling == "onnx":
            variance = tf.reduce_mean(tf.pow(centred, 2.0), -1, keepdims=True)
            normed = centred / tf.sqrt(variance + LAYER_NORM_EPSILON)
        else:
            variance = tf.reduce_mean(tf.square(centred), -1, keepdims=True)
            normed = centred * tf.math.rsqrt(variance + LAYER_NORM_EPSILON)
        return normed * weights[0] + weights[1]

    def _unit_over_temperature(self, x: Any) -> Any:
        """Vectors of length 1 / temperature.

        The temperature stands under the root: as a factor of the result, the TFLite converter would multiply it into
        a second copy of the item table.
        """
        squares = tf.reduce_sum(tf.square(x), -1, keepdims=True) + UNIT_EPSILON
        squares = squares * self.config.temperature**2
        return x / tf.sqrt(squares) if self.spelling == "onnx" else x * tf.math.rsqrt(squares)

    def _norm_weights(self, norm: Any) -> tuple[Any, Any]:
        """Scale and offset; a fixed layer norm has one and zero, so that it still fuses."""
        if norm.scale:
            return _variable(norm.gamma), _variable(norm.beta)
        dim = self.config.hidden_dim
        return _variable(tf.ones(dim)), _variable(tf.zeros(dim))

    def _block_weights(self, block: SASRecBlock) -> dict[str, Any]:
        attention = block.attention
        return {
            "query": _dense_weights(attention.query),
            "key": _dense_weights(attention.key),
            "value": _dense_weights(attention.value),
            "output": None if attention.output_dense is None else _dense_weights(attention.output_dense),
            "norm_1": self._norm_weights(block.norm_1),
            "norm_2": self._norm_weights(block.norm_2),
            "ffn_1": _dense_weights(block.ffn_1),
            "ffn_2": _dense_weights(block.ffn_2),
        }


def _linear(x: Any, weights: tuple[Any, Any]) -> Any:
    return tf.matmul(x, weights[0]) + weights[1]


def _variable(weight: Any) -> Any:
    return tf.Variable(weight, trainable=False)


def _dense_weights(dense: Any) -> tuple[Any, Any]:
    return _variable(dense.kernel), _variable(dense.bias)
