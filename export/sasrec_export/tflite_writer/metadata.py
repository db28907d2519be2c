"""Description and metadata of a TFLite file for its users: contract, file of item keys, oldest runtime."""

import json

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from sasrec_export.recipes import VariantPlan
from sasrec_export.tflite_writer import flatbuffer
from sasrec_export.tflite_writer.flatbuffer import Model
from sasrec_runtime import versions
from sasrec_train.config import ModelConfig

__all__ = ["describe"]

MIN_RUNTIME = "min_runtime_version"
"""Name under which the converter, too, leaves the oldest TensorFlow Lite that has all operators."""
FIELD_BYTES = 16
RAISED = {
    ("FULLY_CONNECTED", 9): "2.3.0",
    ("BATCH_MATMUL", 2): "2.3.0",
    ("RSQRT", 2): "2.5.0",
    ("EMBEDDING_LOOKUP", 3): "1.14.0",
    ("EMBEDDING_LOOKUP", 4): "2.18.0",
    ("FULLY_CONNECTED", 12): "2.17.0",
    ("FULLY_CONNECTED", 13): "2.20.0",
}
"""Operator versions that the passes bring in → the TensorFlow Lite that has them, by LiteRT's runtime_version.cc. It
names 2.18.0 for FULLY_CONNECTED 13, but 2.18 and 2.19 crash on scales in half precision or give wrong scores."""


def describe(model: Model, plan: VariantPlan, config: ModelConfig, *, top_k: int) -> None:
    """Write the description and the metadata of a ModelT, in place.

    Args:
        model: The finished model.
        plan: The variant that it is.
        config: The network.
        top_k: Items that `recommend` returns.
    """
    model.description = (
        f"SASRec next-item recommender, {plan.name}: {config.n_items} items, max_len {config.max_len}. "
        f"recommend(history, exclude) -> items, scores (the {top_k} best); score(history, candidates) -> scores. "
        "Ids are 1..n_items, 0 is padding, the newest item stands last; line i of items.txt is the key of id i."
    )
    oldest = max((_read(model, MIN_RUNTIME), *_raised(model)), key=versions.release)
    items = {"items": "items.txt", "titles": "titles.txt", "n_items": config.n_items, "top_k": top_k}
    _write(model, MIN_RUNTIME, oldest.encode().ljust(FIELD_BYTES, b"\0"))
    _write(model, "sasrec_edge", json.dumps(items).encode())


def _raised(model: Model) -> list[str]:
    codes = [model.operatorCodes[operator.opcodeIndex] for _, operator, _ in flatbuffer.operators(model)]
    seen = {(flatbuffer.builtin_name(code), code.version or 1) for code in codes}
    return [version for key, version in RAISED.items() if key in seen]


def _read(model: Model, name: str) -> str:
    for entry in model.metadata or []:
        if entry.name.decode() == name:
            return bytes(bytearray(model.buffers[entry.buffer].data)).rstrip(b"\0").decode()
    return "1.5.0"


def _write(model: Model, name: str, data: bytes) -> None:
    kept = [entry for entry in model.metadata or [] if entry.name.decode() != name]
    entry = schema.MetadataT()
    entry.name = name.encode()
    entry.buffer = flatbuffer.add_buffer(model, np.frombuffer(data, np.uint8))
    model.metadata = [*kept, entry]
