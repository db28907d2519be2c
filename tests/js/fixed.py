"""Bundles whose variants have fixed shapes, made from others: for clients and engines that cannot resize."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from runtime import tiny

Edit = Callable[[Path, dict[str, Any]], object]


def edit(path: Path, change: Edit) -> None:
    """Change files and manifest of a bundle, and describe the files as they then are."""
    manifest = json.loads((path / "manifest.json").read_bytes())
    change(path, manifest)
    files = [file for variant in manifest["variants"] for file in variant["files"]]
    for file in [*files, *filter(None, manifest["vocabulary"].values()), manifest["golden"], *manifest["documents"]]:
        data = (path / file["path"]).read_bytes()
        file.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def tiny_fixed(path: Path) -> None:
    """Write the tiny bundle with one ONNX variant of which every size is fixed: no input `k`, two rows."""
    tiny.write(path)
    rows, exclude, candidates, k = 2, 6, 2, 5

    def change(path: Path, manifest: dict[str, Any]) -> None:
        for entry, builder, sizes in (
            ("recommend", tiny.recommend_model, {"T": tiny.MAX_LEN, "B": rows, "E": exclude, "K": k}),
            ("score", tiny.score_model, {"T": tiny.MAX_LEN, "B": rows, "C": candidates}),
        ):
            model = builder()
            for value in (*model.graph.input, *model.graph.output):
                for dimension in value.type.tensor_type.shape.dim:
                    if dimension.dim_param:
                        dimension.dim_value = sizes[dimension.dim_param]
            if entry == "recommend":
                model.graph.input.pop()
                model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([k]), "k"))
            (path / f"inline/{entry}.onnx").write_bytes(model.SerializeToString())
        fixed = {"fixed_k": k, "fixed_history": tiny.MAX_LEN, "fixed_batch": rows}
        fixed |= {"fixed_exclude": exclude, "fixed_candidates": candidates}
        manifest["format_version"] = 2
        manifest["variants"] = [{**manifest["variants"][1], **fixed}]

    edit(path, change)


def fix_tflite(source: Path, path: Path, *, exclude: int = 64, candidates: int = 8) -> None:
    """Copy a bundle with its TFLite variants alone, their inputs of any length given a fixed one."""
    from sasrec_export.tflite_writer import flatbuffer

    shutil.copytree(source, path)

    def change(path: Path, manifest: dict[str, Any]) -> None:
        manifest["format_version"] = 2
        manifest["variants"] = [variant for variant in manifest["variants"] if variant["runtime"] == "tflite"]
        for variant in manifest["variants"]:
            file = path / variant["entries"]["recommend"]
            model = flatbuffer.load(file.read_bytes())
            for signature in model.signatureDefs:
                columns = exclude if signature.signatureKey == b"recommend" else candidates
                graph = model.subgraphs[signature.subgraphIndex]
                for tensor_map in (*signature.inputs, *signature.outputs):
                    tensor = graph.tensors[tensor_map.tensorIndex]
                    if tensor.shapeSignature is not None and -1 in list(tensor.shapeSignature):
                        tensor.shape, tensor.shapeSignature = np.array([1, columns], np.int32), None
            file.write_bytes(flatbuffer.dump(model))
            variant.update(fixed_exclude=exclude, fixed_candidates=candidates)

    edit(path, change)
