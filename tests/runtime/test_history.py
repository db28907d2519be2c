"""The laws that stand in history.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_runtime import history

ids = st.lists(st.integers(1, 9), max_size=12)
lengths = st.integers(1, 8)


@given(ids, lengths)
def test_encode_keeps_the_newest_ids_and_only_pads_on_the_left(h: list[int], max_len: int) -> None:
    encoded = history.encode(h, max_len=max_len)
    kept = h[-max_len:]
    assert encoded.tolist() == [[0] * (max_len - len(kept)) + kept]
    assert encoded.dtype == np.int32


@given(ids, ids, lengths)
def test_older_ids_change_nothing(older: list[int], h: list[int], max_len: int) -> None:
    h = h + [1] * max(0, max_len - len(h))
    assert np.array_equal(history.encode(older + h, max_len=max_len), history.encode(h, max_len=max_len))


@given(ids, lengths, lengths)
def test_padding_twice_is_padding_once(h: list[int], m: int, n: int) -> None:
    assert np.array_equal(history.fit(history.encode(h, max_len=m), n), history.encode(h[-m:], max_len=n))


@given(st.lists(ids, max_size=4), lengths)
def test_each_row_of_a_batch_is_its_history(histories: list[list[int]], max_len: int) -> None:
    batch = history.encode_batch(histories, max_len=max_len)
    assert batch.shape[0] == len(histories)
    assert 1 <= batch.shape[1] <= max_len
    for row, h in zip(batch, histories, strict=True):
        assert np.array_equal(row[np.newaxis], history.encode(h, max_len=batch.shape[1]))


@pytest.mark.parametrize(("columns", "expected"), [(1, [[3]]), (3, [[1, 2, 3]]), (5, [[0, 0, 1, 2, 3]])])
def test_fit_pads_or_cuts_on_the_left(columns: int, expected: list[list[int]]) -> None:
    assert history.fit(np.array([[1, 2, 3]], np.int32), columns).tolist() == expected
