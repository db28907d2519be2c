"""Check a finished TFLite file against the contract, at every export, from the file itself.

TensorFlow's converter is known to return, without an error, files with uninitialised variables, with a missing
signature, or with the item table stored twice.
"""

from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from sasrec_export.errors import ConversionError
from sasrec_export.table.spec import TableSpec
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.flatbuffer import Model
from sasrec_runtime.engines.contract import INPUTS, OUTPUTS
from sasrec_runtime.signature import ENTRIES

__all__ = ["check"]

STATEFUL = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"}
TYPES = {"int32": schema.TensorType.INT32, "float32": schema.TensorType.FLOAT32}
TABLE_TYPES = {
    "float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8, "int4": schema.TensorType.INT4,
}  # fmt: skip

TABLE_INPUT = {"GATHER": 0, "EMBEDDING_LOOKUP": 1, "FULLY_CONNECTED": 1}
"""Operator that reads a table → its index among the inputs."""


def check(path: Path, spec: TableSpec, *, rows: int) -> None:
    """Refuse a file that differs from the contract, or that no stock interpreter can run.

    Args:
        path: The TFLite file.
        spec: How the item table is to be stored.
        rows: Of the item table at least, padding row included.

    Raises:
        ConversionError: The message lists everything that is wrong.
    """
    model = flatbuffer.load(path.read_bytes())
    problems = [*_signatures(model), *_operators(model), *_constants(model), *_table(model, spec, rows)]
    if problems:
        raise ConversionError(f"{path.name}: {'; '.join(problems)}. Install the versions in constraints.txt.")


def _signatures(model: Model) -> list[str]:
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


def _operators(model: Model) -> list[str]:
    names = {name for _, _, name in flatbuffer.operators(model)}
    problems = []
    if foreign := sorted({name for name in names if name == "CUSTOM" or name.startswith("STABLEHLO")}):
        problems.append(f"it uses {', '.join(foreign)}, expected builtin operators")
    if stateful := sorted(names & STATEFUL):
        problems.append(f"it uses {', '.join(stateful)}, expected constants: its variables are not initialised")
    return problems


def _constants(model: Model) -> list[str]:
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


def _table(model: Model, spec: TableSpec, rows: int) -> list[str]:
    """Check that the lookup and the scoring read one constant. It is told by its reader: a layer can have its shape."""
    looked_up: dict[int, Any] = {}  # buffer → tensor
    scoring = set()
    for graph in model.subgraphs:
        stored = {}  # what is kept in half precision is read through a DEQUANTIZE
        for operator in graph.operators:
            name = flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex])
            if name == "DEQUANTIZE":
                stored[operator.outputs[0]] = operator.inputs[0]
            if name not in TABLE_INPUT:
                continue
            index = operator.inputs[TABLE_INPUT[name]]
            tensor = graph.tensors[stored.get(index, index)]
            if flatbuffer.tensor_data(model, tensor) is None:
                continue
            if name == "FULLY_CONNECTED":
                scoring.add(int(tensor.buffer))
            else:
                looked_up[int(tensor.buffer)] = tensor
    problems = []
    times = len(looked_up) + (not scoring & set(looked_up))
    if times != 1:
        problems.append(f"the item table stands in it {times} times, expected once")
    if any(tensor.type != TABLE_TYPES[spec.dtype] for tensor in looked_up.values()):
        problems.append(f"the item table is not in {spec.dtype}")
    if any(tensor.shape[0] < rows for tensor in looked_up.values()):
        problems.append(f"the item table has fewer than {rows} rows")
    return problems
