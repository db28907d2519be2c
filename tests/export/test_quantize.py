"""The int8 item table: rounding, and what the files hold of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sasrec_export.quantize import quantize_rows

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
