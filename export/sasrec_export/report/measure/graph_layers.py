"""The layers of an ONNX recommend graph, and the graph with some of them computed in int8.

A layer is a group of nodes that a full-integer engine quantizes together: one matrix product, a softmax, a
normalization with all its steps, or the item table. Quantizing it means: every float tensor that enters or leaves one
of its nodes goes through QuantizeLinear and DequantizeLinear with the range measured on real histories, one scale per
tensor; constant matrices get one scale per output channel. The scores of the catalogue stay float, as in every recipe:
in 256 steps most of them would be tied.

onnxruntime's `quantize_static(nodes_to_quantize=…)` is not used. It calibrates again for every layer, which takes
about twenty times as long as what is done here, it skips operators without an integer form (half of the tensors of a
layer normalization that is not a single node), and it quantizes the scores of the catalogue, whose -inf give it a NaN.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir import external_data

__all__ = ["ITEM_TABLE", "GraphLayer", "find", "load", "quantized", "rounded", "watched"]

ITEM_TABLE = "item table"
PRODUCTS = {"MatMul", "Gemm"}
NORMALIZATIONS = {"LayerNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization"}
ROOT = {"Sqrt"}
STEPS = {"Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Reciprocal", "ReduceMean", "ReduceSum"}
"""Operators of a layer normalization that is not a single node."""
OF_ATTENTION = {"scores", "softmax", "average"}

SUFFIX = ":int8"
"""Ending of the name of a tensor that went through int8."""

LEVELS = 255.0
"""Steps of an activation, asymmetric int8: from -128 to 127."""
WEIGHT_LEVELS = 127.0
"""Largest integer of a weight, symmetric int8."""


@dataclass(frozen=True, slots=True)
class GraphLayer:
    """A layer, by the names of its nodes."""

    name: str
    """Display name, unique in the graph."""
    kind: str
    """What it computes, such as `softmax`."""
    nodes: frozenset[str]
    """Names of its nodes in the graph from `load`."""


def load(path: Path) -> ir.Model:
    """Return the model of a file, weights in memory, every node and value named."""
    model = ir.load(path)
    external_data.load_to_model(model)
    for number, node in enumerate(model.graph):
        node.name = f"n{number}"  # tf2onnx's names repeat in a graph put together from blocks
    return model


def find(model: ir.Model) -> list[GraphLayer]:
    """Return the layers of a float graph, from `load`, in the order of computation; each node in one layer at most."""
    taken: set[str] = set()
    depth = _attention_depth(model.graph)
    table = _table_product(model.graph)
    found: list[GraphLayer] = []
    for node in model.graph:
        group, kind = ([node], ITEM_TABLE) if node is table else (_group(node), _kind(node))
        names = frozenset(str(member.name) for member in group) - taken  # neighbouring groups may share a step
        if kind and names:
            taken |= names
            name = kind if kind == ITEM_TABLE else f"{len(found) + 1}. {_described(kind, depth[node])}"
            found.append(GraphLayer(name, kind, names))
    return found


def _described(kind: str, depth: int) -> str:
    """Return a layer's kind and place, by the number of softmaxes before it."""
    if kind in OF_ATTENTION:
        return f"{kind} of attention {depth + (kind != 'average')}"
    return f"{kind} {f'after attention {depth}' if depth else 'before attention 1'}"


def _kind(node: ir.Node) -> str:
    """Return what kind of layer a node announces, empty for other nodes."""
    if node.op_type in PRODUCTS:
        if shapes := _matrices(node):
            return f"linear {shapes[0][0]}×{shapes[0][1]}"
        return "average" if any(producer.op_type == "Softmax" for producer in _producers(node)) else "scores"
    return (
        "softmax" if node.op_type == "Softmax" else "normalization" if node.op_type in (NORMALIZATIONS | ROOT) else ""
    )


def _group(node: ir.Node) -> list[ir.Node]:
    """Return the nodes of the layer that `node` announces."""
    return [*_steps_before(node), *_steps_after(node)] if node.op_type in ROOT else [node]


def _table_product(graph: ir.Graph) -> ir.Node | None:
    """Return the product with the item table: the last one with a constant."""
    products = [node for node in graph if node.op_type in PRODUCTS and _matrices(node)]
    return products[-1] if products else None


def _matrices(node: ir.Node) -> list[tuple[int, ...]]:
    """Return the shapes of the constants among the two factors of a product."""
    factors = [None if value is None else value.const_value for value in node.inputs[:2]]
    return [tuple(int(size) for size in tensor.shape.numpy()) for tensor in factors if tensor is not None]


def _steps_before(root: ir.Node) -> set[ir.Node]:
    """Return the square root of a normalization and the steps before it, back to the centring of the input."""
    found, stack = {root}, [root]
    while stack:
        node = stack.pop()
        for producer in _producers(node):
            # The walk back ends at the centring x - mean(x): of what comes before it, only the mean belongs here.
            own = producer.op_type == "ReduceMean" if node.op_type == "Sub" else producer.op_type in STEPS
            if own and producer not in found:
                found.add(producer)
                if node.op_type != "Sub":
                    stack.append(producer)
    return found


def _steps_after(root: ir.Node) -> list[ir.Node]:
    """Return the division by a square root, and the scale and shift by constants that follow."""
    found = [use.node for use in root.outputs[0].uses() if use.node.op_type in STEPS]
    for op_type in ("Mul", "Add"):
        following = [use.node for node in found for use in node.outputs[0].uses() if use.node.op_type == op_type]
        found += [node for node in following if len(_producers(node)) < len(node.inputs)]
    return found


def _producers(node: ir.Node) -> list[ir.Node]:
    return [producer for value in node.inputs if value is not None and (producer := value.producer()) is not None]


