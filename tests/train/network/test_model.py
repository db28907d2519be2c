"""The network: what it sees, what it does not, and that it survives a file."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tensorflow")

from sasrec_train.config import ModelConfig
from sasrec_train.network.layers import PositionEmbedding, SASRecBlock, SelfAttention, sinusoids
from sasrec_train.network.model import SASRec
from sasrec_train.training.windows import pack

pytestmark = pytest.mark.tf

SMALL = {"n_items": 9, "max_len": 6, "hidden_dim": 8, "ffn_dim": 12, "num_blocks": 2, "num_heads": 2}
VARIANTS = [
    {},
    {"norm": "post"},
    {"norm": "paper"},
    {"num_heads": 1},
    {"num_heads": 4},
    {"positions": "sinusoidal"},
    {"final_norm": False},
    {"trainable_norms": False},
    {"output_projection": False},
    {"scale_embeddings": False},
    {"activation": "gelu"},
    {"activation": "silu"},
    {"activation": "tanh"},
    {"embedding_l2": 0.1},
    {"causal": False},
    {"similarity": "cosine"},
]
variants = pytest.mark.parametrize("fields", VARIANTS, ids=lambda fields: str(fields or "default"))
HISTORY = np.array([[0, 0, 3, 1, 4, 2], [5, 9, 2, 6, 5, 3]], np.int32)


def make(**fields) -> SASRec:
    """Return a small network whose weights are large enough for attention to matter."""
    keras.utils.set_random_seed(0)
    model = SASRec(ModelConfig(**{**SMALL, **fields}))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


@variants
def test_padded_and_trimmed_histories_give_the_same_states(fields):
    model = make(**fields)
    np.testing.assert_allclose(model(HISTORY)[:1, 2:], model(HISTORY[:1, 2:]), rtol=1e-5, atol=1e-5)


@variants
def test_rows_do_not_depend_on_each_other(fields):
    model = make(**fields)
    np.testing.assert_allclose(model(HISTORY)[1:], model(HISTORY[1:]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fields", [v for v in VARIANTS if v.get("causal", True)], ids=str)
@pytest.mark.parametrize("position", [2, 5])
def test_a_change_leaves_the_states_before_it_unchanged(fields, position):
    model = make(**fields)
    changed = HISTORY.copy()
    changed[:, position] = 7
    before, after = np.asarray(model(HISTORY)), np.asarray(model(changed))
    np.testing.assert_allclose(after[1, :position], before[1, :position], rtol=1e-6, atol=1e-6)
    assert np.abs(after[1, position:] - before[1, position:]).max() > 1e-3


def test_without_a_causal_mask_older_positions_see_newer_ones():
    model = make(causal=False)
    changed = HISTORY.copy()
    changed[:, -1] = 7
    assert np.abs(np.asarray(model(changed))[:, 2] - np.asarray(model(HISTORY))[:, 2]).max() > 1e-3


@pytest.mark.parametrize(
    "fields", [{}, {"norm": "paper", "trainable_norms": False}, {"positions": "sinusoidal"}], ids=str
)
def test_a_network_survives_a_file(fields, tmp_path):
    model = make(**fields)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    assert loaded.config == model.config
    np.testing.assert_array_equal(loaded(HISTORY), model(HISTORY))


def test_a_network_is_rebuilt_from_its_config():
    model = make()
    again = SASRec.from_config(model.get_config())
    assert again.config == model.config
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]


@pytest.mark.parametrize(
    "layer",
    [
        PositionEmbedding(5, "sinusoidal"),
        SelfAttention(8, 2, 0.1, output_projection=False),
        SASRecBlock(8, 2, 12, 0.1, "post", trainable_norms=False, output_projection=False, activation="gelu"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_their_config(layer):
    config = layer.get_config()
    assert type(layer).from_config(config).get_config() == config


def test_the_summary_counts_every_weight():
    lines: list[str] = []
    model = make()
    model.summary(print_fn=lines.append)
    assert f"{model.count_params()}" in "\n".join(lines).replace(",", "")
    # Table and positions, two blocks of four projections, two norms and the feed-forward network, a final norm.
    block = 4 * (8 * 8 + 8) + 2 * 16 + (8 * 12 + 12) + (12 * 8 + 8)
    assert model.count_params() == 10 * 8 + 6 * 8 + 2 * block + 16


def test_only_the_last_max_len_items_are_read():
    model = make()
    longer = np.concatenate([np.full((2, 3), 8, np.int32), HISTORY], axis=1)
    np.testing.assert_array_equal(model(longer), model(HISTORY))


def test_ids_outside_the_catalogue_count_as_padding():
    model = make()
    odd = HISTORY.copy()
    odd[0, :2] = [-1, 10]
    np.testing.assert_array_equal(model(odd)[:, 2:], model(HISTORY)[:, 2:])


def test_a_history_of_padding_alone_is_finite():
    assert np.isfinite(make().scores(np.zeros((1, 6), np.int32))).all()


def test_scores_are_products_of_user_vector_and_item_table():
    model = make()
    expected = np.asarray(model(HISTORY))[:, -1] @ np.asarray(model.item_table).T
    np.testing.assert_allclose(model.scores(HISTORY), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.encoder()(HISTORY), model.user_vector(HISTORY), rtol=1e-5, atol=1e-5)


def test_sinusoids_start_with_sine_zero_and_cosine_one():
    table = sinusoids(4, 5)
    assert table[0].tolist() == [0, 1, 0, 1, 0]
    assert table[1, 0] == pytest.approx(np.sin(1))
    assert table[2, 3] == pytest.approx(np.cos(2 / 10000 ** (2 / 5)))


def test_cosines_are_scored_between_vectors_of_length_one():
    model = make(similarity="cosine", temperature=0.1)
    table, user = np.asarray(model.item_table), np.asarray(model.user_vector(HISTORY))
    np.testing.assert_allclose(np.linalg.norm(table, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(user, axis=1), 10, rtol=1e-5)
    scores = np.asarray(model.scores(HISTORY))
    np.testing.assert_allclose(scores, user @ table.T, rtol=1e-5, atol=1e-5)
    assert np.abs(scores).max() <= 10.001


def test_the_length_of_an_item_vector_means_nothing_to_cosines():
    model = make(similarity="cosine")
    before = np.asarray(model.scores(HISTORY))
    model.item_embedding.embeddings.assign(3.0 * np.asarray(model.item_embedding.embeddings))
    np.testing.assert_allclose(model.scores(HISTORY), before, rtol=1e-4, atol=1e-4)


OPTIONS = st.fixed_dictionaries(
    {
        "norm": st.sampled_from(["pre", "post", "paper"]),
        "positions": st.sampled_from(["learned", "sinusoidal"]),
        "causal": st.booleans(),
        "num_heads": st.sampled_from([1, 2]),
        "similarity": st.sampled_from(["dot", "cosine"]),
    }
)


@given(OPTIONS, st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_windows_packed_into_rows_give_what_each_gives_alone(options, lengths, seed):
    model = make(**options)
    rng = np.random.default_rng(seed)
    windows = [rng.integers(1, 10, length).astype(np.int32) for length in lengths]
    rows, columns = pack(np.array(lengths), np.zeros(len(lengths), np.int64), 6)
    history = np.zeros((rows.max() + 1, 6), np.int32)
    segments, positions = np.zeros_like(history), np.zeros_like(history)
    for i, (window, row, column) in enumerate(zip(windows, rows, columns, strict=True)):
        place = slice(column, column + window.size)
        history[row, place], segments[row, place] = window, i + 1
        positions[row, place] = np.arange(6 - window.size, 6)
    packed = np.asarray(model.transform(np.asarray(model.item_table)[history], segments, positions))
    for window, row, column in zip(windows, rows, columns, strict=True):
        alone = np.asarray(model(window[None]))[0]
        np.testing.assert_allclose(packed[row, column : column + window.size], alone, rtol=1e-4, atol=1e-5)
