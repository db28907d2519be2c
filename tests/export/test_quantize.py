"""The int8 item table: rounding, and what the files hold of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sasrec_export.quantize import quantize_for_users, quantize_rows
from sasrec_export.stretch import quantize_stretched

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
def test_rounding_for_users_stays_in_range(table, levels, seed) -> None:
    users = np.random.default_rng(seed).normal(size=(30, table.shape[1]))
    quantized = quantize_for_users(table, users.T @ users / 30, levels)
    assert np.abs(quantized.values.astype(int)).max() <= levels
    assert (quantized.scales > 0).all()
    assert not quantized.values[~table.any(axis=1)].any()


@given(LEVELS, st.integers(0, 99))
def test_rounding_for_users_costs_their_scores_less_than_the_nearest(levels, seed) -> None:
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(200, 16)).astype(np.float32)
    directions, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    users = (rng.normal(size=(500, 16)) * np.geomspace(4, 0.05, 16)) @ directions
    moment = users.T @ users / len(users)

    def cost(quantized) -> float:
        error = quantized.dequantize() - table
        return float(((error @ moment) * error).sum())

    assert cost(quantize_for_users(table, moment, levels)) < 0.8 * cost(quantize_rows(table, levels))


def test_without_users_rounding_is_to_the_nearest() -> None:
    table = np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)
    rounded = quantize_for_users(table, np.zeros((5, 5)))
    np.testing.assert_array_equal(rounded.values, quantize_rows(table).values)


def test_rows_do_not_depend_on_the_rows_they_are_rounded_with() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, 8)).astype(np.float32)
    users = rng.normal(size=(90, 8))
    whole = quantize_for_users(table, users.T @ users, 7)
    part = quantize_for_users(table[10:20], users.T @ users, 7)
    np.testing.assert_array_equal(whole.values[10:20], part.values)


def top_lists_kept(table, users, quantized) -> float:
    """Share of each user's ten best items that stay when the table and the user vectors are rounded."""
    asked = users / quantized.stretch
    step = np.abs(asked).max(axis=1, keepdims=True) / 127
    rounded = np.rint(asked / step) * step @ (quantized.dequantize() * quantized.stretch).T
    exact, ours = (np.argsort(-scores, axis=1)[:, :10] for scores in (users @ table.T, rounded))
    return (exact[:, :, None] == ours[:, None, :]).any(axis=2).mean()


def test_stretching_keeps_more_of_the_top_lists_of_uneven_users() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(3000, 32)).astype(np.float32)
    users = (rng.normal(size=(300, 32)) * np.geomspace(30, 0.3, 32)).astype(np.float32)
    moment = users.T.astype(np.float64) @ users / len(users)
    stretched = quantize_stretched(table, users, 127)
    assert (stretched.stretch != 1).any()
    plain = quantize_for_users(table, moment, 127)
    lost, lost_plain = (1 - top_lists_kept(table, users, quantized) for quantized in (stretched, plain))
    assert lost < 0.8 * lost_plain


@given(TABLES, st.integers(0, 9))
def test_a_stretched_table_holds_what_a_plain_one_would(table, seed) -> None:
    users = np.random.default_rng(seed).normal(size=(20, table.shape[1])).astype(np.float32)
    quantized = quantize_stretched(table, users, 127)
    assert (quantized.stretch > 0).all()
    coarse = quantized.scales[:, None] / quantized.stretch
    assert (np.abs(quantized.dequantize() - table) <= 64 * coarse).all()
    assert not quantized.values[~table.any(axis=1)].any()
