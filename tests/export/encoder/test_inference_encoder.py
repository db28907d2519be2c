"""The inference function is the trained network, for every option of the network."""

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.tf

N_ITEMS = 30

OPTIONS = st.fixed_dictionaries(
    {
        "max_len": st.integers(1, 9),
        "num_blocks": st.integers(1, 3),
        "ffn_dim": st.integers(1, 9),
        "norm": st.sampled_from(["pre", "post", "paper"]),
        "final_norm": st.booleans(),
        "trainable_norms": st.booleans(),
        "positions": st.sampled_from(["learned", "sinusoidal"]),
        "causal": st.booleans(),
        "scale_embeddings": st.booleans(),
        "output_projection": st.booleans(),
        "activation": st.sampled_from(["relu", "gelu", "silu", "tanh"]),
        "similarity": st.sampled_from(["dot", "cosine"]),
    }
)

EVERY_OPTION = [
    {"norm": "pre", "num_heads": 1},
    {"norm": "post", "num_heads": 2, "final_norm": False, "positions": "sinusoidal"},
    {"norm": "paper", "num_heads": 3, "output_projection": False, "activation": "gelu"},
    {"norm": "pre", "num_heads": 2, "trainable_norms": False, "activation": "silu", "causal": False},
    {"norm": "pre", "num_heads": 6, "scale_embeddings": False, "activation": "tanh", "num_blocks": 3},
    {"norm": "pre", "num_heads": 2, "similarity": "cosine", "temperature": 0.2},
]


def network(seed: int = 0, **options: Any) -> Any:
    """A network with random weights everywhere, offsets and layer norms included."""
    from sasrec_train.config import ModelConfig
    from sasrec_train.network.model import SASRec

    options = {"max_len": 7, "hidden_dim": 6, "ffn_dim": 5, "num_heads": 1, **options}
    model = SASRec(ModelConfig(n_items=N_ITEMS, **options))
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(1.0 if "gamma" in weight.path else 0.0, 0.3, weight.shape))
    return model


