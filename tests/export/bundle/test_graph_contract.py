"""The graph contract, promise by promise, on every backend."""

import numpy as np
import pytest

from export.conftest import MAX_LEN, K

pytestmark = pytest.mark.tf


def assert_same_ranking(scorer, ours, theirs) -> None:
    """Scores agree rank by rank within the stated tolerance; ids too, outside near-ties."""
    (items, scores), (other_items, other_scores) = ours, theirs
    np.testing.assert_allclose(scores, other_scores, rtol=0, atol=scorer.repeat_atol)
    differs = items != other_items
    for row, rank in zip(*np.nonzero(differs), strict=True):
        (found,) = np.nonzero(other_items[row] == items[row, rank])
        neighbour = other_scores[row, found[0]] if found.size else other_scores[row, -1]
        assert abs(neighbour - other_scores[row, rank]) <= 2 * scorer.repeat_atol


def test_scores_agree_with_keras_on_the_table_that_the_variant_holds(scorer, trained, histories) -> None:
    everything = np.tile(np.arange(1, scorer.n_items + 1, dtype=np.int32), (len(histories), 1))
    ours = scorer.score(histories, everything)
    user = np.asarray(trained.encode(scorer.table[histories], (histories > 0).astype(np.int32)))
    np.testing.assert_allclose(ours, (user @ scorer.table.T)[:, 1:], rtol=0, atol=max(1e-5, scorer.atol))


def test_recommended_scores_are_those_of_the_score_entry(scorer, histories, no_exclusion) -> None:
    items, scores = scorer.recommend(histories, no_exclusion(32), 10)
    np.testing.assert_allclose(scores, scorer.score(histories, items), rtol=0, atol=max(1e-5, scorer.atol))


def test_a_trimmed_history_answers_as_a_padded_one(scorer, histories, no_exclusion) -> None:
    for length in (1, 5, MAX_LEN):
        row = histories[length - 1 : length]
        trimmed = scorer.recommend(row[:, -length:], no_exclusion(1), 10)
        assert_same_ranking(scorer, trimmed, scorer.recommend(row, no_exclusion(1), 10))


def test_items_older_than_max_len_change_nothing(scorer, histories, no_exclusion) -> None:
    full = histories[MAX_LEN - 1 : MAX_LEN]
    older = np.concatenate([np.array([[3, 9, 4]], np.int32), full], axis=1)
    assert_same_ranking(
        scorer, scorer.recommend(older, no_exclusion(1), 10), scorer.recommend(full, no_exclusion(1), 10)
    )


@pytest.mark.parametrize("stranger", [-1, -(2**31), 1_000_000, 2**31 - 1])
def test_ids_outside_the_catalogue_count_as_padding(scorer, histories, no_exclusion, stranger) -> None:
    with_stranger, with_pad = histories.copy(), histories.copy()
    with_stranger[:, -2], with_pad[:, -2] = stranger, 0
    assert_same_ranking(
        scorer,
        scorer.recommend(with_stranger, no_exclusion(32), 10),
        scorer.recommend(with_pad, no_exclusion(32), 10),
    )


def test_the_first_id_past_the_catalogue_counts_as_padding(scorer, histories, no_exclusion) -> None:
    past, pad = histories.copy(), histories.copy()
    past[:, -1], pad[:, -1] = scorer.n_items + 1, 0
    assert_same_ranking(
        scorer, scorer.recommend(past, no_exclusion(32), 10), scorer.recommend(pad, no_exclusion(32), 10)
    )


def test_excluded_items_and_padding_are_never_returned(scorer, histories) -> None:
    exclude = np.concatenate([histories, histories, np.full((32, 2), scorer.n_items, np.int32)], axis=1)
    items, _ = scorer.recommend(histories, exclude, 50)
    assert (items >= 1).all()
    assert not (items[:, :, None] == exclude[:, None, :]).any()


def test_excluding_what_is_no_item_changes_nothing(scorer, histories, no_exclusion) -> None:
    strangers = np.tile(np.array([[-7, 0, scorer.n_items + 1, 2**31 - 1]], np.int32), (32, 1))
    plain = scorer.recommend(histories, no_exclusion(32), 10)
    assert_same_ranking(scorer, scorer.recommend(histories, strangers, 10), plain)


def test_a_place_no_item_can_take_holds_padding(scorer, histories) -> None:
    all_but_two = np.arange(1, scorer.n_items - 1, dtype=np.int32)[None]
    items, scores = scorer.recommend(histories[:1], all_but_two, 4)
    assert set(items[0, :2]) == {scorer.n_items - 1, scorer.n_items}
    assert (items[0, 2:] == 0).all()
    assert (scores[0, 2:] < -1e8).all()


@pytest.mark.parametrize("k", [1, 10, K])
def test_a_shorter_list_is_the_start_of_a_longer_one(scorer, histories, no_exclusion, k) -> None:
    items, scores = scorer.recommend(histories[:8], no_exclusion(8), k)
    long_items, long_scores = scorer.recommend(histories[:8], no_exclusion(8), K)
    assert items.shape == scores.shape == (8, k)
    np.testing.assert_array_equal(items, long_items[:, :k])
    np.testing.assert_array_equal(scores, long_scores[:, :k])


def test_scores_fall_along_the_list_and_no_item_comes_twice(scorer, histories, no_exclusion) -> None:
    items, scores = scorer.recommend(histories, no_exclusion(32), K)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == K for row in items.tolist())


def test_a_batch_of_32_answers_as_32_single_calls(scorer, histories, no_exclusion) -> None:
    singles = [scorer.recommend(row[None], no_exclusion(1), 10) for row in histories]
    joined = tuple(np.concatenate([single[i] for single in singles]) for i in range(2))
    assert_same_ranking(scorer, scorer.recommend(histories, no_exclusion(32), 10), joined)


def test_a_history_of_padding_alone_has_finite_answers(scorer, no_exclusion) -> None:
    items, scores = scorer.recommend(np.zeros((2, MAX_LEN), np.int32), no_exclusion(2), 10)
    assert np.isfinite(scores).all()
    assert (items >= 1).all()


def test_what_is_no_item_scores_minus_infinity_or_the_lowest_float(scorer, histories) -> None:
    strangers = np.tile(np.array([[0, -3, scorer.n_items + 1]], np.int32), (32, 1))
    assert (scorer.score(histories, strangers) <= np.finfo(np.float32).min).all()  # XNNPACK clamps infinities


def test_dtypes_are_those_of_the_contract(scorer, histories, no_exclusion) -> None:
    items, scores = scorer.recommend(histories, no_exclusion(32), 10)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert scorer.score(histories, items).dtype == np.float32
