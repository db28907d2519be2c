"""Static int8 in TFLite: the network's activations in int8, with ranges measured on real histories.

This is static post-training quantization with MinMax calibration (Jacob et al. 2018, arXiv 1712.05877): a tensor's
range is that of all values observed, and `int8_graph` makes scale and zero point of it.

There are two strengths. By default layer norms and residuals stay float32, and operators for the newest position
alone quantize their inputs at run time (dynamic range): they take little time, and the ranking depends on them. With
`strict`, every operator between the lookup and the user vector is an integer one. Lookup and scoring are those of
`wi8` in both.

AI Edge Quantizer could quantize the encoder as well: with its MinMax ranges and the mask below it keeps as much of
the ranking. It is not used, because the mask has to be measured and set before it runs in any case, its writer does
not align buffers, and its dependencies would join the export extra for what `int8_graph` does in one file. It cannot
quantize the item table: it leaves GATHER in float32.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import interpreter as litert
from numpy.typing import NDArray

from sasrec_export.encoder.int8_mask import masking_value
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.flatbuffer import Model
from sasrec_export.tflite_writer.int8_graph import Integers, Range
from sasrec_runtime import history as history_module
from sasrec_runtime.signature import PAD_ID
from sasrec_train.network.layers import MASKED

__all__ = ["quantize_activations", "set_mask"]

HISTORIES = 100
"""Of the calibration histories, how many activations are measured on."""
PRODUCTS = {"FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX"}
SHAPING = {"RESHAPE", "TRANSPOSE", "STRIDED_SLICE"}
STRICT = PRODUCTS | SHAPING | {"ADD", "SUB", "MUL", "MEAN", "RSQRT", "SQUARE", "SUM"}


def quantize_activations(model: Model, histories: NDArray[np.int32], *, strict: bool) -> None:
    """Make the operators of the network integer ones, in place.

    Args:
        model: A ModelT in float32 with its item table.
        histories: int32 (R, max_len), real ones, left-padded; the first HISTORIES are used.
        strict: All operators, not only those for every position outside the layer norms.

    Raises:
        ConversionError: The weights of a linear layer are not constant.
    """
    # Measured twice: the value of the mask follows from the ranges, and the ranges then have to hold the mask.
    logits = [range_ for ranges, graph in zip(_measure(model, histories), model.subgraphs, strict=True)
              for range_ in _logits(model, graph, ranges)]  # fmt: skip
    masked = masking_value(min(low for low, _ in logits), max(high for _, high in logits))
    set_mask(model, masked)
    measured = _measure(model, histories)
    for graph, ranges in zip(model.subgraphs, measured, strict=True):
        chosen = [operator for operator in network(model, graph) if _is_chosen(model, graph, operator, strict=strict)]
        Integers(model, graph, ranges).apply(chosen)


def set_mask(model: Model, masked: float) -> None:
    """Replace MASKED by `masked` in every constant, in place.

    MASKED is -1e9. In int8 it would stretch the range of the logits so far that all others share one step; see
    `int8_mask` for the value that takes its place.

    Args:
        model: A ModelT in float32.
        masked: The value, negative.
    """
    for buffer in {t.buffer for graph in model.subgraphs for t in graph.tensors if t.type == 0 and t.buffer}:
        data = model.buffers[buffer].data
        if data is None or len(data) == 0:
            continue
        values = np.asarray(data, np.uint8).view(np.float32)
        if (values == np.float32(MASKED)).any():
            changed = np.where(values == np.float32(MASKED), np.float32(masked), values)
            model.buffers[buffer].data = changed.view(np.uint8)


def network(model: Model, graph: Any) -> Iterator[Any]:
    """Yield the operators between the lookup of the history and the user vector.

    Args:
        model: The ModelT.
        graph: A subgraph of it that a signature names, with inputs `history` and others.
    """
    # A walk along the edges, as operators have no useful names: what follows `history` and the table is the network,
    # what follows the other inputs, and what follows the product with the table, is search.
    (definition,) = [d for d in model.signatureDefs if model.subgraphs[d.subgraphIndex] is graph]
    history = {entry.tensorIndex for entry in definition.inputs if entry.name == b"history"}
    others = {entry.tensorIndex for entry in definition.inputs} - history
    embedded: set[int] = set()
    for operator in graph.operators:
        name = flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex])
        inputs, outputs = set(operator.inputs), set(operator.outputs)
        table = any(graph.tensors[i].name == b"item_table" for i in inputs if i >= 0)
        if inputs & others or (table and name == "FULLY_CONNECTED"):
            others |= outputs
        elif inputs & history or inputs & embedded:
            history |= outputs
            if inputs & embedded:
                yield operator
            if table or inputs & embedded:
                embedded |= outputs


def _is_chosen(model: Model, graph: Any, operator: Any, *, strict: bool) -> bool:
    name = flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex])
    if strict:
        return name in STRICT
    shape = graph.tensors[operator.outputs[0]].shape
    # Operators of the newest position alone are few and small, and the user vector follows from them directly.
    if math.prod(shape[:-1]) <= _most_newest_rows(model, graph):
        return False
    if name == "ADD":  # the mask's; residuals stay float beside the layer norms that read them
        return operator.outputs[0] in {softmax.inputs[0] for softmax in _softmaxes(model, graph)}
    return name in PRODUCTS | SHAPING


def _most_newest_rows(model: Model, graph: Any) -> int:
    """Return the rows of the last block's attention weights: one per head of the newest position."""
    return int(math.prod(graph.tensors[_softmaxes(model, graph)[-1].outputs[0]].shape[:-1]))


