"""The blocks of a trained model as the function that tf2onnx converts: embedded history in, hidden state out.

The same mathematics as `network.model` of sasrec_train, arranged for onnxruntime on a CPU, where the call of a small
operator costs as much as its work:

- Linear layers are products of two-dimensional tensors, which become Gemm; layer norms and GELU are spelled as
  onnxruntime recognises them.
- Projections are folded for few heads. With x the query's input and y the keys' input, a logit is
  ``(x Wq + bq)·(y Wk + bk) = (x Wq Wk' + bq Wk')·y + const``: one matrix ``Wq Wk'`` per head, and the constant, which
  is equal for all keys, cancels in the softmax, and with it bk. On the other side ``Σ a (y Wv + bv) Wo + bo`` equals
  ``(Σ a y) Wv Wo + bv Wo + bo``, because the weights a sum to 1. Heads then need no transposition. (The absorption of
  multi-head latent attention, DeepSeek-V2, arXiv 2405.04434, section 2.1.2, is the same algebra.)
- The last block works for the newest position alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf  # noqa: TID251 - the function that tf2onnx traces
from numpy.typing import NDArray

from sasrec_train.config import ModelConfig
from sasrec_train.network.layers import LAYER_NORM_EPSILON, SASRecBlock
from sasrec_train.network.model import SASRec

__all__ = ["InferenceEncoder", "folds_projections"]

MAX_FOLDED_HEADS = 2
"""A head with folded projections is as wide as the network: beyond two, its work outweighs the transpositions saved."""

Linear = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Kernel (in, out) and bias (out,)."""


def folds_projections(config: ModelConfig) -> bool:
    """Return whether projections are folded in all blocks, or only in the last."""
    return config.num_heads <= MAX_FOLDED_HEADS


class InferenceEncoder(tf.Module):  # type: ignore[misc] # TensorFlow has no types
    """The blocks of one trained model, between its embeddings and its similarity.

    Args:
        model: The trained model.
        gelu: How the GELU is written; None: as onnxruntime recognises it.
    """

    def __init__(self, model: SASRec, *, gelu: Callable[[Any], Any] | None = None):
        super().__init__(name="encoder")
        self.config = model.config
        self.activate = (
            gelu if gelu is not None and model.config.activation == "gelu" else ACTIVATIONS[model.config.activation]
        )
        form = _FoldedBlock if folds_projections(model.config) else _SplitBlock
        self.blocks = [form.of(block) for block in model.blocks[:-1]]
        self.last = _FoldedBlock.of(model.blocks[-1])
        self.final_norm = None if model.final_norm is None else _norm(model.final_norm, model.config.hidden_dim)

    def __call__(self, x: Any, key_bias: Any, bias: Any, rows: Any) -> Any:
        """Return the hidden state of the newest position, float32 (B, D).

        Args:
            x: float32 (B, T, D), scaled item vectors plus positions.
            key_bias: float32 (B, 1, T), 0 where the history holds an item, a large negative number elsewhere.
            bias: float32, the same joined with the causal mask, in the layout of the blocks' logits: (B, T·H, T) with a
                row per position and head where projections are folded, (B, 1, T, T) where not.
            rows: int64 (3,), [B, -1, D]: one shape serves every return to three dimensions.
        """
        for block in self.blocks:
            x = tf.reshape(self._run(block, x, lambda b, q, k: b.attend(q, k, bias, rows)), rows)
        x = self._run(self.last, x, lambda b, q, k: b.attend_newest(q, k, key_bias), newest=True)
        return x if self.final_norm is None else _normalise(x, self.final_norm)

    def _run(self, block: "_Block", keys: Any, attend: Callable[..., Any], *, newest: bool = False) -> Any:
        """Run one block on `keys` (B, T, D) for every position, or for the newest alone; return (B·T or B, D)."""

        def queries(x: Any) -> Any:
            return x[:, -1] if newest else tf.reshape(x, [-1, self.config.hidden_dim])

        if self.config.norm == "pre":
            normed = _normalise(keys, block.norm_1)
            x = queries(keys) + attend(block, queries(normed), normed)
            return x + self._feed_forward(block, _normalise(x, block.norm_2))
        if self.config.norm == "post":
            x = queries(keys)
            x = _normalise(x + attend(block, x, keys), block.norm_1)
            return _normalise(x + self._feed_forward(block, x), block.norm_2)
        # The paper's code: the residual is added to the normalised query, and keys are not normalised.
        query = _normalise(queries(keys), block.norm_1)
        x = _normalise(query + attend(block, query, keys), block.norm_2)
        return x + self._feed_forward(block, x)

    def _feed_forward(self, block: "_Block", x: Any) -> Any:
        return _linear(self.activate(_linear(x, block.ffn_1)), block.ffn_2)


