"""Ranks and lists against a naive reference, whatever the tiles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sasrec_train.evaluation import ranking, scorers
from sasrec_train.log.interactions import Histories
from sasrec_train.negatives import Negatives
from sasrec_train.split import HeldOut

FEW_VALUES = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0, np.inf, np.nan])  # so that there are ties


@pytest.fixture(autouse=True, params=[1, 2, 5, 4096], ids=lambda items: f"tiles of {items}")
def tile(request, monkeypatch) -> int:
    monkeypatch.setattr(ranking, "TILE_ITEMS", request.param)
    return request.param


@st.composite
def cases(draw) -> tuple[np.ndarray, HeldOut]:
    """Scores (H, V), and who is held out."""
    users, n_items = draw(st.integers(1, 5)), draw(st.integers(2, 12))
    scores = draw(arrays.arrays(np.float32, (users, n_items + 1), elements=FEW_VALUES.map(np.float32)))
    ids = st.integers(1, n_items)
    histories = draw(st.lists(st.lists(ids, max_size=6), min_size=users, max_size=users))
    targets = draw(st.lists(ids, min_size=users, max_size=users))
    return scores, HeldOut(np.arange(users), Histories.from_lists(histories), np.array(targets, np.int32))


def tiled(scores: np.ndarray) -> scorers.TiledScorer:
    return scorers.TiledScorer(scores.shape[1], lambda rows, ids, out: np.copyto(out, scores[rows][:, ids]))


def naive_rank(scores: np.ndarray, target: int, rivals: set[int]) -> int:
    return sum(not scores[item] < scores[target] for item in rivals - {target})


@given(cases(), st.booleans(), st.booleans())
def test_full_ranks_agree_with_a_naive_reference(case, keep_seen, in_tiles):
    scores, held = case
    n_items = scores.shape[1] - 1
    scorer = tiled(scores) if in_tiles else lambda rows: scores[rows]
    found = ranking.rank(scorer, held, n_items=n_items, keep_seen=keep_seen, num_negatives=0)
    for row, target in enumerate(held.targets.tolist()):
        seen = set() if keep_seen else set(held.histories[row].tolist())
        naive = naive_rank(scores[row], target, set(range(1, n_items + 1)) - seen)
        assert found.full[row] == (n_items if target in seen else naive)


@given(cases(), st.integers(1, 4))
def test_sampled_ranks_agree_with_a_naive_reference(case, num_negatives):
    scores, held = case
    n_items = scores.shape[1] - 1
    found = ranking.rank(tiled(scores), held, n_items=n_items, num_negatives=num_negatives)
    outside = Negatives(held.histories.append(held.targets), n_items)
    users = np.arange(len(held.targets))
    negatives = outside.sample_distinct(np.random.default_rng(0), users, num_negatives)
    for row, target in enumerate(held.targets.tolist()):
        assert found.sampled[row] == naive_rank(scores[row], target, set(negatives[row].tolist()) - {0})


@given(cases(), st.booleans(), st.integers(1, 4))
def test_lists_are_the_start_of_a_full_sort(case, keep_seen, length):
    scores, held = case
    found = ranking.rank(
        tiled(scores), held, n_items=scores.shape[1] - 1, keep_seen=keep_seen, num_negatives=0, list_length=length
    )
    for row in range(len(held.targets)):
        seen = {0} | (set() if keep_seen else set(held.histories[row].tolist()))
        listed = [item for item in range(scores.shape[1]) if item not in seen and scores[row, item] > -np.inf]
        listed.sort(key=lambda item: (-scores[row, item], item))
        assert found.lists[row].tolist() == (listed + [0] * length)[:length]


def test_tiles_give_the_ranks_of_the_whole_matrix(tile):
    rng = np.random.default_rng(0)
    users, n_items = 12, 97
    vectors, items = (rng.integers(-3, 4, (rows, 8)).astype(np.float32) for rows in (users, n_items + 1))
    histories = Histories.from_lists(rng.integers(1, n_items + 1, (users, 9)))
    held = HeldOut(np.arange(users), histories, rng.integers(1, n_items + 1, users).astype(np.int32))
    scorer = scorers.vector_scorer(vectors, items)  # small integers: every product is exact
    options = {"n_items": n_items, "list_length": 10}
    in_tiles, whole = (ranking.rank(scored, held, **options) for scored in (scorer, scorer.__call__))
    assert in_tiles.full.tolist() == whole.full.tolist()
    assert in_tiles.sampled.tolist() == whole.sampled.tolist()
    assert in_tiles.lists.tolist() == whole.lists.tolist()
