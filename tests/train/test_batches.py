"""Windows and batches."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.batches import Batches, cut
from sasrec_train.interactions import Histories

LISTS = [[1, 2, 3, 4, 5, 6, 7], [8], [], [9, 1], [2, 4, 6, 8]]
HISTORIES = Histories.from_lists(LISTS)


def transitions(histories: list[list[int]]) -> Counter:
    """Count (user, place of the target) pairs."""
    return Counter((user, place) for user, history in enumerate(histories) for place in range(1, len(history)))


@given(
    st.lists(st.lists(st.integers(1, 9), max_size=30), min_size=1, max_size=6), st.integers(1, 8), st.integers(0, 99)
)
def test_all_windows_cover_every_transition_exactly_once(histories, max_len, seed):
    flat = Histories.from_lists(histories)
    windows = cut(flat, max_len, "all", np.random.default_rng(seed))
    covered: Counter = Counter()
    for user, start, end in zip(windows.users, windows.starts, windows.ends, strict=True):
        assert 1 <= end - start - 1 <= max_len
        covered.update((int(user), int(place - flat.offsets[user])) for place in range(start + 1, end))
    assert covered == transitions(histories)


@given(st.lists(st.lists(st.integers(1, 9), max_size=30), min_size=1, max_size=6), st.integers(1, 8), st.integers(1, 4))
def test_an_epoch_has_the_promised_number_of_batches_and_positions(histories, max_len, batch_size):
    batches = Batches(Histories.from_lists(histories), n_items=9, max_len=max_len, batch_size=batch_size)
    for number in range(3):
        epoch = list(batches.epoch(number))
        assert len(epoch) == len(batches)
        assert all(1 <= len(batch.history) <= max(2, batch_size) for batch in epoch)
        positions = sum(np.count_nonzero(batch.targets) for batch in epoch)
        assert positions == pytest.approx(batches.positions_per_batch * len(batches))


def test_long_histories_are_cut_at_another_place_each_epoch():
    starts = {tuple(cut(HISTORIES, 3, "all", np.random.default_rng(seed)).starts) for seed in range(50)}
    assert len(starts) == 3


def test_last_windows_keep_the_newest_items():
    windows = cut(HISTORIES, 3, "last", np.random.default_rng(0))
    pieces = [HISTORIES.item_ids[start:end].tolist() for start, end in zip(windows.starts, windows.ends, strict=True)]
    assert pieces == [[4, 5, 6, 7], [9, 1], [2, 4, 6, 8]]


def test_batches_are_padded_on_the_left_and_targets_follow_the_history():
    (batch,) = Batches(Histories.from_lists([[9, 1, 2], [3, 4]]), n_items=9, max_len=4, batch_size=2).epoch(0)
    rows = {
        tuple(history): tuple(target)
        for history, target in zip(batch.history.tolist(), batch.targets.tolist(), strict=True)
    }
    assert rows == {(0, 0, 9, 1): (0, 0, 1, 2), (0, 0, 0, 3): (0, 0, 0, 4)}
    assert batch.history.dtype == batch.targets.dtype == np.int32
    assert batch.negatives.shape == (2, 4, 0)


def test_without_a_causal_mask_only_the_newest_position_is_trained():
    batches = Batches(HISTORIES, n_items=9, max_len=8, batch_size=3, newest_only=True)
    (batch,) = batches.epoch(0)
    assert sorted(batch.targets[:, -1].tolist()) == [1, 7, 8]
    assert not batch.targets[:, :-1].any()
    assert batches.positions_per_batch == 3


@pytest.mark.parametrize("windows", ["all", "last"])
def test_negatives_stand_at_trained_positions_and_are_never_in_the_history(windows):
    batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=2, windows=windows, num_negatives=5)
    for batch in batches.epoch(0):
        for history, targets, negatives in zip(batch.history, batch.targets, batch.negatives, strict=True):
            owner = next(set(items) for items in LISTS if {*history, *targets} - {0} <= set(items))
            assert ((negatives > 0) == (targets > 0)[:, None]).all()
            assert not owner & set(negatives.ravel().tolist())


def test_short_windows_make_narrow_batches():
    histories = Histories.from_lists([[1, 2, 3]] * 4 + [list(range(1, 42))] * 4)
    batches = Batches(histories, n_items=50, max_len=50, batch_size=4)
    assert sorted(batch.history.shape for batch in batches.epoch(0)) == [(4, 8), (4, 40)]


def test_batches_follow_seed_and_epoch():
    def first(seed: int, epoch: int) -> list[list[int]]:
        batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=9, num_negatives=3, seed=seed)
        (batch,) = batches.epoch(epoch)
        return [*batch.history.tolist(), *batch.negatives.ravel().tolist()]

    assert first(0, 0) == first(0, 0)
    assert first(0, 0) != first(0, 1)
    assert first(0, 0) != first(1, 0)
