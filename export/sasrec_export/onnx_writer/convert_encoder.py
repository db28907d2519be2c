"""The blocks of a model as an ONNX graph, converted by tf2onnx; item table, masks and positions stay outside."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import onnx_ir as ir
import tensorflow as tf  # noqa: TID251 - tf2onnx takes a TensorFlow function
import tf2onnx  # noqa: TID251 - the one place that converts to ONNX
import tf2onnx.optimizer  # noqa: TID251
from onnx import version_converter

from sasrec_export.encoder.inference_encoder import InferenceEncoder, folds_projections
from sasrec_export.errors import ConversionError
from sasrec_export.onnx_writer import fusions
from sasrec_train.network.model import SASRec

__all__ = ["ENCODER_INPUTS", "encoder_to_onnx"]

ENCODER_INPUTS = ("x", "key_bias", "bias", "rows")
"""See InferenceEncoder. The last two are there only where the model has more than one block."""


def encoder_to_onnx(model: SASRec, *, opset: int) -> ir.Model:
    """Return the blocks as a graph of ENCODER_INPUTS with the hidden state float32 (B, D) as its one output.

    Raises:
        ConversionError: tf2onnx returned other inputs or outputs, or onnx does not know the opset.
    """
    width = model.config.hidden_dim
    joined = (None,) * 3 if folds_projections(model.config) else (None, 1, None, None)
    signature = (
        tf.TensorSpec((None, None, width), tf.float32, name="x"),
        tf.TensorSpec((None, 1, None), tf.float32, name="key_bias"),
        tf.TensorSpec(joined, tf.float32, name="bias"),
        tf.TensorSpec((3,), tf.int64, name="rows"),
    )
    encoder = InferenceEncoder(model)

    def user(x: object, key_bias: object, bias: object, rows: object) -> dict[str, object]:
        return {"user": encoder(x, key_bias, bias, rows)}

    with _mean_kept(), _quiet():
        proto, _ = tf2onnx.convert.from_function(
            tf.function(user, input_signature=signature),
            input_signature=signature,
            opset=min(opset, max(tf2onnx.constants.OPSET_TO_IR_VERSION)),
        )
    converted: ir.Model = ir.from_proto(proto)
    for value in converted.graph.inputs:
        value.name = (value.name or "").partition(":")[0]
    inputs = {value.name or "" for value in converted.graph.inputs}
    if not set(ENCODER_INPUTS[:2]) <= inputs <= set(ENCODER_INPUTS) or len(converted.graph.outputs) != 1:
        raise ConversionError(
            f"tf2onnx: inputs are {sorted(inputs)}, expected {sorted(ENCODER_INPUTS)} and one output. "
            "Install the versions in constraints.txt."
        )
    fusions.simplify(converted.graph)
    return converted if converted.graph.opset_imports[""] == opset else _raised(converted, opset)


def _raised(model: ir.Model, opset: int) -> ir.Model:
    """Return the model in an opset past those that tf2onnx knows."""
    try:
        proto = version_converter.convert_version(ir.to_proto(model), opset)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise ConversionError(
            f"onnx {onnx.__version__} cannot write opset {opset}: {error!s:.300}. Take a lower one or a newer onnx."
        ) from error
    proto.ir_version = onnx.helper.find_min_ir_version_for(proto.opset_import)
    return ir.from_proto(proto)


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
