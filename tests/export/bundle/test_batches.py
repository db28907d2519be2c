"""A user on an exported bundle: whatever else is in the batch, alone, padded, in the batch form, from threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.conftest import BACKENDS, REPEAT_ATOL
from sasrec_runtime.engines.open import open_session
from sasrec_runtime.errors import RequestError
from sasrec_runtime.recommender import Recommender

EXACT = ("onnx-wi8", "onnx-wi8_afp32")
seeds = st.integers(0, 2**32 - 1)
a_few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=EXACT)
def session(request, bundle):
    return open_session(bundle, bundle.variant(request.param))


@pytest.fixture(scope="module", params=EXACT)
def recommender(request, bundle):
    return Recommender.load(bundle, variant=request.param)


def others(seed: int, rows: int, columns: int, n_items: int) -> np.ndarray:
    """Histories with padding, repetitions and ids that are not items."""
    return np.random.default_rng(seed).integers(-2, n_items + 3, (rows, columns)).astype(np.int32)


@pytest.mark.parametrize("rows", [4, 32], ids=["recommend", "recommend_batch"])
@a_few
@given(seed=seeds, other_seed=seeds, data=st.data())
def test_scores_are_bit_equal_whatever_the_other_rows_hold(session, bundle, rows, seed, other_seed, data) -> None:
    n_items = bundle.manifest.model.n_items
    place = data.draw(st.integers(0, rows - 1))
    first, second = others(seed, rows, 12, n_items), others(other_seed, rows, 12, n_items)
    second[place] = first[place]
    exclude = np.zeros((rows, 2), np.int32)
    answers = [session.recommend(batch, exclude, 10) for batch in (first, second)]
    np.testing.assert_array_equal(answers[0][0][place], answers[1][0][place])
    np.testing.assert_array_equal(answers[0][1][place], answers[1][1][place])
    candidates = np.broadcast_to(np.arange(1, n_items + 1, dtype=np.int32), (rows, n_items))
    scores = [session.score(batch, candidates)[place] for batch in (first, second)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("name", EXACT)
@a_few
@given(seed=seeds, rows=st.integers(2, 24), columns=st.integers(1, 12))
def test_alone_and_in_a_batch_differ_by_what_the_recipe_promises(bundle, name, seed, rows, columns) -> None:
    variant = bundle.variant(name)
    session = open_session(bundle, variant)
    batch = others(seed, rows, columns, bundle.manifest.model.n_items)
    batch[:, -1] = 1  # a history of padding alone has no answer to compare
    atol = 1e-5 if name == "onnx-wi8_afp32" else variant.atol
    nothing = np.zeros((rows, 0), np.int32)
    items, scores = session.recommend(batch, nothing, 10)
    wide = np.pad(batch, ((0, 0), (3, 0)))
    for form in (batch, wide):
        alone = [session.recommend(form[row : row + 1], nothing[:1], 10) for row in range(rows)]
        alone_scores = np.concatenate([one[1] for one in alone])
        np.testing.assert_allclose(alone_scores, scores, rtol=0, atol=atol)
        for row, (alone_items, _) in enumerate(alone):
            moved = alone_items[0] != items[row]
            last = scores[row, -1]
            near = np.abs(np.subtract.outer(scores[row], scores[row])) <= 2 * atol
            np.fill_diagonal(near, val=False)
            assert (near.any(axis=1) | (scores[row] - last <= 2 * atol))[moved].all()


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "keras"])
def test_candidates_score_in_a_batch_what_they_score_alone(bundle, name) -> None:
    recommender, rng = Recommender.load(bundle, variant=name), np.random.default_rng(0)
    keys = np.array(recommender.vocabulary.keys[1:])
    histories, candidates = ([rng.choice(keys, size).tolist() for size in rng.integers(1, 40, 30)] for _ in range(2))
    alone = [recommender.score(*request) for request in zip(histories, candidates, strict=True)]
    together = recommender.score_batch(histories, candidates)
    np.testing.assert_allclose(np.concatenate(together), np.concatenate(alone), rtol=0, atol=REPEAT_ATOL[name])


@a_few
@given(seed=seeds, rows=st.integers(8, 40))
def test_the_batch_form_answers_within_atol_of_the_other(bundle, seed, rows) -> None:
    variant = bundle.variant("onnx-wi8")
    session = open_session(bundle, variant)
    batch, nothing = others(seed, rows, 12, bundle.manifest.model.n_items), np.zeros((rows, 0), np.int32)
    _, scores = session.recommend(batch, nothing, 10)
    parts = [session.recommend(batch[start : start + 7], nothing[start : start + 7], 10) for start in range(0, rows, 7)]
    np.testing.assert_allclose(np.concatenate([part[1] for part in parts]), scores, rtol=0, atol=variant.atol)


@pytest.mark.parametrize("name", ["onnx-wi8", "onnx-wi8_ai8"])
@a_few
@given(seed=seeds, rows=st.integers(8, 40), data=st.data())
def test_a_batch_is_sorted_by_its_own_scores_and_equal_ones_by_id(bundle, name, seed, rows, data) -> None:
    session, n_items = open_session(bundle, bundle.variant(name)), bundle.manifest.model.n_items
    history, exclude = others(seed, rows, 12, n_items), others(seed + 1, rows, 3, n_items)
    items, scores = session.recommend(history, exclude, n_items)
    given_up = items == 0
    order = np.lexsort((np.where(given_up, n_items + 1, items), -scores), axis=1)
    np.testing.assert_array_equal(order, np.broadcast_to(np.arange(n_items), order.shape))
    k = data.draw(st.integers(1, n_items))
    fewer, fewer_scores = session.recommend(history, exclude, k)
    np.testing.assert_array_equal(fewer, items[:, :k])
    np.testing.assert_array_equal(fewer_scores, scores[:, :k])


def test_the_batch_model_is_loaded_by_the_first_large_batch_only(bundle) -> None:
    session = open_session(bundle, bundle.variant("onnx-wi8"))
    history = np.ones((8, 3), np.int32)
    session.recommend(history[:7], history[:7], 3)
    assert session.loaded_entries == {"recommend"}
    session.recommend(history, history, 3)
    assert session.loaded_entries == {"recommend", "recommend_batch"}


def test_threads_share_a_recommender_and_its_lazy_models(bundle) -> None:
    recommender = Recommender.load(bundle, variant="onnx-wi8")
    keys = recommender.vocabulary.keys[1:]
    users = [keys[start : start + 5] for start in range(0, 60, 5)]
    fresh = Recommender.load(bundle, variant="onnx-wi8")
    expected = [recommender.recommend(user, 5) for user in users]
    scores = [recommender.score(user, keys[:9]) for user in users]
    batch = recommender.recommend_batch(users, 5)

    def ask(turn: int) -> bool:
        place = turn % len(users)
        return (
            fresh.recommend(users[place], 5) == expected[place]
            and np.array_equal(fresh.score(users[place], keys[:9]), scores[place])
            and fresh.recommend_batch(users, 5) == batch
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(96)))


def test_an_exclusion_of_everything_leaves_nothing(recommender) -> None:
    keys = recommender.vocabulary.keys[1:]
    assert list(recommender.recommend(keys[:3], 5, exclude=keys)) == []
    assert list(recommender.recommend([], 5, exclude=keys)) == []


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_an_impossible_k_is_refused_before_the_graph_sees_it(recommender, k: int) -> None:
    with pytest.raises(RequestError, match=rf"k is {k}, expected 1…"):
        recommender.recommend_batch([recommender.vocabulary.keys[1:3]], k)


def test_ids_that_are_no_items_change_nothing(session) -> None:
    plain = np.array([[1, 2, 3]], np.int32)
    odd = np.array([[-7, 10**6, 0, 1, 2, 3]], np.int32)
    nothing, none = np.empty((1, 0), np.int32), np.array([[-1, 0, 10**6]], np.int32)
    assert session.recommend(odd, none, 5)[0].tolist() == session.recommend(plain, nothing, 5)[0].tolist()


def test_a_batch_of_nobody_has_no_answers(session) -> None:
    nobody = np.empty((0, 4), np.int32)
    assert session.recommend(nobody, nobody, 3)[0].shape == (0, 3)
    assert session.score(nobody, nobody).shape == (0, 4)
