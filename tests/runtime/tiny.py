"""A bundle small enough to work out by hand: 7 items, max_len 4, hidden_dim 2, no attention.

The user vector is the sum of the embedded last four items, a score the inner product with an item's row:

    id       1      2      3      4      5      6       7
    row    (1,0)  (0,1)  (1,1)  (2,0)  (0,2)  (-1,1)  (1,-1)

    history [1, 2]           user (1, 1)   scores 1  1  2  2  2  0  0   best 3 4 5, then 1 2, then 6 7
    history [4, 4, 1]        user (5, 0)   scores 5  0  5 10  0 -5  5   best 4, then 1 3 7, then 2 5, then 6
    history [5, 4, 4, 1, 6]  user (4, 1)   (the fifth newest, 5, is cut off)   scores 4 1 5 8 2 -3 3
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from sasrec_runtime import manifest as manifest_module
from sasrec_runtime.checks import golden as golden_module
from sasrec_runtime.checks.golden import Answer, Case, Golden
from sasrec_runtime.manifest import FileEntry, Manifest, ModelCard, Provenance, Variant, Vocabulary

N_ITEMS = 7
MAX_LEN = 4
KEYS = ["apple", "bread", "cheese", "dates", "eggs", "figs", "grapes"]
TITLES = ["An apple", "Rye bread", "Old cheese", "Dates", "Ten eggs", "Figs", ""]
FALLBACK_ITEMS = [3, 1, 2, 5]
TABLE = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0], [0, 2], [-1, 1], [1, -1]], np.float32)
SIGNATURE = {
    "recommend": {"inputs": {"history": "int32 (B, T)"}, "outputs": {"items": "int32 (B, k)"}},
    "score": {"inputs": {"history": "int32 (B, T)"}, "outputs": {"scores": "float32 (B, C)"}},
}
CASES = [
    ([1, 2], [1, 2], 4, [7, 1], [3, 4, 5, 6], [2.0, 2.0, 2.0, 0.0], [0.0, 1.0]),
    ([4, 4, 1], [], 3, [6], [4, 1, 3], [10.0, 5.0, 5.0], [-5.0]),
    ([5, 4, 4, 1, 6], [1, 2, 3, 4, 5], 3, [2, 3], [7, 6], [3.0, -3.0], [1.0, 5.0]),
]
"""history_ids, exclude_ids, k, candidate_ids, item_ids, scores, candidate_scores."""


def entry(path: Path, relative_path: str) -> FileEntry:
    """Describe a file of the bundle as it is now."""
    data = (path / relative_path).read_bytes()
    return FileEntry(path=relative_path, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def write(path: Path, **files: bytes) -> Manifest:
    """Write the bundle: variants onnx-fp32 (shared external weights) and onnx-inline (one file per entry).

    Args:
        path: The folder, made here.
        files: `tflite` adds a variant tflite-fp32 with that model file.
    """
    for folder in ("onnx", "inline", "tflite"):
        (path / folder).mkdir(parents=True)
    (path / "onnx/weights.bin").write_bytes(TABLE.tobytes())
    for name, builder in (("recommend", recommend_model), ("score", score_model)):
        (path / f"onnx/{name}.onnx").write_bytes(builder(external=True).SerializeToString())
        (path / f"inline/{name}.onnx").write_bytes(builder().SerializeToString())
    (path / "items.txt").write_text("".join(f"{key}\n" for key in KEYS), encoding="utf-8")
    (path / "titles.txt").write_text("".join(f"{title}\n" for title in TITLES), encoding="utf-8")
    (path / "README.md").write_text("A bundle.\n", encoding="utf-8")
    variants = [
        onnx_variant(path, "onnx", ["onnx/recommend.onnx", "onnx/score.onnx", "onnx/weights.bin"], recipe="fp32"),
        onnx_variant(path, "inline", ["inline/recommend.onnx", "inline/score.onnx"], recipe="inline"),
    ]
    if "tflite" in files:
        (path / "tflite/model.tflite").write_bytes(files["tflite"])
        variants.append(tflite_variant(path))
    names = [variant.name for variant in variants]
    (path / "golden.json").write_bytes(golden_module.encode(golden(names)))
    manifest = Manifest(
        format_version=1,
        model=ModelCard(
            n_items=N_ITEMS, max_len=MAX_LEN, hidden_dim=2, num_blocks=1, num_heads=1, hyper_parameters={"epochs": 0}
        ),
        signature=SIGNATURE,
        variants=variants,
        vocabulary=Vocabulary(items=entry(path, "items.txt"), titles=entry(path, "titles.txt")),
        fallback_items=FALLBACK_ITEMS,
        golden=entry(path, "golden.json"),
        documents=[entry(path, "README.md")],
        provenance=Provenance(data="by hand", data_sha256="0" * 64, seed=0, versions={"onnx": onnx.__version__}),
    )
    (path / "manifest.json").write_bytes(manifest_module.encode(manifest))
    return manifest


def golden(names: list[str]) -> Golden:
    """Return CASES as goldens; every variant gives the same answer."""
    cases = []
    for history, exclude, k, candidates, items, scores, candidate_scores in CASES:
        keys = [KEYS[item_id - 1] for item_id in items]
        answer = Answer(item_ids=items, item_keys=keys, scores=scores, candidate_scores=candidate_scores)
        cases.append(
            Case(
                name=f"history {history}",
                history=[KEYS[item_id - 1] for item_id in history],
                history_ids=history,
                exclude_ids=exclude,
                k=k,
                candidate_ids=candidates,
                answers=dict.fromkeys(names, answer),
            )
        )
    return Golden(format_version=1, cases=cases)


def onnx_variant(path: Path, folder: str, files: list[str], *, recipe: str) -> Variant:
    return Variant(
        name=f"onnx-{recipe}",
        runtime="onnx",
        recipe=recipe,
        entries={"recommend": f"{folder}/recommend.onnx", "score": f"{folder}/score.onnx"},
        files=[entry(path, file) for file in files],
        min_runtime_version="1.17.0",
        atol=1e-5,
        parity={"scores": 0.0},
        quality={"ndcg@10": 0.5},
    )


def tflite_variant(path: Path, *, fixed_k: int = 5) -> Variant:
    return Variant(
        name="tflite-fp32",
        runtime="tflite",
        recipe="fp32",
        entries={"recommend": "tflite/model.tflite", "score": "tflite/model.tflite"},
        files=[entry(path, "tflite/model.tflite")],
        min_runtime_version="2.0.0",
        atol=1e-5,
        fixed_k=fixed_k,
        fixed_history=MAX_LEN,
        fixed_batch=1,
    )


def recommend_model(*, external: bool = False, history_type: int = TensorProto.INT32) -> onnx.ModelProto:
    """Return the graph of the entry `recommend`."""
    nodes = [
        *user_nodes(),
        helper.make_node("MatMul", ["user", "table_t"], ["raw_scores"]),  # (B, 8)
        *clean_nodes("exclude"),
        helper.make_node("Shape", ["user"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "one"], ["pad_shape"], axis=0),
        helper.make_node("ConstantOfShape", ["pad_shape"], ["pad_column"], value=tensor("", [0], np.int32)),
        helper.make_node("Concat", ["exclude_ids", "pad_column"], ["masked"], axis=1),
        helper.make_node("Shape", ["masked"], ["masked_shape"]),
        helper.make_node("Expand", ["minus_inf", "masked_shape"], ["updates"]),
        helper.make_node("ScatterElements", ["raw_scores", "masked", "updates"], ["allowed"], axis=1),
        helper.make_node("TopK", ["allowed", "k"], ["scores", "columns"], axis=1),
        helper.make_node("Cast", ["columns"], ["ids"], to=TensorProto.INT32),
        helper.make_node("IsInf", ["scores"], ["is_free"]),
        helper.make_node("Where", ["is_free", "zero", "ids"], ["items"]),
    ]
    inputs = [
        helper.make_tensor_value_info("history", history_type, ["B", "T"]),
        helper.make_tensor_value_info("exclude", TensorProto.INT32, ["B", "E"]),
        helper.make_tensor_value_info("k", TensorProto.INT64, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("items", TensorProto.INT32, ["B", "K"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "K"]),
    ]
    return model("recommend", nodes, inputs, outputs, external=external)


def score_model(*, external: bool = False) -> onnx.ModelProto:
    """Return the graph of the entry `score`."""
    nodes = [
        *user_nodes(),
        *clean_nodes("candidates"),
        helper.make_node("Gather", ["table", "candidates_ids"], ["rows"]),  # (B, C, 2)
        helper.make_node("Unsqueeze", ["user", "two"], ["user_column"]),  # (B, 2, 1)
        helper.make_node("MatMul", ["rows", "user_column"], ["score_column"]),
        helper.make_node("Squeeze", ["score_column", "two"], ["scores"]),
    ]
    inputs = [
        helper.make_tensor_value_info("history", TensorProto.INT32, ["B", "T"]),
        helper.make_tensor_value_info("candidates", TensorProto.INT32, ["B", "C"]),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["B", "C"])]
    return model("score", nodes, inputs, outputs, external=external)


def user_nodes() -> list[onnx.NodeProto]:
    """history (B, T) → user (B, 2); int32 ids outside 1…7 count as padding."""
    return [
        helper.make_node("Cast", ["history"], ["history_any"], to=TensorProto.INT32),
        helper.make_node("Slice", ["history_any", "minus_max_len", "end", "one"], ["newest"]),
        *clean_nodes("newest"),
        helper.make_node("Gather", ["table", "newest_ids"], ["embedded"]),  # (B, T, 2)
        helper.make_node("ReduceSum", ["embedded", "one"], ["user"], keepdims=0),
        helper.make_node("Transpose", ["table"], ["table_t"]),
    ]


def clean_nodes(name: str) -> list[onnx.NodeProto]:
    """Put 0 where ids are not items: `name` → `name`_ids."""
    return [
        helper.make_node("Greater", [name, "zero"], [f"{name}_above"]),
        helper.make_node("LessOrEqual", [name, "n_items"], [f"{name}_below"]),
        helper.make_node("And", [f"{name}_above", f"{name}_below"], [f"{name}_valid"]),
        helper.make_node("Where", [f"{name}_valid", name, "zero"], [f"{name}_ids"]),
    ]


def model(name: str, nodes: list, inputs: list, outputs: list, *, external: bool) -> onnx.ModelProto:
    constants = [
        tensor("zero", 0, np.int32),
        tensor("n_items", N_ITEMS, np.int32),
        tensor("one", [1], np.int64),
        tensor("two", [2], np.int64),
        tensor("minus_max_len", [-MAX_LEN], np.int64),
        tensor("end", [2**31], np.int64),
        tensor("minus_inf", -np.inf, np.float32),
    ]
    table = tensor("table", TABLE, np.float32)
    if external:
        table.ClearField("raw_data")
        table.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", str(TABLE.nbytes))):
            table.external_data.add(key=key, value=value)
    used = {edge for node in nodes for edge in node.input}
    weights = [constant for constant in (*constants, table) if constant.name in used]
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def tensor(name: str, value: object, dtype: type) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.array(value, dtype), name)