def _softmaxes(model: Model, graph: Any) -> list[Any]:
    return [operator for owner, operator, name in flatbuffer.operators(model) if owner is graph and name == "SOFTMAX"]


def _logits(model: Model, graph: Any, ranges: dict[int, Range]) -> list[Range]:
    """Return the range of the logits of each softmax, before the mask is added to them."""
    made = {output: operator for operator in graph.operators for output in operator.outputs}
    sums = [made[softmax.inputs[0]] for softmax in _softmaxes(model, graph)]
    return [ranges[operator.inputs[0]] for operator in sums]


def _measure(model: Model, histories: NDArray[np.int32]) -> list[dict[int, Range]]:
    """Return tensor → smallest and largest value seen, of every float32 tensor of every subgraph."""
    # Without XNNPACK, which does not keep the tensors between its operators.
    interpreter = litert.Interpreter(
        model_content=flatbuffer.dump(model),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    measured: list[dict[int, Range]] = [{} for _ in model.subgraphs]
    for definition in model.signatureDefs:
        graph, ranges = model.subgraphs[definition.subgraphIndex], measured[definition.subgraphIndex]
        wanted = [i for o in network(model, graph) for i in (*o.inputs, *o.outputs) if i >= 0]
        wanted = [i for i in dict.fromkeys(wanted) if graph.tensors[i].type == 0]
        runner = interpreter.get_signature_runner(definition.signatureKey.decode())
        for feed in _feeds(definition, graph, histories):
            runner(**feed)
            for i in wanted:
                seen = interpreter.get_tensor(i, definition.subgraphIndex)
                low, high = ranges.get(i, (0.0, 0.0))  # zero lies within, so that it has an exact integer
                ranges[i] = (min(low, float(seen.min())), max(high, float(seen.max())))
    return measured


def _feeds(definition: Any, graph: Any, histories: NDArray[np.int32]) -> Iterator[dict[str, NDArray[np.int32]]]:
    shapes = {
        entry.name.decode(): [
            int(size)
            for size in (
                graph.tensors[entry.tensorIndex].shapeSignature
                if graph.tensors[entry.tensorIndex].shapeSignature is not None
                else graph.tensors[entry.tensorIndex].shape
            )
        ]
        for entry in definition.inputs
    }
    rows, columns = shapes.pop("history")
    histories = histories[:HISTORIES] if columns < 0 else history_module.fit(histories[:HISTORIES], columns)
    rest = {name: np.full((rows, max(1, size)), PAD_ID, np.int32) for name, (_, size) in shapes.items()}
    for start in range(0, len(histories), rows):
        chosen = histories[start : start + rows]
        # A last chunk with too few rows is filled up with itself, which changes no range.
        yield {"history": np.resize(chosen, (rows, histories.shape[1])), **rest}
