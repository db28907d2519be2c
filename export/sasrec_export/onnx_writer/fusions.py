"""Fusions: rewrite groups of nodes that tf2onnx returns into single operators of the same result."""

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir

__all__ = ["simplify"]


def simplify(graph: ir.Graph) -> None:
    """Rewrite `graph` in place: linear layers become Gemm, the newest position a Gather."""
    for rewrite in (_linear_to_gemm, _newest_to_gather):
        for node in list(graph):
            for old, new in rewrite(node):
                ir.convenience.replace_nodes_and_values(graph, old[0], old, new, old[-1].outputs, new[-1].outputs)
    for name, value in list(graph.initializers.items()):
        if not value.uses():
            del graph.initializers[name]


Rewrite = Callable[[ir.Node], Iterator[tuple[list[ir.Node], list[ir.Node]]]]


def _linear_to_gemm(node: ir.Node) -> Iterator[tuple[list[ir.Node], list[ir.Node]]]:
    """MatMul(x, W) + b → Gemm(x, W, b), where W is a constant and x, from its spelling, two-dimensional."""
    if node.op_type != "MatMul" or _constant(node.inputs[1], rank=2) is None:
        return
    add = _only_user(node.outputs[0])
    if add is None or add.op_type != "Add":
        return
    bias = next((value for value in add.inputs if _constant(value, rank=1) is not None), None)
    if bias is not None:
        yield [node, add], [ir.node("Gemm", [node.inputs[0], node.inputs[1], bias])]


def _newest_to_gather(node: ir.Node) -> Iterator[tuple[list[ir.Node], list[ir.Node]]]:
    """Squeeze(Slice(x, -1 of axis 1)) → Gather(x, -1, axis 1)."""
    if node.op_type != "Slice":
        return
    squeeze = _only_user(node.outputs[0])
    starts, axes = (_constant(node.inputs[place], rank=1) for place in (1, 3))
    if squeeze is None or squeeze.op_type != "Squeeze" or starts is None or axes is None:
        return
    if dict(zip(axes.tolist(), starts.tolist(), strict=True)) == {0: 0, 1: -1}:
        index = ir.tensor(np.array(-1, np.int64))
        newest = ir.node("Constant", [], attributes={"value": index})
        yield [node, squeeze], [newest, ir.node("Gather", [node.inputs[0], newest.outputs[0]], attributes={"axis": 1})]


def _constant(value: ir.Value | None, *, rank: int) -> np.ndarray | None:
    tensor = None if value is None else value.const_value
    return tensor.numpy() if tensor is not None and len(tensor.shape) == rank else None


def _only_user(value: ir.Value) -> ir.Node | None:
    users = list(value.uses())
    return users[0].node if len(users) == 1 and not value.is_graph_output() else None