def random_histories(rng: np.random.Generator, columns: int) -> Any:
    """Histories of every kind: padded, with strangers among the items, and of padding alone."""
    histories = rng.integers(-2, N_ITEMS + 3, (6, columns)).astype(np.int32)
    histories[0] = 0
    histories[1, : columns // 2] = 0
    return histories


def zero_padding_row(model: Any) -> Any:
    table = np.array(model.item_table)
    table[0] = 0
    return table


def onnx_blocks(model: Any, opset: int = 17) -> Any:
    from sasrec_export.onnx_writer import convert_encoder
    from sasrec_export.onnx_writer.user_vector import Blocks

    positions = np.asarray(model.position_embedding.embeddings, np.float32)
    return Blocks(convert_encoder.encoder_to_onnx(model, opset=opset), model.config, positions)


HEADS = st.sampled_from([(6, 1), (6, 2), (6, 3), (8, 4), (5, 1)])


OPSETS = st.sampled_from([17, 18, 21, 27])


@given(options=OPTIONS, heads=HEADS, seed=st.integers(0, 99), fixed=st.booleans(), opset=OPSETS)
@settings(max_examples=12, deadline=None)
def test_the_onnx_graph_equals_the_network(options, heads, seed, fixed, opset) -> None:
    hidden_dim, num_heads = heads
    model = network(seed, hidden_dim=hidden_dim, num_heads=num_heads, **options)
    columns = options["max_len"]
    shape = {"batch": 6, "history": columns} if fixed else {}
    session = score_session(model, opset=opset, **shape)
    for length in [columns] if fixed else [1, columns, columns + 3]:
        assert_scores_equal(session, model, random_histories(np.random.default_rng(seed), length))


@pytest.mark.parametrize("options", EVERY_OPTION, ids=str)
def test_the_onnx_graph_equals_the_network_for_every_option(options) -> None:
    session = score_session(network(**options))
    for columns in (1, 7, 11):
        assert_scores_equal(session, network(**options), random_histories(np.random.default_rng(columns), columns))


def score_session(model: Any, **shape: Any) -> Any:
    import onnx_ir as ir
    import onnxruntime

    from sasrec_export.export_options import ExportOptions
    from sasrec_export.onnx_writer import entries
    from sasrec_export.onnx_writer.tables.fp32 import Fp32Table

    cut = ExportOptions(**shape)
    table = Fp32Table(zero_padding_row(model), rows=N_ITEMS + 1)
    built = entries.score_graph(onnx_blocks(model, cut.opset), table, cut)
    return onnxruntime.InferenceSession(ir.to_proto(built).SerializeToString())


def assert_scores_equal(session: Any, model: Any, histories: Any) -> None:
    columns = session.get_inputs()[1].shape[1]
    width = columns if isinstance(columns, int) else N_ITEMS
    everything = np.tile(np.resize(np.arange(1, N_ITEMS + 1, dtype=np.int32), width), (6, 1))
    (scores,) = session.run(None, {"history": histories, "candidates": everything})
    expected = np.take_along_axis(model.scores(histories).numpy(), everything, axis=1)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("options", EVERY_OPTION, ids=str)
def test_the_tflite_graph_equals_the_network(options) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from sasrec_export.export_options import ExportOptions
    from sasrec_export.tflite_writer import convert_entries, flatbuffer, table

    model = network(**options)
    converted = flatbuffer.load(convert_entries.convert(model, top_k=5, options=ExportOptions()))
    table.put_float(converted, zero_padding_row(model))
    runner = Interpreter(model_content=flatbuffer.dump(converted)).get_signature_runner("score")
    everything = np.arange(1, N_ITEMS + 1, dtype=np.int32)[None]
    for history in random_histories(np.random.default_rng(0), 7):
        scores = runner(history=history[None], candidates=everything)["scores"]
        np.testing.assert_allclose(scores, model.scores(history[None]).numpy()[:, 1:], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("diagonal", [True, False])
def test_the_tflite_graph_takes_a_transformed_table(diagonal) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from sasrec_export.export_options import ExportOptions
    from sasrec_export.table import transform
    from sasrec_export.tflite_writer import convert_entries, flatbuffer, table

    model = network(num_heads=2)
    moment = np.cov(zero_padding_row(model).T)
    chosen = transform.moment_power(np.diag(moment) if diagonal else moment, 0.5)
    converted = flatbuffer.load(convert_entries.convert(model, top_k=5, options=ExportOptions(), transform=chosen))
    table.put_float(converted, transform.apply(zero_padding_row(model), transform.inverse(chosen)))
    runner = Interpreter(model_content=flatbuffer.dump(converted)).get_signature_runner("score")
    everything = np.arange(1, N_ITEMS + 1, dtype=np.int32)[None]
    for history in random_histories(np.random.default_rng(0), 7):
        scores = runner(history=history[None], candidates=everything)["scores"]
        np.testing.assert_allclose(scores, model.scores(history[None]).numpy()[:, 1:], rtol=1e-4, atol=2e-4)


WAYS = ("Int8Table", "Int8BatchTable", "Int8FloatTable", "Int4Table")


@functools.cache
def converted(hidden_dim: int) -> Any:
    """(network, its converted blocks): the conversion takes seconds and does not depend on the table."""
    model = network(hidden_dim=hidden_dim)
    return model, onnx_blocks(model)


@pytest.mark.parametrize("transform", ["none", "smooth", "whiten"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hidden_dim", [5, 16, 50, 128, 256, 300])
def test_an_integer_table_works_at_any_width_under_any_transform(hidden_dim, way, transform) -> None:
    import onnx_ir as ir
    import onnxruntime

    from sasrec_export.export_options import ExportOptions
    from sasrec_export.onnx_writer import entries
    from sasrec_export.onnx_writer.tables import int4, int8
    from sasrec_export.table import transform as transforms
    from sasrec_export.table.quantized_table import quantize_rows

    model, blocks = converted(hidden_dim)
    table = quantize_rows(zero_padding_row(model), 7 if way == "Int4Table" else 127)
    if transform != "none":
        moment = np.cov(zero_padding_row(model).T)
        power = transforms.moment_power(np.diag(moment) if transform == "smooth" else moment, 0.4)
        table = dataclasses.replace(table, transform=power)
    held = table.dequantize()
    module = int4 if way == "Int4Table" else int8
    holder = getattr(module, way)(table, rows=N_ITEMS + 1)
    built = entries.recommend_graph(blocks.copy(), holder, ExportOptions(), top_k=5)
    session = onnxruntime.InferenceSession(ir.to_proto(built).SerializeToString())
    histories = random_histories(np.random.default_rng(1), 7)
    feeds = {"history": histories, "exclude": np.zeros((6, 0), np.int32), "k": np.array([N_ITEMS])}
    items, scores = session.run(None, feeds)
    known = np.where((histories >= 1) & (histories <= N_ITEMS), histories, 0)
    user = model.transform(held[known], (known > 0).astype(np.int32)).numpy()[:, -1]
    expected = np.take_along_axis(user @ held.T, items, axis=1)
    step = np.abs(transforms.apply(user, table.transform)).max() / 127
    coordinates = table.values * table.scales[:, None]
    rounding = 0.0 if way == "Int8FloatTable" else 0.5 * step * np.abs(coordinates).sum(axis=1).max()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=rounding + 1e-5 * np.abs(expected).max())
