"""The int8 item table: rounding, and what the files hold of it."""

from unittest import mock

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sasrec_export.table import gptq
from sasrec_export.table.gptq import quantize_for_scores, quantize_rows

TABLES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 20), st.integers(1, 9)),
    elements=st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-30),
)


@given(TABLES)
def test_rounding_is_at_most_half_a_step(table) -> None:
    quantized = quantize_rows(table)
    error = np.abs(table.astype(np.float64) - quantized.values * quantized.scales.astype(np.float64)[:, None])
    assert (error <= quantized.scales[:, None] * (0.5 + 1e-4)).all()


@given(TABLES)
def test_values_stay_in_the_narrow_range(table) -> None:
    values = quantize_rows(table).values
    assert values.dtype == np.int8
    assert values.min() >= -127


@given(TABLES)
def test_the_largest_entry_of_a_row_uses_the_whole_range(table) -> None:
    values = quantize_rows(table).values
    used = np.abs(table).max(axis=1) > 0
    assert (np.abs(values[used].astype(int)).max(axis=1, initial=127) == 127).all()


def test_a_zero_row_stays_exactly_zero() -> None:
    quantized = quantize_rows(np.array([[0, 0], [1, -2]], np.float32))
    # 1 / (2 / 127) = 63.5, which rounds to the even 64.
    np.testing.assert_array_equal(quantized.values, [[0, 0], [64, -127]])
    np.testing.assert_array_equal(quantized.dequantize()[0], [0, 0])


LEVELS = st.sampled_from([127, 7])


@given(TABLES, LEVELS, st.integers(0, 9))
def test_rounding_for_scores_stays_in_range(table, levels, seed) -> None:
    users = np.random.default_rng(seed).normal(size=(30, table.shape[1]))
    quantized = quantize_for_scores(table, users.T @ users / 30, levels)
    assert np.abs(quantized.values.astype(int)).max() <= levels
    assert (quantized.scales > 0).all()
    assert not quantized.values[~table.any(axis=1)].any()


@given(LEVELS, st.integers(0, 99))
def test_rounding_for_scores_costs_them_less_than_the_nearest(levels, seed) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(200, 16)).astype(np.float32)
    directions, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    users = (rng.normal(size=(500, 16)) * np.geomspace(4, 0.05, 16)) @ directions
    moment = users.T @ users / len(users)

    def cost(quantized) -> float:
        error = quantized.dequantize() - table
        return float(((error @ moment) * error).sum())

    assert cost(quantize_for_scores(table, moment, levels)) < 0.8 * cost(quantize_rows(table, levels))


def test_without_a_cost_rounding_is_to_the_nearest() -> None:
    table = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    rounded = quantize_for_scores(table, np.zeros((5, 5)))
    np.testing.assert_array_equal(rounded.values, quantize_rows(table).values)


def test_rows_do_not_depend_on_the_rows_they_are_rounded_with() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 8)).astype(np.float32)
    users = rng.normal(size=(90, 8))
    whole = quantize_for_scores(table, users.T @ users, 7)
    part = quantize_for_scores(table[10:20], users.T @ users, 7)
    np.testing.assert_array_equal(whole.values[10:20], part.values)


@given(LEVELS, st.integers(0, 99))
def test_looking_at_entries_again_never_costs_a_row_more(levels, seed) -> None:
    rng = np.random.default_rng(seed)
    table, root = rng.normal(size=(20, 6)).astype(np.float32), rng.normal(size=(9, 6))
    cost = root.T @ root + np.eye(6)
    damped = cost + gptq.DAMPING * np.trace(cost) / 6 * np.eye(6)
    before = None
    for sweeps in (0, 1, 3, 9):
        with (
            mock.patch.object(gptq, "_sweeps", return_value=sweeps),
            mock.patch.object(gptq, "_clipping_ratios", return_value=(0.9,)),
        ):
            error = quantize_for_scores(table, cost, levels).dequantize() - table
        costs = ((error @ damped) * error).sum(axis=1)
        assert before is None or (costs <= before * (1 + 1e-4)).all()
        before = costs


def test_a_large_table_takes_the_scale_that_is_best_on_a_sample(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    table, users = rng.normal(size=(300, 8)).astype(np.float32), rng.normal(size=(90, 8))
    each = quantize_for_scores(table, users.T @ users, 7)
    monkeypatch.setattr(gptq, "MAX_ROWS_TIMES_RATIOS", 1)
    all_alike = quantize_for_scores(table, users.T @ users, 7)

    def cost(quantized) -> float:
        return float(np.square((quantized.dequantize() - table) @ users.T).sum())

    assert cost(each) < cost(all_alike) < 1.3 * cost(each)
