"""Is a TFLite file what it should be? Read from the file itself, at every export.

The converter is known to return files with uninitialised variables, a signature less, or the item table twice, all
without an error.
"""

from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from sasrec_export import flatbuffer
from sasrec_export.errors import ConversionError
from sasrec_export.recipe import Recipe
from sasrec_runtime.session import INPUTS, OUTPUTS
from sasrec_runtime.signature import ENTRIES

__all__ = ["check"]

STATEFUL = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
TYPES = {"int32": schema.TensorType.INT32, "float32": schema.TensorType.FLOAT32}
TABLE_TYPES = {
    32: schema.TensorType.FLOAT32, 16: schema.TensorType.FLOAT16, 8: schema.TensorType.INT8, 4: schema.TensorType.INT4,
}  # fmt: skip


def check(path: Path, recipe: Recipe, *, rows: int) -> None:
    """Refuse a file that differs from the contract, or that no stock interpreter can run.

    Args:
        path: The TFLite file.
        recipe: What it was written by.
        rows: Of the item table at least, padding row included.

    Raises:
        ConversionError: The message lists everything that is wrong.
    """
    model = flatbuffer.load(path.read_bytes())
    problems = [*_signatures(model), *_operators(model), *_constants(model), *_table(model, recipe, rows)]
    if problems:
        raise ConversionError(f"{path.name}: {'; '.join(problems)}. Install the versions in constraints.txt.")


def _signatures(model: Any) -> list[str]:
    seen = {definition.signatureKey.decode(): definition for definition in model.signatureDefs or []}
    if set(seen) != set(ENTRIES):
        return [f"signatures are {', '.join(sorted(seen)) or 'none'}, expected {', '.join(ENTRIES)}"]
    problems = []
    for entry, definition in seen.items():
        tensors = model.subgraphs[definition.subgraphIndex].tensors
        expected_inputs = {name: spec[0] for name, spec in INPUTS[entry].items() if name != "k"}
        for kind, given, expected in (
            ("inputs", definition.inputs, expected_inputs),
            ("outputs", definition.outputs, {name: spec[0] for name, spec in OUTPUTS[entry].items()}),
        ):
            types = {tensor.name.decode(): tensors[tensor.tensorIndex].type for tensor in given}
            if types != {name: TYPES[dtype] for name, dtype in expected.items()}:
                problems.append(f"{entry} has the {kind} {sorted(types)}, expected {expected}")
    return problems


def _operators(model: Any) -> list[str]:
    names = {name for _, _, name in flatbuffer.operators(model)}
    problems = []
    if foreign := sorted({name for name in names if name == "CUSTOM" or name.startswith("STABLEHLO")}):
        problems.append(f"it uses {', '.join(foreign)}, expected builtin operators")
    if stateful := sorted(names & STATEFUL):
        problems.append(f"it uses {', '.join(stateful)}, expected constants: its variables are not initialised")
    return problems


def _constants(model: Any) -> list[str]:
    """Every tensor is an input, a constant, or computed before it is read."""
    problems = []
    for graph in model.subgraphs:
        known = set(graph.inputs) | {
            index for index, tensor in enumerate(graph.tensors) if flatbuffer.tensor_data(model, tensor) is not None
        }
        for operator in graph.operators:
            problems += [
                f"tensor {graph.tensors[index].name.decode()!r:.60} has no value"
                for index in operator.inputs
                if index >= 0 and index not in known
            ]
            known.update(operator.outputs)
    return problems


def _table(model: Any, recipe: Recipe, rows: int) -> list[str]:
    tables = [
        (int(tensor.buffer), tensor.type)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.shape is not None
        and len(tensor.shape) == 2
        and tensor.shape[0] >= rows
        and tensor.shape[1] > 1
        and flatbuffer.tensor_data(model, tensor) is not None
    ]
    problems = []
    if len({buffer for buffer, _ in tables}) != 1:
        problems.append(f"the item table stands in it {len({buffer for buffer, _ in tables})} times, expected once")
    if any(dtype != TABLE_TYPES[recipe.table_bits] for _, dtype in tables):
        problems.append(f"the item table is not in {recipe.table_bits} bits")
    return problems
