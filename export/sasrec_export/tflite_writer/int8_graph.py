"""Make float32 operators of a TFLite graph integer ones, with QUANTIZE and DEQUANTIZE where the two kinds meet.

The rules are those of TFLite's 8-bit quantization specification (ai.google.dev/edge/litert/models/quantization_spec):
``real = scale · (q - zero_point)``; activations int8 asymmetric per tensor, weights int8 symmetric per output channel,
biases int32 with ``scale = scale_input · scale_weight`` and zero point 0, softmax output with scale 1/256 and zero
point -128; reshapes, transposes and slices keep the scale of their input. The scheme is that of Jacob et al. 2018,
arXiv 1712.05877.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sasrec_export.errors import ConversionError
from sasrec_export.table.quantized_table import quantize_rows
from sasrec_export.table.spec import INT8_QMAX
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.flatbuffer import Model

__all__ = ["Integers", "Range"]

Range = tuple[float, float]
"""Smallest and largest value of a tensor; zero lies within."""

VERSIONS = {
    "FULLY_CONNECTED": 9, "BATCH_MATMUL": 2, "SOFTMAX": 2, "ADD": 2, "SUB": 2, "MUL": 2, "MEAN": 2, "RSQRT": 2,
    "RESHAPE": 1, "TRANSPOSE": 2, "STRIDED_SLICE": 2, "SQUARE": 1, "SUM": 2, "QUANTIZE": 1, "DEQUANTIZE": 2,
}  # fmt: skip
"""Operator versions with int8 kernels."""
KEEP_SCALE = {"RESHAPE", "TRANSPOSE", "STRIDED_SLICE"}
STEPS = 255
"""Steps between the smallest and the largest int8."""
LOWEST = -128
"""The smallest int8."""


class Integers:
    """One subgraph on its way from float32 to int8.

    Args:
        model: The ModelT.
        graph: One of its subgraphs.
        ranges: Tensor index → range, for what the chosen operators read and write.
    """

    def __init__(self, model: Model, graph: Any, ranges: dict[int, Range]):
        self.model, self.graph, self.ranges = model, graph, ranges
        self.rounded: dict[int, int] = {}  # float32 tensor → its int8 form
        self.missing: set[int] = set()  # float32 tensors that nothing computes any more
        self.operators: list[Any] = []

    def apply(self, chosen: list[Any]) -> None:
        """Make the `chosen` operators integer ones, in place.

        Args:
            chosen: Operators of the subgraph; `ranges` holds every float32 tensor that they read or write.

        Raises:
            ConversionError: The weights of a linear layer are not constant.
        """
        self._centre_second_factors(chosen)
        identities = {id(operator) for operator in chosen}
        for operator in self.graph.operators:
            if id(operator) in identities:
                self._convert(operator)
                continue
            # Only where a float operator reads an integer tensor: chains of integer operators stay unbroken.
            for index in operator.inputs:
                if index in self.missing:
                    self._emit("DEQUANTIZE", self.rounded[index], index)
                    self.missing.remove(index)
            self.operators.append(operator)
        self.graph.operators = self.operators

    def _centre_second_factors(self, chosen: list[Any]) -> None:
        """Make the range of the second factor of a product of activations symmetric, so that its zero point is 0.

        XNNPACK treats that factor as weights, which must be symmetric.
        """
        made = {output: operator for operator in self.graph.operators for output in operator.outputs}
        for operator in chosen:
            if self._name(operator) != "BATCH_MATMUL":
                continue
            index = operator.inputs[1]
            while index in made and self._name(made[index]) in KEEP_SCALE:
                index = made[index].inputs[0]  # whose scale it shares
            largest = max(map(abs, self.ranges[index]))
            self.ranges[index] = self.ranges[operator.inputs[1]] = (-largest, largest)

    def _name(self, operator: Any) -> str:
        return flatbuffer.builtin_name(self.model.operatorCodes[operator.opcodeIndex])

    def _convert(self, operator: Any) -> None:
        name = self._name(operator)
        if name == "SQUARE":  # has no int8 kernel: a product with itself
            operator.inputs = [operator.inputs[0], operator.inputs[0]]
            operator.builtinOptionsType = schema.BuiltinOptions.MulOptions
            operator.builtinOptions = schema.MulOptionsT()
            name = "MUL"
        inputs = list(operator.inputs)
        if name == "FULLY_CONNECTED":
            inputs = self._linear(inputs)
        else:
            inputs = [self._integer(i) if self._is_float(i) else i for i in inputs]
        source = self.graph.tensors[inputs[0]].quantization
        (output,) = operator.outputs
        if name in KEEP_SCALE:
            parameters = source
        elif name == "SOFTMAX":
            parameters = _parameters(1 / (STEPS + 1), LOWEST)
        else:
            parameters = _of_range(self.ranges[output])
        self.rounded[output] = self._like(output, parameters)
        self.missing.add(output)
        operator.inputs, operator.outputs = inputs, [self.rounded[output]]
        operator.opcodeIndex = flatbuffer.operator_code(self.model, name, VERSIONS[name])
        self.operators.append(operator)

    def _linear(self, inputs: list[int]) -> list[int]:
        """Return int8 weights, one scale per output channel, and int32 biases in ``scale_input · scale_weight``."""
        # The accumulator of the products has the scale scale_input · scale_weight; the bias is added to it as it is.
        source = self._integer(inputs[0])
        weights = flatbuffer.constant(self.model, self.graph.tensors[inputs[1]])
        if weights is None:
            raise ConversionError("TFLite model: the weights of a linear layer are not constant.")
        rounded = quantize_rows(np.asarray(weights, np.float32))
        name = self.graph.tensors[inputs[1]].name.decode()
        scales = rounded.scales
        kernel = flatbuffer.add_constant(
            self.model, self.graph, name + "_int8", rounded.values, flatbuffer.per_row(scales)
        )
        if len(inputs) < 3 or inputs[2] < 0:
            return [source, kernel, *inputs[2:]]
        steps = (scales * np.float32(self.graph.tensors[source].quantization.scale[0])).astype(np.float32)
        offset = flatbuffer.constant(self.model, self.graph.tensors[inputs[2]])
        whole = np.rint(np.asarray(offset, np.float64) / steps).astype(np.int32)
        return [
            source,
            kernel,
            flatbuffer.add_constant(self.model, self.graph, name + "_offset", whole, flatbuffer.per_row(steps)),
        ]

    def _integer(self, index: int) -> int:
        """Return the int8 form of a float32 tensor."""
        if index in self.rounded:
            return self.rounded[index]
        tensor = self.graph.tensors[index]
        values = flatbuffer.constant(self.model, tensor)
        if values is not None:
            parameters = _of_range((min(0.0, float(values.min())), max(0.0, float(values.max()))))
            whole = np.rint(values / parameters.scale[0]) + parameters.zeroPoint[0]
            whole = np.clip(whole, LOWEST, LOWEST + STEPS).astype(np.int8)
            self.rounded[index] = flatbuffer.add_constant(
                self.model, self.graph, tensor.name.decode() + "_int8", whole, parameters
            )
        else:
            self.rounded[index] = self._like(index, _of_range(self.ranges[index]))
            self._emit("QUANTIZE", index, self.rounded[index])
        return self.rounded[index]

    def _is_float(self, index: int) -> bool:
        return index >= 0 and self.graph.tensors[index].type == schema.TensorType.FLOAT32

    def _like(self, index: int, parameters: Any) -> int:
        tensor = self.graph.tensors[index]
        new = flatbuffer.add_tensor(
            self.graph, tensor.name.decode() + "_int8", tensor.shape, schema.TensorType.INT8, quantization=parameters
        )
        self.graph.tensors[new].shapeSignature = tensor.shapeSignature
        return new

    def _emit(self, name: str, source: int, target: int) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = flatbuffer.operator_code(self.model, name, VERSIONS[name])
        operator.inputs, operator.outputs = [source], [target]
        operator.builtinOptionsType = 0
        self.operators.append(operator)


def _of_range(range_: Range) -> Any:
    """Return ``scale = (high - low) / 255`` and ``zero_point = round(-128 - low / scale)`` of a range."""
    low, high = range_
    if low == -high:  # 127.5 steps on each side would make the zero point depend on the last bit of the scale
        return _parameters(max(high, 1e-6) / INT8_QMAX, 0)
    scale = max(high - low, 1e-6) / STEPS
    return _parameters(scale, int(np.clip(round(LOWEST - low / scale), LOWEST, LOWEST + STEPS)))


def _parameters(scale: float, zero_point: int) -> Any:
    scales: NDArray[np.float32] = np.array([scale], np.float32)
    return flatbuffer.per_row(scales, np.array([zero_point], np.int64))
