"""A small recorder for building ONNX graphs: operators by call, constants by name and only once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import tape

__all__ = ["GraphBuilder"]

REDUCTIONS_TAKE_AXES_FROM = 18
"""Opset from which the axes of ReduceMax and ReduceL2 are an input."""


class GraphBuilder:
    """Records nodes and initializers; the same constant name always stands for the same initializer."""

    def __init__(self) -> None:
        self._tape = tape.Tape()
        self._constants: dict[str, ir.Value] = {}
        self._made: dict[str, ir.Value] = {}

    @property
    def nodes(self) -> list[ir.Node]:
        """The nodes, in the order they were recorded."""
        return list(self._tape.nodes)

    @property
    def initializers(self) -> list[ir.Value]:
        """The constants, in the order they were first asked for."""
        return list(self._constants.values())

    def op(self, op_type: str, inputs: list[ir.Value | None], *, domain: str = "", **attributes: Any) -> ir.Value:
        """Record a node with one output and return that output."""
        return self._tape.op(op_type, inputs, attributes, domain=domain)

    def ops(self, op_type: str, inputs: list[ir.Value | None], *, outputs: int, **attributes: Any) -> list[ir.Value]:
        """Record a node with several outputs and return them."""
        return list(self._tape.op_multi_out(op_type, inputs, attributes, num_outputs=outputs))

    def reduce(self, op_type: str, x: ir.Value, *, axis: int, keepdims: int, opset: int) -> ir.Value:
        """Record a reduction over one axis, as that opset spells it."""
        if opset >= REDUCTIONS_TAKE_AXES_FROM:
            return self.op(op_type, [x, self.constant(f"axis_{axis}", np.array([axis]))], keepdims=keepdims)
        return self.op(op_type, [x], axes=[axis], keepdims=keepdims)

    def constant(self, name: str, array: NDArray[Any] | np.generic) -> ir.Value:
        """Return the initializer of that name, made from `array` the first time."""
        if name not in self._constants:
            tensor = ir.tensor(np.ascontiguousarray(array).reshape(np.shape(array)), name=name)
            self._constants[name] = self._tape.initializer(tensor, name)
        return self._constants[name]

    def once(self, name: str, record: Callable[[], ir.Value]) -> ir.Value:
        """Return what `record` recorded when `name` was first asked for."""
        if name not in self._made:
            self._made[name] = record()
        return self._made[name]

    def rows_of(self, x: ir.Value) -> ir.Value:
        """Return (1,), how many rows x has."""
        return self.once(f"rows of {x.name}", lambda: self.op("Shape", [x], start=0, end=1))
