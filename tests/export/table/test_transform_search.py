"""Bases of the item table: they change no score, and rounding loses less in them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_export.table import transform as transforms
from sasrec_export.table.transform_search import TransformSearch, overlap

LEVELS = st.sampled_from([127, 7])


def some_transform(rng, width: int, *, diagonal: bool):
    moment = rng.uniform(0.01, 9, width) if diagonal else np.cov(rng.normal(size=(width, 4 * width)))
    return transforms.moment_power(moment if diagonal else np.atleast_2d(moment), rng.uniform(-0.5, 0.5))


BASES = st.tuples(st.integers(0, 999), st.integers(1, 12), st.booleans())


@given(BASES)
def test_a_transform_and_its_inverse_undo_each_other(drawn) -> None:
    seed, width, diagonal = drawn
    rng = np.random.default_rng(seed)
    transform = some_transform(rng, width, diagonal=diagonal)
    rows = rng.normal(size=(7, width)).astype(np.float32)
    there_and_back = transforms.apply(transforms.apply(rows, transforms.inverse(transform)), transform)
    np.testing.assert_allclose(there_and_back, rows, rtol=0, atol=1e-4)


@given(BASES)
def test_scores_are_the_same_under_any_transform(drawn) -> None:
    seed, width, diagonal = drawn
    rng = np.random.default_rng(seed)
    transform = some_transform(rng, width, diagonal=diagonal)
    users, rows = (rng.normal(size=(5, width)).astype(np.float32) for _ in range(2))
    coordinates = transforms.apply(rows, transforms.inverse(transform))
    np.testing.assert_allclose(transforms.apply(users, transform) @ coordinates.T, users @ rows.T, rtol=0, atol=1e-4)


@given(BASES)
def test_an_error_costs_the_same_under_any_transform(drawn) -> None:
    seed, width, diagonal = drawn
    rng = np.random.default_rng(seed)
    transform = some_transform(rng, width, diagonal=diagonal)
    root = rng.normal(size=(20, width))
    error = rng.normal(size=width)
    as_row = transforms.apply(error, transform)
    cost = root.T @ root
    np.testing.assert_allclose(
        error @ transforms.hessian_in(transform, cost) @ error, as_row @ cost @ as_row, rtol=1e-5
    )


@given(BASES)
def test_a_transform_is_exactly_symmetric(drawn) -> None:
    seed, width, _ = drawn
    transform = some_transform(np.random.default_rng(seed), width, diagonal=False)
    np.testing.assert_array_equal(transform, transform.T)


def test_a_direction_without_spread_is_not_blown_up() -> None:
    transform = transforms.moment_power(np.diag([1.0, 0.0]), -0.5)
    assert np.linalg.cond(transform) <= 20


def uneven(seed: int, *, ids: int = 3000, width: int = 16):
    """A table and histories of a model whose users are the mean of what they read, unevenly spread."""
    rng = np.random.default_rng(seed)
    directions, _ = np.linalg.qr(rng.normal(size=(width, width)))
    table = (rng.normal(size=(ids, width)) * np.geomspace(3, 0.2, width) @ directions).astype(np.float32)
    table[0] = 0
    histories = rng.integers(1, ids, (300, 12), dtype=np.int32)

    def users_of(table, histories):
        return table[histories].mean(axis=1) * np.geomspace(30, 0.3, width).astype(np.float32)

    return table, histories, users_of


def kept(table, histories, users_of, quantized) -> float:
    """Share of each user's ten best items that stay when the table and the user vectors are rounded."""
    asked = transforms.apply(users_of(quantized.dequantize(), histories), quantized.transform)
    step = np.abs(asked).max(axis=1, keepdims=True) / 127
    rounded = np.rint(asked / step) * step @ (quantized.values * quantized.scales[:, None]).T
    exact, ours = (np.argsort(-scores, axis=1)[:, :10] for scores in (users_of(table, histories) @ table.T, rounded))
    return overlap(exact, ours)


def search_of(table, histories, users_of) -> TransformSearch:
    users = users_of(table, histories)
    return TransformSearch(table, histories, users_of, (users.T @ users).astype(np.float64) / len(users))


@pytest.mark.parametrize(("way", "levels"), [("smoothed", 127), ("whitened", 7)])
def test_a_better_transform_keeps_more_of_the_top_lists(way: str, levels: int) -> None:
    from sasrec_export.table.gptq import quantize_for_scores

    case = uneven(0)
    users = case[2](case[0], case[1])
    plain = quantize_for_scores(case[0], (users.T @ users).astype(np.float64), levels)
    better = getattr(search_of(*case), way)(levels)
    assert 1 - kept(*case, better) < 0.8 * (1 - kept(*case, plain))


@pytest.mark.parametrize("way", ["smoothed", "whitened"])
@pytest.mark.parametrize("ids", [2, 3, 40])
def test_a_table_of_any_size_finds_a_transform(way: str, ids: int) -> None:
    table, histories, users_of = uneven(1, ids=ids)
    quantized = getattr(search_of(table, histories, users_of), way)(7)
    assert np.isfinite(quantized.dequantize()).all()
    assert not quantized.values[0].any()
    assert np.abs(quantized.values.astype(int)).max() <= 7