def _attention_depth(graph: ir.Graph) -> dict[ir.Node, int]:
    """Return how many softmaxes lie on the longest path to each node, its own not counted."""
    depth: dict[ir.Node, int] = {}
    for node in graph:
        before = (depth.get(producer, 0) + (producer.op_type == "Softmax") for producer in _producers(node))
        depth[node] = max(before, default=0)
    return depth


def watched(model: ir.Model, layers: Iterable[GraphLayer]) -> tuple[ir.Model, list[str]]:
    """Return the model with every tensor that the layers would quantize among its outputs, and their names.

    Args:
        model: From `load`; it is not changed.
        layers: Some of those that `find` returned.
    """
    model = ir.from_proto(ir.to_proto(model))
    names = frozenset[str]().union(*(layer.nodes for layer in layers))
    tensors = {value.name: value for node in model.graph if node.name in names for value in _activations(node)}
    own = {value.name for value in model.graph.outputs}
    model.graph.outputs.extend(value for name, value in tensors.items() if name not in own)
    return model, [str(name) for name in tensors]


def quantized(model: ir.Model, layers: Iterable[GraphLayer], ranges: dict[str, tuple[float, float]]) -> ir.Model:
    """Return a copy of the model with these layers in int8 (fake quantization: rounded, then computed in float32).

    Args:
        model: The float graph.
        layers: Some of those that `find` returned.
        ranges: Tensor name → least and greatest value seen. A tensor that is not among them stays float.
    """
    model = ir.from_proto(ir.to_proto(model))
    names = frozenset[str]().union(*(layer.nodes for layer in layers))
    replaced: dict[str, ir.Value] = {}
    chosen = [node for node in model.graph if node.name in names]
    table = _table_product(model.graph)
    for node in chosen:
        for place, value in enumerate(node.inputs):
            if value is None:
                continue
            if value.const_value is not None:
                _round_weights(node, place, value)
            elif value.name in ranges and not value.name.endswith(SUFFIX):
                node.replace_input_with(place, _through_int8(model.graph, value, ranges, replaced))
    # Outputs come second: what two chosen layers share is rounded once, by the first pass. The scores stay float.
    for node in chosen:
        for value in () if node is table else node.outputs:
            if value.name in ranges and value.name not in replaced and not value.is_graph_output():
                others = [(use.node, use.idx) for use in value.uses() if use.node.name]
                rounded = _through_int8(model.graph, value, ranges, replaced)
                for user, place in others:
                    user.replace_input_with(place, rounded)
    return model


def _activations(node: ir.Node) -> list[ir.Value]:
    """The float tensors that enter and leave a node, constants left out."""
    values = [*(value for value in node.inputs if value is not None and value.const_value is None), *node.outputs]
    if node.op_type in NORMALIZATIONS:
        values = values[: len(node.inputs) + 1]  # mean and deviation are not tensors of the graph
    return [value for value in values if value.producer() is not None or value.is_graph_input()]


def _through_int8(
    graph: ir.Graph, value: ir.Value, ranges: dict[str, tuple[float, float]], replaced: dict[str, ir.Value]
) -> ir.Value:
    """Return `value` fake-quantized, ``scale · (clip(round(x / scale) + z) - z)``, by a QDQ pair."""
    name = str(value.name)
    if name in replaced:
        return replaced[name]
    low, high = (float(bound) for bound in ranges[name])
    low, high = min(low, 0.0), max(high, 0.0)  # so that zero has an exact integer
    scale = max((high - low) / LEVELS, 1e-12)
    zero = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    constants: list[ir.Value] = []
    for part, array in (("scale", np.float32(scale)), ("zero", np.int8(zero))):
        tensor = ir.tensor(np.array(array), name=f"{name}{SUFFIX}_{part}")
        constants.append(ir.Value(name=tensor.name, const_value=tensor, type=ir.TensorType(tensor.dtype),
                                  shape=ir.Shape([])))  # fmt: skip
        graph.register_initializer(constants[-1])
    quantize = ir.node("QuantizeLinear", [value, *constants])
    back = ir.node("DequantizeLinear", [quantize.outputs[0], *constants])
    quantize.outputs[0].name, back.outputs[0].name = f"{name}{SUFFIX}_q", f"{name}{SUFFIX}"
    producer = value.producer()
    if producer is None:
        graph.insert_before(graph[0], [quantize, back])
    else:
        graph.insert_after(producer, [quantize, back])
    replaced[name] = back.outputs[0]
    return back.outputs[0]


def _round_weights(node: ir.Node, place: int, value: ir.Value) -> None:
    """Round a constant matrix to int8 in place, one scale per output channel; shared by all who read it."""
    tensor = value.const_value
    if tensor is None or not tensor.dtype.is_floating_point() or len(tensor.shape) != 2:
        return  # a bias stays: an engine keeps it in 32 bits
    transposed = place == 1 and _attribute(node, "transB")
    array = tensor.numpy()
    value.const_value = ir.tensor(rounded(array, axis=1 if transposed else 0), name=value.name)


def rounded(array: NDArray[Any], *, axis: int) -> NDArray[np.float32]:
    """Return a matrix rounded to symmetric int8, ``round(w / s) · s`` with ``s = max|w| / 127`` along `axis`.

    Args:
        array: float (M, N).
        axis: The axis of the inputs, over which each output channel has one scale.

    Returns:
        float32 (M, N).
    """
    peak = np.abs(array).max(axis=axis, keepdims=True)
    step = peak / WEIGHT_LEVELS
    scale = np.where(step > 0, step, 1.0)  # a peak near the smallest number has no step
    return (np.rint(array / scale) * scale).astype(np.float32)


def _attribute(node: ir.Node, name: str) -> int:
    attribute = node.attributes.get(name)
    return 0 if attribute is None else int(attribute.as_int())
