"""The encoder as an ONNX graph, converted by tf2onnx; the item table stays outside."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
import tensorflow as tf  # noqa: TID251 - tf2onnx takes a TensorFlow function
import tf2onnx  # noqa: TID251 - the one place that converts to ONNX
import tf2onnx.optimizer  # noqa: TID251

from sasrec_export.encoder import Encoder
from sasrec_export.errors import ConversionError
from sasrec_train.model import SASRec

__all__ = ["OPSET", "encoder_to_onnx"]

OPSET = 17
"""The first opset with LayerNormalization, which onnxruntime fuses the converted layer norms into."""

EXPECTED_INPUTS = ("embedded", "is_item")


def encoder_to_onnx(model: SASRec) -> ir.Model:
    """Return the encoder: embedded float32 (B, T, D), is_item bool (B, T) → user float32 (B, D).

    Raises:
        ConversionError: tf2onnx returned other inputs or outputs, or a layer-norm form that will not fuse.
    """
    signature = (
        tf.TensorSpec((None, None, model.config.hidden_dim), tf.float32, name="embedded"),
        tf.TensorSpec((None, None), tf.bool, name="is_item"),
    )
    encoder = Encoder(model, spelling="onnx")

    def user(embedded: object, is_item: object) -> dict[str, object]:
        return {"user": encoder(embedded, is_item)}

    with _mean_kept(), _quiet():
        proto, _ = tf2onnx.convert.from_function(
            tf.function(user, input_signature=signature), input_signature=signature, opset=OPSET
        )
    converted: ir.Model = ir.from_proto(proto)
    inputs = {value.name.partition(":")[0] for value in converted.graph.inputs if value.name}
    if inputs != set(EXPECTED_INPUTS) or len(converted.graph.outputs) != 1:
        raise ConversionError(
            f"tf2onnx: inputs are {sorted(inputs)}, expected {sorted(EXPECTED_INPUTS)} and one output. "
            "Install the versions in constraints.txt."
        )
    for value in converted.graph.inputs:
        value.name = (value.name or "").partition(":")[0]
    return converted


@contextmanager
def _mean_kept() -> Iterator[None]:
    """Keep ReduceMean as it is: as GlobalAveragePool, onnxruntime does not see the layer norm any more."""
    optimizers = tf2onnx.optimizer._optimizers  # noqa: SLF001, RUF100 - there is no public switch
    removed = optimizers.pop("global_pool_optimizer")
    try:
        yield
    finally:
        optimizers["global_pool_optimizer"] = removed


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence tf2onnx's progress at INFO and its notes on TensorFlow versions."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
