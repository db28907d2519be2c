"""Windows and batches."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.log.interactions import Histories
from sasrec_train.training.batches import Batch, Batches
from sasrec_train.training.windows import cut, pack

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
        assert all(batch.targets.any() for batch in epoch)
        positions = sum(np.count_nonzero(batch.targets) for batch in epoch)
        assert positions == pytest.approx(batches.positions_per_batch * len(batches))


def test_long_histories_are_cut_at_another_place_each_epoch():
    starts = {tuple(cut(HISTORIES, 3, "all", np.random.default_rng(seed)).starts) for seed in range(50)}
    assert len(starts) == 3


def test_last_windows_keep_the_newest_items():
    windows = cut(HISTORIES, 3, "last", np.random.default_rng(0))
    pieces = [HISTORIES.item_ids[start:end].tolist() for start, end in zip(windows.starts, windows.ends, strict=True)]
    assert pieces == [[4, 5, 6, 7], [9, 1], [2, 4, 6, 8]]


def windows_of(batch: Batch) -> set[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Return history, targets and positions of every window that lies in a batch."""
    found = set()
    for row in range(len(batch.history)):
        for segment in set(batch.segments[row].tolist()) - {0}:
            (place,) = np.nonzero(batch.segments[row] == segment)
            assert (np.diff(place) == 1).all()  # a window is not torn
            arrays = (batch.history, batch.targets, batch.positions)
            found.add(tuple(tuple(array[row, place].tolist()) for array in arrays))
    return found


def test_windows_lie_side_by_side_with_the_positions_they_have_when_left_padded():
    histories = Histories.from_lists([[9, 1, 2], [3, 4], [5, 6, 7, 8, 9]])
    (batch,) = Batches(histories, n_items=9, max_len=4, batch_size=3).epoch(0)
    assert batch.history.shape == (2, 4)
    assert windows_of(batch) == {
        ((9, 1), (1, 2), (2, 3)),
        ((3,), (4,), (3,)),
        ((5, 6, 7, 8), (6, 7, 8, 9), (0, 1, 2, 3)),
    }
    assert {array.dtype for array in batch.arrays} == {np.dtype(np.int32)}
    assert batch.negatives.shape == (0,)


def test_a_batch_lists_the_ids_it_reads():
    batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=9, num_negatives=4, negatives="step")
    (batch,) = batches.epoch(0)
    read = {*batch.history.ravel(), *batch.targets.ravel(), *batch.negatives}
    assert batch.item_ids.tolist() == sorted(read)


def test_without_a_causal_mask_only_the_newest_position_is_trained():
    batches = Batches(HISTORIES, n_items=9, max_len=8, batch_size=3, newest_only=True)
    (batch,) = batches.epoch(0)
    assert sorted(batch.targets[batch.positions == 7].tolist()) == [1, 7, 8]
    assert np.count_nonzero(batch.targets) == 3
    assert batches.positions_per_batch == 3


@pytest.mark.parametrize("windows", ["all", "last"])
def test_own_negatives_stand_at_trained_positions_and_are_never_in_the_history(windows):
    batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=2, windows=windows, num_negatives=5)
    for batch in batches.epoch(0):
        assert batch.negatives.shape == (*batch.targets.shape, 5)
        for history, target, negatives in zip(
            batch.history.ravel(), batch.targets.ravel(), batch.negatives.reshape(-1, 5), strict=True
        ):
            assert ((negatives > 0) == (target > 0)).all()
            owners = [set(items) for items in LISTS if target and (history, target) in itertools.pairwise(items)]
            assert not owners or any(not owner & set(negatives.tolist()) for owner in owners)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.integers(1, 12), st.integers(1, 60))
def test_batches_of_positions_are_alike_and_none_is_empty(lengths, max_len, batch_size):
    histories = Histories.from_lists([[1] * length for length in lengths])
    batches = Batches(histories, n_items=1, max_len=max_len, batch_size=batch_size, batch_unit="positions")
    sizes = [np.count_nonzero(batch.targets) for batch in batches.epoch(0)]
    assert len(sizes) == len(batches)
    assert all(0 < size <= max(batch_size, max_len) + 2 * max_len for size in sizes)


@given(st.lists(st.integers(1, 9), max_size=80), st.integers(1, 3), st.integers(9, 20))
def test_packed_windows_never_overlap_and_need_few_rows(lengths, groups, width):
    length = np.array(lengths, np.int64)
    group = np.sort(np.arange(length.size) % groups)
    rows, columns = pack(length, group, width)
    assert (columns + length <= width).all()
    for g in range(groups):
        cells = Counter(
            (int(row), int(column) + i)
            for row, column, size in zip(rows[group == g], columns[group == g], length[group == g], strict=True)
            for i in range(size)
        )
        assert max(cells.values(), default=1) == 1
        needed = -(-int(length[group == g].sum()) // width)
        assert len(set(rows[group == g].tolist())) <= 2 * needed  # first-fit: two rows never fit into one


def test_an_epoch_can_be_entered_in_the_middle():
    batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=1, num_negatives=2, negatives="step")
    everything = [batch.arrays for batch in batches.epoch(3)]
    rest = [batch.arrays for batch in batches.epoch(3, start=2)]
    assert len(everything) == len(rest) + 2
    for ours, theirs in zip(rest, everything[2:], strict=True):
        assert all(map(np.array_equal, ours, theirs))


def test_workers_share_the_rows_and_read_the_same_ids():
    histories = Histories.from_lists([[1, 2, 3, 4, 5]] * 5)
    (batch,) = Batches(histories, n_items=9, max_len=4, batch_size=5, num_negatives=2).epoch(0)
    shares = [batch.share(rank, 2) for rank in range(2)]
    assert [len(share.history) for share in shares] == [3, 2]
    assert sorted(row.tobytes() for share in shares for row in share.negatives) == sorted(
        row.tobytes() for row in batch.negatives
    )
    assert all(share.item_ids is batch.item_ids for share in shares)


def test_batches_follow_seed_and_epoch():
    def first(seed: int, epoch: int) -> list[list[int]]:
        batches = Batches(HISTORIES, n_items=12, max_len=3, batch_size=9, num_negatives=3, seed=seed)
        (batch,) = batches.epoch(epoch)
        return [*batch.history.tolist(), *batch.negatives.ravel().tolist()]

    assert first(0, 0) == first(0, 0)
    assert first(0, 0) != first(0, 1)
    assert first(0, 0) != first(1, 0)
