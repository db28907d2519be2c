"""The blocks of a network in int8 by static post-training quantization: ranges are calibrated on real histories.

onnxruntime's `quantize_static` writes the QDQ form (QuantizeLinear, DequantizeLinear) that NPU compilers and its CPU
kernels read: weights symmetric int8 per output channel, activations asymmetric uint8 per tensor,
``real = scale · (q - zero_point)`` (Jacob et al. 2018, arXiv 1712.05877). The mask is set before, see `int8_mask`.
"""

import contextlib
import io
import logging
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import quantization

from sasrec_export.encoder.inference_encoder import folds_projections
from sasrec_export.encoder.int8_mask import masking_value
from sasrec_runtime.signature import PAD_ID
from sasrec_train.config import ModelConfig
from sasrec_train.network.layers import MASKED

__all__ = ["Calibration", "StaticInt8", "quantize_blocks"]

HISTORIES = 256
"""Of the calibration histories, how many activations are measured on."""
ROWS = 32
FAST_OPERATORS = ("MatMul", "Gemm")
"""Where int8 saves time; layer norms, softmax and residuals stay float, which keeps more of the ranking."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Inputs of the blocks to measure activations on."""

    histories: NDArray[np.int32]
    """(R, max_len), left-padded."""
    table: NDArray[np.float32]
    """(V, D), the item table that the variant holds."""
    positions: NDArray[np.float32]
    """(max_len, D), position embeddings."""
    config: ModelConfig
    """The network."""

    def feeds(self, masked: float) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the inputs of `convert_encoder.encoder_to_onnx` by name, some rows at a time.

        Args:
            masked: What is added to the logit of a masked key.
        """
        c = self.config
        scale = math.sqrt(c.hidden_dim) if c.scale_embeddings else 1.0
        later = np.triu(np.full((c.max_len, c.max_len), masked if c.causal else 0.0, np.float32), 1)
        # Folded projections have one row of logits per position and head, (T·H, T); others broadcast over the heads.
        later = np.repeat(later, c.num_heads, axis=0) if folds_projections(c) else later[None]
        # Batches of one size: onnxruntime's histograms want equal shapes.
        rows = min(ROWS, len(self.histories))
        for start in range(0, min(HISTORIES, len(self.histories)) - rows + 1, rows):
            history = self.histories[start : start + rows]
            key_bias = np.where(history > PAD_ID, 0.0, masked).astype(np.float32)[:, None]
            yield {
                "x": (self.table[history] * scale + self.positions).astype(np.float32),  # (B, T, D)
                "key_bias": key_bias,
                # The minimum and not the sum: a key that is masked twice must not widen the range of the logits.
                "bias": np.minimum(key_bias if folds_projections(c) else key_bias[:, None], later),
                "rows": np.array([len(history), -1, c.hidden_dim]),
            }


@dataclass(frozen=True, slots=True)
class StaticInt8:
    """Quantized blocks."""

    model: bytes
    """The ONNX model, serialized; inputs and output as before."""
    masked: float
    """What is added to the logit of a masked key, see `int8_mask`."""


def quantize_blocks(model: bytes, calibration: Calibration, *, method: str, strict: bool) -> StaticInt8:
    """Return the blocks in int8 (QDQ): weights by column, activations by tensor.

    Args:
        model: The float32 ONNX model of `convert_encoder.encoder_to_onnx`.
        calibration: Real inputs.
        method: How a tensor's range follows from the values observed: `MinMax` or `Percentile`, which clips outliers.
        strict: Quantize every operator that has an int8 form, not only the products.

    Returns:
        The model with QDQ pairs, and the value of its mask.
    """
    proto = onnx.load_model_from_string(model)
    # The mask stands in the inputs, so calibration must see the value that the int8 graph will get.
    masked = _masked(proto, calibration)
    names = [value.name for value in proto.graph.input]
    feeds = ({name: feed[name] for name in names} for feed in calibration.feeds(masked))
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(proto, source)
        quantization.quantize_static(
            source,
            target,
            _Reader(feeds),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=None if strict else list(FAST_OPERATORS),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod[method],
        )
        return StaticInt8(target.read_bytes(), masked)


def _masked(proto: Any, calibration: Calibration) -> float:
    """Return what is added to the logits of masked keys, from the range of all logits observed."""
    # Logits are the input of the addition before each softmax that is not a mask; they become the graph's outputs.
    watched = onnx.ModelProto()
    watched.CopyFrom(proto)
    softmaxes = {node.input[0] for node in proto.graph.node if node.op_type == "Softmax"}
    logits = [
        next(name for name in node.input if name not in {"bias", "key_bias"})
        for node in proto.graph.node
        if node.op_type == "Add" and node.output[0] in softmaxes
    ]
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in logits)
    session = onnxruntime.InferenceSession(watched.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    lowest, highest = math.inf, -math.inf
    for feed in calibration.feeds(MASKED):
        for seen in session.run(None, {name: feed[name] for name in names}):
            lowest, highest = min(lowest, float(seen.min())), max(highest, float(seen.max()))
    return masking_value(lowest, highest)


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    def __init__(self, feeds: Iterator[dict[str, NDArray[Any]]]):
        self._feeds = feeds

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep onnxruntime's advice and progress, which go to the root logger and to stdout, from the user."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)
