"""Allowed sets: `among` gives the best of them, on each runtime and by either entry."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import tiny
from runtime.selection import brute_force
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import HistoryError, RequestError, SasrecError
from sasrec_runtime.recommendations import Item, Recommendations
from sasrec_runtime.recommender import Recommender
from sasrec_runtime.selection.allowed_set import AllowedSet

FROZEN = Path(__file__).parents[2] / "golden" / "bundle_v2"

both_entries = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # `entry` stays for all examples

keys = st.sampled_from(tiny.KEYS)
histories = st.lists(keys, min_size=1, max_size=9)
sets = st.lists(keys, min_size=1, max_size=9)
some = st.lists(keys, max_size=4)


def keys_of(answer: Recommendations) -> list[str]:
    return [item.key for item in answer]


@both_entries
@given(history=histories, among=sets, exclude=some, k=st.integers(1, 5), exclude_seen=st.booleans())
def test_the_answer_is_the_best_of_the_set(
    any_recommender: Recommender,
    entry: str,
    history: list[str],
    among: list[str],
    exclude: list[str],
    k: int,
    exclude_seen: bool,
) -> None:
    options = {"among": among, "exclude": exclude, "exclude_seen": exclude_seen}
    seen = any_recommender.recommend(history, k, **options)
    assert brute_force.pairs(seen) == brute_force.best(any_recommender, history, k, **options)


@both_entries
@given(history=histories, exclude=some, k=st.integers(1, 5))
def test_the_whole_catalogue_is_no_restriction(
    any_recommender: Recommender, entry: str, history: list[str], exclude: list[str], k: int
) -> None:
    plain = any_recommender.recommend(history, k, exclude=exclude)
    assert any_recommender.recommend(history, k, exclude=exclude, among=tiny.KEYS) == plain


@both_entries
@given(rows=st.lists(st.tuples(st.lists(keys, max_size=9), st.none() | sets), max_size=5), k=st.integers(1, 5))
def test_a_batch_answers_as_single_calls_do(
    any_recommender: Recommender, entry: str, rows: list[tuple[list[str], list[str] | None]], k: int
) -> None:
    singles = [any_recommender.recommend(history, k, among=among) for history, among in rows]
    among = [among for _, among in rows]
    assert any_recommender.recommend_batch([history for history, _ in rows], k, among=among) == singles


def test_one_set_holds_for_all_histories_of_a_batch(any_recommender: Recommender, entry: str) -> None:
    batch = [["apple"], [], ["figs", "dates"]] * 4
    singles = [any_recommender.recommend(history, 2, among={"bread", "dates", "eggs"}) for history in batch]
    assert any_recommender.recommend_batch(batch, 2, among={"bread", "dates", "eggs"}) == singles


def test_a_prepared_set_answers_as_its_keys_do(recommender: Recommender, entry: str) -> None:
    among = ["eggs", "bread", "eggs", "nothing", "figs"]
    prepared = AllowedSet.of(among, recommender)
    assert (len(prepared), repr(prepared)) == (3, "AllowedSet(3 of 7 items)")
    for call in (recommender.recommend, lambda keys, **options: recommender.recommend_batch([keys], **options)[0]):
        assert call(["apple"], k=3, among=prepared) == call(["apple"], k=3, among=among)


@pytest.mark.parametrize(
    "among", [{"eggs", "figs"}, ("figs", "eggs"), np.array(["eggs", "figs"]), {"figs": 1, "eggs": 2}.keys()]
)
def test_a_set_may_be_any_iterable_of_text(recommender: Recommender, among: Any) -> None:
    assert keys_of(recommender.recommend(["apple"], 3, among=among)) == ["eggs", "figs"]
    assert keys_of(recommender.recommend_batch([["apple"]], 3, among=among)[0]) == ["eggs", "figs"]


def test_keys_outside_the_vocabulary_are_ignored(recommender: Recommender) -> None:
    assert keys_of(recommender.recommend(["apple"], 3, among=["new", "figs", "newer"])) == ["figs"]


def test_nothing_remains_where_the_whole_set_is_excluded(any_recommender: Recommender, entry: str) -> None:
    answer = any_recommender.recommend(["apple", "bread"], 3, among=["apple", "figs"], exclude=["figs"])
    assert (list(answer), answer.is_fallback) == ([], False)


def test_newcomers_get_the_most_popular_of_the_set_and_then_the_others_by_id(recommender: Recommender) -> None:
    answer = recommender.recommend([], 4, among=["grapes", "eggs", "apple", "figs", "bread"], exclude=["apple"])
    assert list(answer) == [
        Item("bread", None, "Rye bread"),
        Item("eggs", None, "Ten eggs"),
        Item("figs", None, "Figs"),
        Item("grapes", None, None),
    ]
    assert answer.is_fallback


def test_newcomers_get_the_same_start_from_the_whole_catalogue(recommender: Recommender) -> None:
    plain = recommender.recommend([], 5)
    assert list(recommender.recommend([], 5, among=tiny.KEYS))[: len(plain)] == list(plain)


@pytest.mark.parametrize(
    ("among", "error", "message"),
    [
        ([], RequestError, r"^among is empty, expected at least one item key\. Leave it out"),
        (["x", "y"], RequestError, r"^among holds 'x' and none of its keys is among the 7 items"),
        ("figs", HistoryError, r"^among is the single text 'figs'"),
        ([50], HistoryError, r"^among\[0\] is 50 \(int\), expected text"),
        (5, HistoryError, r"^among is 5, expected a sequence of item keys"),
    ],
)
def test_what_is_not_a_set_is_refused(
    recommender: Recommender, among: Any, error: type[SasrecError], message: str
) -> None:
    with pytest.raises(error, match=message):
        recommender.recommend(["apple"], 1, among=among)
    with pytest.raises(error, match=message):
        recommender.recommend_batch([["apple"]], 1, among=among)


@pytest.mark.parametrize(
    ("among", "error", "message"),
    [
        ([["figs"]], RequestError, "among has 1 sets, expected 2, one for each history, or one set for all"),
        ([["figs"], []], RequestError, r"^among\[1\] is empty"),
        ([None, ["x"]], RequestError, r"^among\[1\] holds 'x' and none"),
        ([["figs"], "figs"], HistoryError, r"^among\[1\] is the single text"),
    ],
)
def test_a_set_of_one_history_is_named(
    recommender: Recommender, among: Any, error: type[SasrecError], message: str
) -> None:
    with pytest.raises(error, match=message):
        recommender.recommend_batch([["apple"], ["bread"]], 1, among=among)


def test_a_batch_without_histories_needs_no_sets(recommender: Recommender) -> None:
    assert recommender.recommend_batch([], 1, among=[]) == []


def test_a_set_of_another_bundle_is_refused(recommender: Recommender) -> None:
    other = AllowedSet(np.array([1, 2], np.int32), 7, "0" * 64)
    with pytest.raises(RequestError, match="among was made for a bundle with other items than"):
        recommender.recommend(["apple"], 1, among=other)


def test_k_is_checked_as_without_a_set(bundle: Bundle) -> None:
    with pytest.raises(RequestError, match=r"k is 8, expected 1…7"):
        Recommender.load(bundle).recommend(["apple"], 8, among=["figs"])


@pytest.mark.parametrize("variant", ["onnx-wi8", "onnx-fp32", "tflite-wi8", "tflite-fp32"])
def test_a_quantized_variant_gives_the_scores_of_score(variant: str) -> None:
    if variant.startswith("tflite"):
        pytest.importorskip("ai_edge_litert")
    quantized = Recommender.load(FROZEN, variant=variant)
    catalogue = quantized.vocabulary.keys[1:]
    history, among = catalogue[:5], catalogue[3:30:2]
    left = [key for key in among if key not in history]
    scores = dict(zip(left, quantized.score(history, left).tolist(), strict=True))
    answer = quantized.recommend(history, 5, among=among)
    assert keys_of(answer) == sorted(left, key=lambda key: (-scores[key], catalogue.index(key)))[:5]
    np.testing.assert_allclose([item.score for item in answer], [scores[key] for key in keys_of(answer)], rtol=1e-5)
