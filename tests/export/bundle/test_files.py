"""What stands in the exported files: the table once, aligned, under the names of the contract."""

from collections import Counter

import numpy as np
import pytest

pytestmark = pytest.mark.tf


def sizes_of_constants(bundle, variant: str) -> Counter:
    """Bytes of each constant tensor in a TFLite file → how many buffers have that size."""
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(bundle.file(bundle.variant(variant).entries["recommend"]).read_bytes())
    return Counter(len(buffer.data) for buffer in model.buffers if buffer.data is not None)


@pytest.mark.parametrize(
    ("variant", "bytes_per_entry"),
    [("tflite-fp32", 4), ("tflite-fp16", 2), ("tflite-wi8", 1), ("tflite-wi8_ai8", 1), ("tflite-wi4", 0.5)],
)
def test_a_tflite_file_holds_the_table_once_for_both_signatures(bundle, model, variant, bytes_per_entry) -> None:
    rows, dim = model.item_embedding.embeddings.shape
    assert sizes_of_constants(bundle, variant)[int(rows * dim * bytes_per_entry)] == 1


@pytest.mark.parametrize("variant", ["tflite-fp16", "tflite-wi8", "tflite-wi8_ai8", "tflite-wi4"])
def test_a_smaller_tflite_file_holds_no_float_table(bundle, model, variant) -> None:
    rows, dim = model.item_embedding.embeddings.shape
    assert sizes_of_constants(bundle, variant)[rows * dim * 4] == 0


def test_tflite_constants_are_aligned(bundle) -> None:
    from ai_edge_litert import schema_py_generated as schema

    data = bundle.file(bundle.variant("tflite-wi8").entries["recommend"]).read_bytes()
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    model = schema.Model.GetRootAs(data, 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    places = [b.DataAsNumpy().__array_interface__["data"][0] - start for b in buffers if b.DataLength() >= 16]
    assert places
    assert all(place % 16 == 0 for place in places)


def test_writing_a_tflite_file_twice_changes_nothing(bundle) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    data = bundle.file(bundle.variant("tflite-wi8").entries["recommend"]).read_bytes()
    assert flatbuffer.dump(flatbuffer.load(data)) == data


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-wi8"])
def test_recommend_and_score_read_the_same_bytes_of_one_weights_file(bundle, variant) -> None:
    import onnx

    places = {}
    for entry, path in bundle.variant(variant).entries.items():
        graph = onnx.load(bundle.file(path), load_external_data=False).graph
        (table,) = [tensor for tensor in graph.initializer if tensor.name == "item_table"]
        places[entry] = {pair.key: pair.value for pair in table.external_data}
    assert places["recommend"] == places["score"]
    assert int(places["recommend"]["offset"]) % 4096 == 0


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-wi8", "onnx-wi8_afp32", "onnx-wi4"])
def test_an_onnx_variant_holds_the_table_once(bundle, model, variant) -> None:
    import onnx

    rows = model.item_embedding.embeddings.shape[0]
    graph = onnx.load(bundle.file(bundle.variant(variant).entries["recommend"]), load_external_data=False).graph
    assert [tensor.name for tensor in graph.initializer if rows in tensor.dims and len(tensor.dims) > 1] == (
        ["item_table"] if variant == "onnx-fp32" else ["item_table", "item_scales"]
    )


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-wi8"])
def test_layer_norms_fuse_in_onnxruntime(bundle, variant, tmp_path) -> None:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(bundle.file(bundle.variant(variant).entries["recommend"]), options)
    graph = onnx.load(tmp_path / "optimized.onnx", load_external_data=False).graph
    operators = Counter(node.op_type for node in graph.node)
    assert operators["LayerNormalization"] + operators["SkipLayerNormalization"] == 5  # two a block, and the final one
    assert operators["ReduceMean"] == 0


@pytest.mark.parametrize(("small", "large"), [("onnx-wi8", "onnx-fp32"), ("tflite-wi8", "tflite-fp32")])
def test_int8_takes_fewer_bytes_and_keeps_the_ranking(exported, small, large) -> None:
    bundle, report = exported
    rows = {row.name: row for row in report.variants}
    weights = {  # of so small a network the graphs are larger than the table
        name: sum(file.bytes for file in bundle.variant(name).files if not file.path.endswith(".onnx"))
        for name in (small, large)
    }
    assert weights[small] < weights[large]
    assert rows[small].overlap_10 > 0.9
    assert rows[large].overlap_10 == 1.0