@dataclass(frozen=True, slots=True)
class _Block:
    """What every form of a block has."""

    heads: int
    """Attention heads H."""
    width: int
    """hidden_dim D."""
    norm_1: Linear
    """Scale and offset (D,) of the first layer norm."""
    norm_2: Linear
    """Scale and offset (D,) of the second one."""
    ffn_1: Linear
    """(D, F), the first linear layer of the feed-forward part."""
    ffn_2: Linear
    """(F, D), the second one."""

    @staticmethod
    def parts(block: SASRecBlock) -> dict[str, Any]:
        return {
            "heads": block.num_heads,
            "width": block.hidden_dim,
            "norm_1": _norm(block.norm_1, block.hidden_dim),
            "norm_2": _norm(block.norm_2, block.hidden_dim),
            "ffn_1": _dense(block.ffn_1),
            "ffn_2": _dense(block.ffn_2),
        }


@dataclass(frozen=True, slots=True)
class _FoldedBlock(_Block):
    """A block with folded projections, see the top of this file."""

    to_keys: Linear
    """(D, H·D): ``Wq Wk'`` of each head, so the query in the space of the keys' input."""
    from_pooled: Linear
    """(H·D, D): ``Wv Wo`` of each head, applied to what the head pooled."""

    @classmethod
    def of(cls, block: SASRecBlock) -> "_FoldedBlock":
        attention, heads, width = block.attention, block.num_heads, block.hidden_dim
        query, query_bias, key, value, value_bias = (
            np.asarray(weight, np.float64)
            for weight in (
                attention.query.kernel, attention.query.bias, attention.key.kernel,
                attention.value.kernel, attention.value.bias,
            )
        )  # fmt: skip
        output, output_bias = np.eye(width), np.zeros(width)
        if attention.output_dense is not None:
            output = np.asarray(attention.output_dense.kernel, np.float64)
            output_bias = np.asarray(attention.output_dense.bias, np.float64)
        scale = 1 / math.sqrt(width // heads)  # of scaled dot-product attention, √(D / H), folded in as well
        columns = np.split(np.arange(width), heads)
        # The products are taken in float64, so that folding adds one rounding to float32 and no more.
        return cls(
            **_Block.parts(block),
            to_keys=(
                _constant(np.concatenate([query[:, c] @ key[:, c].T for c in columns], axis=1) * scale),
                _constant(np.concatenate([query_bias[c] @ key[:, c].T for c in columns]) * scale),
            ),
            from_pooled=(
                _constant(np.concatenate([value[:, c] @ output[c] for c in columns])),
                _constant(value_bias @ output + output_bias),
            ),
        )

    def attend(self, queries: Any, keys: Any, bias: Any, rows: Any) -> Any:
        """Queries (B·T, D), keys (B, T, D) → (B·T, D)."""
        asked = tf.reshape(_linear(queries, self.to_keys), rows)  # (B, T·H, D)
        weights = tf.nn.softmax(tf.matmul(asked, keys, transpose_b=True) + bias)  # (B, T·H, T)
        return self._value(tf.matmul(weights, keys))

    def attend_newest(self, queries: Any, keys: Any, key_bias: Any) -> Any:
        """Queries (B, D), keys (B, T, D) → (B, D). The newest position sees every key: no causal mask."""
        asked = tf.reshape(_linear(queries, self.to_keys), [-1, self.heads, self.width])
        weights = tf.nn.softmax(tf.matmul(asked, keys, transpose_b=True) + key_bias)  # (B, H, T)
        return self._value(tf.matmul(weights, keys))

    def _value(self, pooled: Any) -> Any:
        return _linear(tf.reshape(pooled, [-1, self.heads * self.width]), self.from_pooled)


@dataclass(frozen=True, slots=True)
class _SplitBlock(_Block):
    """A block with its projections as they were trained: for many heads."""

    query: Linear
    """(D, D), with the factor 1 / √(D / H) of the logits in it."""
    key: Linear
    """(D, D)."""
    value: Linear
    """(D, D)."""
    output: Linear | None
    """(D, D); None for a network without output projection."""

    @classmethod
    def of(cls, block: SASRecBlock) -> "_SplitBlock":
        attention = block.attention
        scale = 1 / math.sqrt(block.hidden_dim // block.num_heads)
        return cls(
            **_Block.parts(block),
            query=(_constant(attention.query.kernel * scale), _constant(attention.query.bias * scale)),
            key=_dense(attention.key),
            value=_dense(attention.value),
            output=None if attention.output_dense is None else _dense(attention.output_dense),
        )

    def attend(self, queries: Any, keys: Any, bias: Any, rows: Any) -> Any:
        """Queries (B·T, D), keys (B, T, D) → (B·T, D)."""
        source = tf.reshape(keys, [-1, self.width])  # (B·T, D): a Gemm
        split = tf.concat([rows[:2], [self.heads, self.width // self.heads]], 0)
        query, key, value = (
            tf.reshape(_linear(x, weights), split)
            for x, weights in ((queries, self.query), (source, self.key), (source, self.value))
        )
        logits = tf.matmul(tf.transpose(query, (0, 2, 1, 3)), tf.transpose(key, (0, 2, 3, 1)))  # (B, H, T, T)
        joined = tf.matmul(tf.nn.softmax(logits + bias), tf.transpose(value, (0, 2, 1, 3)))  # (B, H, T, D/H)
        joined = tf.reshape(tf.transpose(joined, (0, 2, 1, 3)), [-1, self.width])
        return joined if self.output is None else _linear(joined, self.output)


def _gelu(x: Any) -> Any:
    # The exact form, x Φ(x), and not the approximation by tanh: onnxruntime fuses these operators into one.
    return 0.5 * x * (1.0 + tf.math.erf(x / math.sqrt(2.0)))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {"relu": tf.nn.relu, "gelu": _gelu, "silu": tf.nn.silu, "tanh": tf.tanh}


def _normalise(x: Any, weights: Linear) -> Any:
    # The form that onnxruntime fuses. E[x²] - E[x]² would also lose digits by cancellation.
    centred = x - tf.reduce_mean(x, -1, keepdims=True)
    variance = tf.reduce_mean(tf.pow(centred, 2.0), -1, keepdims=True)
    return centred / tf.sqrt(variance + LAYER_NORM_EPSILON) * weights[0] + weights[1]


def _linear(x: Any, weights: Linear) -> Any:
    return tf.matmul(x, weights[0]) + weights[1]


def _norm(norm: Any, width: int) -> Linear:
    """Scale and offset; a fixed layer norm has one and zero, so that it still fuses."""
    return (
        (_constant(norm.gamma), _constant(norm.beta))
        if norm.scale
        else (np.ones(width, np.float32), np.zeros(width, np.float32))
    )


def _dense(dense: Any) -> Linear:
    return _constant(dense.kernel), _constant(dense.bias)


def _constant(weight: Any) -> NDArray[np.float32]:
    return np.asarray(weight, np.float32)
