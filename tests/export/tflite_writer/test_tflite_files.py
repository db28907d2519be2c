"""TFLite files in every stock interpreter, what their passes make, and the checks that stand guard at an export."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.conftest import K

pytestmark = pytest.mark.tf

VARIANTS = ("tflite-fp32", "tflite-fp16", "tflite-wi8", "tflite-wi4", "tflite-wi8_ai8")
INTERPRETERS = ("litert", "litert-plain", "tensorflow", "tensorflow-plain")


def runner(data: bytes, interpreter: str, entry: str) -> Any:
    """A signature of a file in one of the stock interpreters, `plain` ones without XNNPACK."""
    import ai_edge_litert.interpreter as litert
    import tensorflow as tf

    package, resolvers = (
        (litert, litert.OpResolverType)
        if interpreter.startswith("litert")
        else (tf.lite, tf.lite.experimental.OpResolverType)
    )
    options = {}
    if interpreter.endswith("plain"):
        options["experimental_op_resolver_type"] = resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return package.Interpreter(model_content=data, **options).get_signature_runner(entry)


def file_of(bundle: Any, variant: str) -> bytes:
    return bytes(bundle.file(bundle.variant(variant).entries["recommend"]).read_bytes())


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_stock_interpreter_gives_the_scores_of_keras(bundle, trained, histories, variant, interpreter) -> None:
    from sasrec_export.recipes import plan

    (chosen,) = plan(("tflite",), (variant.removeprefix("tflite-"),))
    table = trained.item_table(chosen.engine.table).effective()
    users = np.asarray(trained.encode(table[histories], (histories > 0).astype(np.int32)))
    run = runner(file_of(bundle, variant), interpreter, "recommend")
    atol = max(1e-5, bundle.variant(variant).atol)
    for row in (0, 5, 31):
        answer = run(history=histories[row : row + 1], exclude=np.zeros((1, 1), np.int32))
        np.testing.assert_allclose(answer["scores"][0], (users[row] @ table.T)[answer["items"][0]], rtol=0, atol=atol)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_compiled_model_answers_as_the_interpreter(bundle, histories, variant) -> None:
    from ai_edge_litert.compiled_model import CompiledModel

    path = bundle.file(bundle.variant(variant).entries["recommend"])
    feed = {"history": histories[5:6], "exclude": np.array([[3, 4]], np.int32)}
    expected = runner(path.read_bytes(), "litert", "recommend")(**feed)
    model = CompiledModel.from_file(str(path))
    index = model.get_signature_index("recommend")
    inputs, outputs = {}, {}
    for name, values in feed.items():
        model.resize_input_tensor_by_name("recommend", name, list(values.shape))
    for name, values in feed.items():
        inputs[name] = model.create_input_buffer_by_name("recommend", name)
        inputs[name].write(values)
    for name in ("items", "scores"):
        outputs[name] = model.create_output_buffer_by_name("recommend", name)
    model.run_by_name("recommend", inputs, outputs)
    assert index >= 0
    np.testing.assert_array_equal(outputs["items"].read(K, np.int32), expected["items"][0])
    np.testing.assert_allclose(outputs["scores"].read(K, np.float32), expected["scores"][0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 5, 12, 40])
def test_a_history_of_any_length_is_resized_to(bundle, histories, columns) -> None:
    run = runner(file_of(bundle, "tflite-fp32"), "litert", "recommend")
    nobody = np.zeros((1, 1), np.int32)
    history = np.concatenate([histories[:4].reshape(1, -1), histories[11:12]], axis=1)[:, -columns:]
    padded = np.zeros((1, 12), np.int32)
    padded[:, -min(columns, 12) :] = history[:, -12:]
    ours, theirs = run(history=history, exclude=nobody)["items"].copy(), run(history=padded, exclude=nobody)["items"]
    np.testing.assert_array_equal(ours, theirs)


def written(trained: Any, folder: Any, recipe: str, **shape: Any) -> bytes:
    from sasrec_export.bundle import variants
    from sasrec_export.export_options import ExportOptions
    from sasrec_export.recipes import plan

    (chosen,) = plan(("tflite",), (recipe,), options=ExportOptions(**shape))
    writer = variants.writers(trained, {"tflite"})["tflite"]
    return bytes(writer.write(chosen, trained.item_table(chosen.engine.table), folder).files[0].read_bytes())


@pytest.mark.parametrize("recipe", ["fp32", "wi8", "wi4", "wi8_ai8"])
def test_fixed_shapes_leave_no_size_open_and_answer_row_by_row(trained, bundle, histories, tmp_path, recipe) -> None:
    run = runner(written(trained, tmp_path, recipe, batch=2, history=6), "litert", "recommend")
    details = run.get_input_details()
    assert {name: detail["shape_signature"].tolist() for name, detail in details.items()} == {
        "history": [2, 6], "exclude": [2, 256]
    }  # fmt: skip
    exclude = np.zeros((2, 256), np.int32)
    exclude[0, :2], exclude[1, 0] = (3, 4), 7
    fixed = run(history=histories[20:22, -6:], exclude=exclude)
    single = runner(file_of(bundle, f"tflite-{recipe}"), "litert", "recommend")
    for row in range(2):
        opened = single(history=histories[20 + row : 21 + row, -6:], exclude=exclude[row : row + 1])
        atol = max(1e-5, bundle.variant(f"tflite-{recipe}").atol)
        np.testing.assert_allclose(fixed["scores"][row], opened["scores"][0], rtol=0, atol=atol)
        assert not set(fixed["items"][row]) & set(exclude[row][exclude[row] > 0])


def float_operators(model: Any) -> set[str]:
    """Names of the operators between lookup and user vector that compute in float32."""
    from sasrec_export.tflite_writer import flatbuffer, static_int8

    return {
        flatbuffer.builtin_name(model.operatorCodes[operator.opcodeIndex])
        for graph in model.subgraphs
        for operator in static_int8.network(model, graph)
        if graph.tensors[operator.outputs[0]].type == 0
    }


def test_strict_int8_leaves_no_float_operator_in_the_network(trained, tmp_path) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(written(trained, tmp_path, "wi8_ai8", strict_int8=True))
    assert float_operators(model) == {"DEQUANTIZE"}


@pytest.mark.parametrize("largest", [1e-9, 0.1, 2.0881, 2.1, 3.21875, 7.0, 1e4])
def test_a_range_that_is_alike_on_both_sides_has_its_zero_point_at_zero(largest) -> None:
    from sasrec_export.tflite_writer import int8_graph

    assert [int8_graph._of_range((-largest * f, largest * f)).zeroPoint[0] for f in np.linspace(1, 2, 50)] == [0] * 50


@pytest.mark.parametrize("strict", [False, True])
def test_the_second_factor_of_a_product_has_its_zero_point_at_zero(trained, tmp_path, strict) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(written(trained, tmp_path, "wi8_ai8", strict_int8=strict))
    points = [
        graph.tensors[operator.inputs[1]].quantization.zeroPoint[0]
        for graph, operator, name in flatbuffer.operators(model)
        if name == "BATCH_MATMUL" and graph.tensors[operator.inputs[1]].type == 9
    ]
    assert points
    assert not any(points)


def test_four_bits_leave_the_transform_of_users_in_float(trained, bundle) -> None:
    from sasrec_export.tflite_writer import flatbuffer, weights

    model = flatbuffer.load(file_of(bundle, "tflite-wi4"))
    for graph in model.subgraphs:
        (only,) = weights.linears(model, graph)
        matrix = flatbuffer.constant(model, graph.tensors[only.inputs[1]])
        np.testing.assert_array_equal(matrix, trained.quantized(7, "whiten").transform)


def test_int8_keeps_the_layer_norms_in_float_by_default(bundle) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(file_of(bundle, "tflite-wi8_ai8"))
    assert {"RSQRT", "MEAN", "SUB"} <= float_operators(model)


def test_no_mask_far_below_the_logits_is_left_in_int8(bundle) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(file_of(bundle, "tflite-wi8_ai8"))
    ranges = [
        float(tensor.quantization.scale[0]) * 255
        for graph in model.subgraphs
        for tensor in graph.tensors
        if tensor.type == 9 and tensor.quantization is not None and len(tensor.quantization.scale) == 1
    ]
    assert ranges
    assert max(ranges) < 1000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_search_equals_a_full_sort(data) -> None:
    ids, block, k, batch = data.draw(st.sampled_from([(40, 4, 5, 1), (37, 4, 4, 2), (37, 0, 9, 1), (37, 8, 30, 2)]))
    import tensorflow as tf

    from sasrec_export.search_plan import SearchPlan
    from sasrec_export.tflite_writer import top_k

    rows = -(-ids // block) * block if block else ids
    stages = SearchPlan(rows=rows, block=block, ids=ids)
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    spread = data.draw(st.sampled_from([2, 5, 1000]))  # small: many ties
    scores = rng.integers(-spread, spread, (batch, rows)).astype(np.float32)
    scores[:, ids:] = 9e9  # rows that only fill a block would win
    exclude = rng.integers(0, ids, (batch, data.draw(st.integers(0, 20)))).astype(np.int32)

    values, places = top_k.top_k(top_k.exclude(tf.constant(scores), exclude, stages), k, stages)

    left = scores[:, :ids].copy()
    left[:, 0] = -np.inf
    np.put_along_axis(left, exclude, -np.inf, axis=1)
    best = np.argsort(-left, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(values.numpy(), np.take_along_axis(left, best, axis=1))
    shown = ~np.isneginf(values.numpy())
    np.testing.assert_array_equal(places.numpy()[shown], best[shown])


def test_an_odd_number_of_4_bit_entries_is_packed_low_half_first() -> None:
    from sasrec_export.tflite_writer.table import _nibbles

    packed = _nibbles(np.array([[1, -1, 7]], np.int8))
    assert packed.tolist() == [0xF1, 0x07]


def test_minus_eight_is_refused_in_4_bits() -> None:
    from sasrec_export.errors import ConversionError
    from sasrec_export.tflite_writer.table import _nibbles

    with pytest.raises(ConversionError, match="-8"):
        _nibbles(np.array([[-8, 0]], np.int8))


def drop_signature(model: Any) -> None:
    model.signatureDefs.pop()


def empty_a_constant(model: Any) -> None:
    for tensor in model.subgraphs[0].tensors:
        if tensor.name == b"item_table":
            tensor.buffer = 0


def double_the_table(model: Any) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    (tensor,) = [tensor for tensor in model.subgraphs[1].tensors if tensor.name == b"item_table"]
    tensor.buffer = flatbuffer.add_buffer(model, flatbuffer.constant(model, tensor) + 1)


def use_a_variable(model: Any) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    flatbuffer.operator_code(model, "READ_VARIABLE", 1)
    model.subgraphs[0].operators[0].opcodeIndex = len(model.operatorCodes) - 1


def use_a_custom_operator(model: Any) -> None:
    from sasrec_export.tflite_writer import flatbuffer

    flatbuffer.operator_code(model, "CUSTOM", 1)
    model.operatorCodes[-1].customCode = b"FlexErf"
    model.subgraphs[0].operators[0].opcodeIndex = len(model.operatorCodes) - 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (drop_signature, "signatures are recommend, expected recommend, score"),
        (empty_a_constant, "tensor 'item_table' has no value"),
        (double_the_table, "the item table stands in it 2 times, expected once"),
        (use_a_variable, "READ_VARIABLE, expected constants: its variables are not initialised"),
        (use_a_custom_operator, "CUSTOM, expected builtin operators"),
    ],
)
def test_a_file_that_fails_silently_is_refused(bundle, model, tmp_path, spoil, message) -> None:
    from sasrec_export.errors import ConversionError
    from sasrec_export.recipes import RECIPES
    from sasrec_export.tflite_writer import check, flatbuffer

    spoiled = flatbuffer.load(file_of(bundle, "tflite-fp32"))
    spoil(spoiled)
    path = tmp_path / "model.tflite"
    path.write_bytes(flatbuffer.dump(spoiled))
    with pytest.raises(ConversionError, match=message):
        check.check(path, RECIPES["fp32"].engines["tflite"].table, rows=model.config.n_items + 1)


def test_a_file_past_what_a_flatbuffer_holds_is_refused(bundle, monkeypatch) -> None:
    import flatbuffers

    from sasrec_export.errors import ConversionError
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(file_of(bundle, "tflite-fp32"))
    monkeypatch.setattr(flatbuffers.Builder, "MAX_BUFFER_SIZE", 1 << 16)
    with pytest.raises(ConversionError, match=r"its constants take [\d,]+ bytes, expected at most 2 GB"):
        flatbuffer.dump(model)


def test_a_table_in_other_bits_is_refused(bundle, model, tmp_path) -> None:
    from sasrec_export.errors import ConversionError
    from sasrec_export.recipes import RECIPES
    from sasrec_export.tflite_writer import check

    path = tmp_path / "model.tflite"
    path.write_bytes(file_of(bundle, "tflite-wi8"))
    with pytest.raises(ConversionError, match="the item table is not in int4"):
        check.check(path, RECIPES["wi4"].engines["tflite"].table, rows=model.config.n_items + 1)


def test_a_weight_cache_is_written_once_and_changes_no_answer(bundle, tmp_path) -> None:
    from sasrec_runtime import Recommender

    keys = bundle.vocabulary.keys[1:6]
    plain = Recommender.load(bundle, variant="tflite-wi8")
    cache = tmp_path / "weights.cache"
    for _ in range(2):
        cached = Recommender.load(bundle, variant="tflite-wi8", weight_cache=cache)
        assert [item.key for item in cached.recommend(keys)] == [item.key for item in plain.recommend(keys)]
        np.testing.assert_allclose(cached.score(keys, keys), plain.score(keys, keys), rtol=0, atol=1e-5)
        assert cache.stat().st_size > 0


def metadata_of(data: bytes) -> dict[str, bytes]:
    from sasrec_export.tflite_writer import flatbuffer

    model = flatbuffer.load(data)
    return {entry.name.decode(): bytes(bytearray(model.buffers[entry.buffer].data)) for entry in model.metadata}


def test_a_file_describes_itself(bundle) -> None:
    import json

    from ai_edge_litert import schema_py_generated as schema

    data = file_of(bundle, "tflite-wi8")
    assert b"recommend(history, exclude)" in schema.Model.GetRootAs(data, 0).Description()
    assert json.loads(metadata_of(data)["sasrec_edge"]) == {
        "items": "items.txt", "titles": "titles.txt", "n_items": bundle.manifest.model.n_items, "top_k": K
    }  # fmt: skip


def test_the_oldest_runtime_follows_from_the_operators_used(bundle) -> None:
    oldest = {name: metadata_of(file_of(bundle, name))["min_runtime_version"].rstrip(b"\0") for name in VARIANTS}
    assert oldest["tflite-wi4"] == b"2.18.0"
    assert oldest["tflite-wi8"] == b"2.3.0"
