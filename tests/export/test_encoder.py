"""The inference function is the trained network, for every option of the network."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = [pytest.mark.tf, pytest.mark.xdist_group("export")]

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
    from sasrec_train.model import SASRec

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


@given(options=OPTIONS, heads=st.sampled_from([(6, 1), (6, 2), (6, 3), (8, 4), (5, 1)]), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_function_equals_the_network(options, heads, seed) -> None:
    from sasrec_export.encoder import Encoder

    hidden_dim, num_heads = heads
    model = network(seed, hidden_dim=hidden_dim, num_heads=num_heads, **options)
    histories = random_histories(np.random.default_rng(seed), options["max_len"])
    is_item = (histories >= 1) & (histories <= N_ITEMS)
    embedded = zero_padding_row(model)[np.where(is_item, histories, 0)]
    expected = model.user_vector(histories).numpy()
    for spelling in ("onnx", "tflite"):
        user = Encoder(model, spelling=spelling)(embedded, is_item).numpy()
        np.testing.assert_allclose(user, expected, rtol=0, atol=2e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("options", EVERY_OPTION, ids=str)
def test_the_onnx_graph_equals_the_network(options, tmp_path) -> None:
    import onnx_ir as ir
    import onnxruntime

    from sasrec_export import graph, to_onnx
    from sasrec_export.table import Fp32Table

    model = network(**options)
    encoder = to_onnx.encoder_to_onnx(model)
    ir.save(graph.score_graph(encoder, Fp32Table(zero_padding_row(model)), model.config), tmp_path / "score.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "score.onnx")
    everything = np.tile(np.arange(1, N_ITEMS + 1, dtype=np.int32), (6, 1))
    for columns in (1, 7, 11):
        histories = random_histories(np.random.default_rng(columns), columns)
        (scores,) = session.run(None, {"history": histories, "candidates": everything})
        np.testing.assert_allclose(scores, model.scores(histories).numpy()[:, 1:], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("options", EVERY_OPTION, ids=str)
def test_the_tflite_graph_equals_the_network(options) -> None:
    from ai_edge_litert.interpreter import Interpreter

    from sasrec_export import flatbuffer, to_tflite

    model = network(**options)
    converted = flatbuffer.dump(to_tflite.convert(model, zero_padding_row(model), top_k=5))
    runner = Interpreter(model_content=converted).get_signature_runner("score")
    everything = np.arange(1, N_ITEMS + 1, dtype=np.int32)[None]
    for history in random_histories(np.random.default_rng(0), 7):
        scores = runner(history=history[None], candidates=everything)["scores"]
        np.testing.assert_allclose(scores, model.scores(history[None]).numpy()[:, 1:], rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("hidden_dim", [5, 16, 50, 300])
def test_the_int8_table_works_at_any_width(hidden_dim, tmp_path) -> None:
    import onnx_ir as ir
    import onnxruntime

    from sasrec_export import graph, quantize, to_onnx
    from sasrec_export.table import Int8Table

    model = network(hidden_dim=hidden_dim)
    table = quantize.quantize_rows(zero_padding_row(model))
    held = table.dequantize()
    encoder = to_onnx.encoder_to_onnx(model)
    ir.save(graph.recommend_graph(encoder, Int8Table(table), model.config), tmp_path / "recommend.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "recommend.onnx")
    histories = random_histories(np.random.default_rng(1), 7)
    feeds = {"history": histories, "exclude": np.zeros((6, 0), np.int32), "k": np.array([N_ITEMS])}
    items, scores = session.run(None, feeds)
    known = np.where((histories >= 1) & (histories <= N_ITEMS), histories, 0)
    user = model.transform(held[known], (known > 0).astype(np.int32)).numpy()[:, -1]
    expected = np.take_along_axis(user @ held.T, items, axis=1)
    bound = 0.5 * np.abs(user).max() / 127 * np.abs(held).sum(axis=1).max()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=bound + 1e-4)
