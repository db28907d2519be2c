"""What a bundle shows of histories was nobody's."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec_export.bundle import goldens
from sasrec_export.bundle.golden_histories import REVEALING_ITEMS, HistorySampler, reveals_a_history
from sasrec_train.log.interactions import Histories

POPULAR = np.array([1, 2, 3], np.int32)


def made_up(*logs: list[list[int]], n_items: int, max_len: int = 4, seed: int = 0) -> HistorySampler:
    real = [Histories.from_lists(log) for log in logs]
    return HistorySampler(real, POPULAR[:n_items], n_items, max_len, np.random.default_rng(seed))


def stands_in(run: Sequence[int], history: Sequence[int]) -> bool:
    """Whether a history holds the run, item after item; slow and plain."""
    return any(list(history[at : at + len(run)]) == list(run) for at in range(len(history) - len(run) + 1))


@pytest.mark.parametrize(
    ("item_ids", "found"),
    [
        ([4, 5, 6, 7], True),  # is one
        ([5, 6, 7], True),  # the end of one
        ([4, 5, 6], True),  # the beginning
        ([9, 9, 4, 5, 6, 7], True),  # sees the same in its window
        ([1, 8, 8, 8], True),  # ends with the whole of another
        ([6, 7, 8], False),  # only where one history ends and the next begins
        ([4, 5, 7], False),
        ([5, 6], False),  # tells of nobody
    ],
)
def test_a_history_reveals_a_history_where_it_gives_one_away(item_ids: list[int], found: bool) -> None:
    real = [Histories.from_lists([[4, 5, 6, 7], [], [8, 8, 8]])]
    assert reveals_a_history(item_ids, real, max_len=4) is found


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), users=st.integers(1, 6), length=st.integers(1, 8), max_len=st.integers(1, 6))
def test_it_is_what_plain_lists_say(seed: int, users: int, length: int, max_len: int) -> None:
    rng = np.random.default_rng(seed)
    log = [rng.integers(1, 4, rng.integers(0, 9)).tolist() for _ in range(users)]
    item_ids = rng.integers(1, 4, length).tolist()
    newest = item_ids[-max(max_len, REVEALING_ITEMS) :]
    telling = len(item_ids) >= REVEALING_ITEMS
    window = telling and any(stands_in(newest, history) for history in log)
    whole = telling and any(
        len(history) >= REVEALING_ITEMS and item_ids[-len(history) :] == history for history in log if history
    )
    assert reveals_a_history(item_ids, [Histories.from_lists(log)], max_len=max_len) is (window or whole)


def test_the_one_history_that_nobody_had_is_found() -> None:
    everybody = [list(items) for items in itertools.product((1, 2, 3), repeat=4)]
    everybody.remove([3, 1, 2, 3])
    drawing = made_up(everybody, n_items=3)
    naive = [drawing._repeating(4, 0.5) for _ in range(20)]
    assert any(history in everybody for history in naive)
    found = [made_up(everybody, n_items=3, seed=seed).history(4, repeats=True) for seed in range(5)]
    assert [3, 1, 2, 3] in found
    assert all(history in (None, [3, 1, 2, 3]) for history in found)


def test_a_kind_of_which_all_are_somebodys_is_left_out_and_the_rest_is_not() -> None:
    everybody = Histories.from_lists(itertools.product((1, 2, 3), repeat=4))
    requests = goldens.draw([everybody], n_items=3, max_len=4, popular=[1, 2, 3])
    assert {len(request.history_ids) for request in requests} == {1, 2}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n_items=st.integers(5, 9), max_len=st.integers(1, 8))
def test_no_golden_history_of_more_than_three_items_is_a_real_users(seed: int, n_items: int, max_len: int) -> None:
    # So many short histories of so few items that every third draw or so is somebody's.
    rng = np.random.default_rng(seed)
    log = [rng.integers(1, n_items + 1, rng.integers(1, 9)).tolist() for _ in range(400)]
    parts = [[history[:-1] for history in log], [history[:-2] for history in log]]
    real = [Histories.from_lists(part) for part in (log, *parts)]
    for request in goldens.draw(real, n_items=n_items, max_len=max_len, popular=[1, 2], seed=seed):
        drawn = request.history_ids
        if len(drawn) > REVEALING_ITEMS:
            seen = drawn[-max(max_len, REVEALING_ITEMS) :]
            assert not any(stands_in(seen, history) for history in log)
            for history in itertools.chain(log, *parts):
                assert len(history) < REVEALING_ITEMS or drawn[-len(history) :] != history


@pytest.fixture
def requests() -> list[goldens.Request]:
    rng = np.random.default_rng(1)
    log = Histories.from_lists([rng.integers(1, 501, length) for length in rng.integers(3, 80, 200)])
    return goldens.draw([log], n_items=500, max_len=20, popular=range(1, 101), seed=7)


def test_the_goldens_have_a_history_of_every_length_class(requests: list[goldens.Request]) -> None:
    lengths = {len(request.history_ids) for request in requests}
    assert {1, 2, 5, 10, 20, 21} <= lengths
    assert max(lengths) >= 2 * 20


def test_the_goldens_ask_for_one_item_ten_and_as_many_as_can_be(requests: list[goldens.Request]) -> None:
    assert {request.k for request in requests} == {1, 10, 100}


def test_the_goldens_exclude_nothing_the_history_one_item_and_many(requests: list[goldens.Request]) -> None:
    own = [request.exclude_ids == request.history_ids for request in requests]
    assert own[0]
    assert sum(own) >= len(requests) // 2 - 1
    assert {0, 1, 200} <= {len(request.exclude_ids) for request in requests}


def test_the_goldens_have_histories_with_and_without_repeated_items(requests: list[goldens.Request]) -> None:
    long = [request.history_ids for request in requests if len(request.history_ids) > 2]
    assert {len(set(history)) < len(history) for history in long} == {True, False}


def test_the_items_of_the_goldens_are_popular_and_rare(requests: list[goldens.Request]) -> None:
    drawn = np.concatenate([request.history_ids for request in requests])
    assert 0.4 < (drawn <= 100).mean() < 0.8
    assert max(requests[0].history_ids) <= 100  # the card's example


def test_no_candidate_stands_twice(requests: list[goldens.Request]) -> None:
    assert all(len(set(request.candidate_ids)) == len(request.candidate_ids) == 11 for request in requests)


def test_the_rows_of_one_batch_are_as_long_as_the_histories_of_the_log(requests: list[goldens.Request]) -> None:
    rows = [request for request in requests if request.name.startswith("batch row ")]
    assert [request.name for request in rows] == [f"batch row {row}" for row in range(1, 9)]
    assert len({len(request.history_ids) for request in rows}) >= 5
    assert {request.k for request in rows} == {10}


@settings(max_examples=40, deadline=None)
@given(n_items=st.integers(1, 12), max_len=st.integers(1, 6), seed=st.integers(0, 99))
def test_any_catalogue_has_goldens_with_ids_of_its_own(n_items: int, max_len: int, seed: int) -> None:
    log = Histories.from_lists([[1], [n_items, 1, n_items]])
    requests = goldens.draw([log], n_items=n_items, max_len=max_len, popular=[1], seed=seed)
    assert requests == goldens.draw([log], n_items=n_items, max_len=max_len, popular=[1], seed=seed)
    assert {1, 2} <= {len(request.history_ids) for request in requests}
    for request in requests:
        ids = request.history_ids + request.exclude_ids + request.candidate_ids
        assert 1 <= min(ids) <= max(ids) <= n_items
