"""Groups: what is excluded by them, and at most so many items of each."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import tiny
from runtime.selection import brute_force
from sasrec_runtime.errors import RequestError
from sasrec_runtime.recommender import Recommender
from sasrec_runtime.selection.groups import Groups

KINDS = {"apple": "fruit", "bread": "baked", "cheese": "dairy", "dates": "fruit", "figs": "fruit", "grapes": "fruit"}
"""Eggs have no group."""

both_entries = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
keys = st.sampled_from(tiny.KEYS)
of_items = st.dictionaries(keys, st.sampled_from("ab"), min_size=1)
limited = st.fixed_dictionaries(
    {"k": st.integers(1, 5), "at_most_per_group": st.none() | st.integers(1, 3)},
    optional={
        "among": st.lists(keys, min_size=1),
        "exclude": st.lists(keys, max_size=3),
        "exclude_seen": st.booleans(),
    },
)


@both_entries
@given(history=st.lists(keys, min_size=1, max_size=6), kinds=of_items, request=limited, data=st.data())
def test_the_answer_is_the_best_under_all_limits(
    any_recommender: Recommender,
    entry: str,
    history: list[str],
    kinds: dict[str, str],
    request: dict[str, Any],
    data: st.DataObject,
) -> None:
    left_out = data.draw(st.lists(st.sampled_from(sorted(set(kinds.values()))), max_size=2))
    groups = Groups.of(kinds, any_recommender)
    seen = any_recommender.recommend(history, groups=groups, exclude_groups=left_out, **request)
    expected = brute_force.best(any_recommender, history, groups=kinds, exclude_groups=left_out, **request)
    assert brute_force.pairs(seen) == expected


@both_entries
@given(
    batch=st.lists(st.lists(keys, max_size=6), max_size=5),
    kinds=of_items,
    at_most=st.integers(1, 3),
    among=st.none() | st.lists(keys, min_size=1),
)
def test_a_batch_answers_as_single_calls_do(
    any_recommender: Recommender,
    entry: str,
    batch: list[list[str]],
    kinds: dict[str, str],
    at_most: int,
    among: list[str] | None,
) -> None:
    options = {"groups": Groups.of(kinds, any_recommender), "at_most_per_group": at_most, "among": among}
    singles = [any_recommender.recommend(history, 4, **options) for history in batch]
    assert any_recommender.recommend_batch(batch, 4, **options) == singles


def test_items_without_a_group_are_not_counted(recommender: Recommender) -> None:
    groups = Groups.of({"cheese": "a", "dates": "a"}, recommender)
    answer = recommender.recommend(["apple", "bread"], 5, groups=groups, at_most_per_group=1)
    assert [item.key for item in answer] == ["cheese", "eggs", "figs", "grapes"]


def test_newcomers_get_popular_items_under_the_same_limits(recommender: Recommender) -> None:
    groups = Groups.of(KINDS, recommender)
    options = {"groups": groups, "exclude_groups": ["dairy"], "at_most_per_group": 1}
    assert [item.key for item in recommender.recommend([], 5, **options)] == ["apple", "bread", "eggs"]
    shelf = recommender.recommend([], 5, among=["cheese", "figs", "eggs", "grapes"], **options)
    assert ([item.key for item in shelf], shelf.is_fallback) == (["eggs", "figs"], True)


def test_groups_alone_change_nothing(recommender: Recommender) -> None:
    groups = Groups.of(KINDS, recommender)
    plain = recommender.recommend(["apple"], 5)
    assert recommender.recommend(["apple"], 5, groups=groups) == plain
    assert recommender.recommend(["apple"], 5, exclude_groups=[]) == plain


def test_groups_know_their_names_and_items(recommender: Recommender) -> None:
    groups = Groups.of({**KINDS, "new": "drink"}, recommender)
    assert groups.names == ["baked", "dairy", "drink", "fruit"]
    assert (len(groups), repr(groups)) == (4, "Groups(4 groups of 6 items)")
    assert groups.members(["fruit", "baked", "fruit"]).tolist() == [1, 2, 4, 6, 7]
    assert groups.members(["drink"]).tolist() == groups.members([]).tolist() == []


def test_a_digest_tells_groups_apart(recommender: Recommender) -> None:
    one, other = Groups.of(KINDS, recommender), Groups.of({**KINDS, "eggs": "dairy"}, recommender)
    assert one.sha256() == Groups.of(dict(reversed(KINDS.items())), recommender).sha256()
    assert one.sha256() != other.sha256()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"exclude_groups": ["friut"]},
            r"exclude_groups\[0\] is 'friut', expected one of the 3 groups: baked, dairy, ",
        ),
        ({"exclude_groups": ["friut"]}, r"Did you mean 'fruit'\?"),
        ({"exclude_groups": ["fruit", 5]}, r"exclude_groups\[1\] is 5, expected one of"),
        ({"exclude_groups": "fruit"}, "exclude_groups is 'fruit', expected a sequence of names"),
        ({"exclude_groups": 3}, "exclude_groups is 3, expected a sequence of names"),
        ({"at_most_per_group": 0}, "at_most_per_group is 0, expected at least 1"),
        ({"at_most_per_group": 1.5}, r"at_most_per_group is 1\.5, expected a whole number"),
        ({"groups": None, "at_most_per_group": 1}, "at_most_per_group is given without groups"),
        ({"groups": None, "exclude_groups": ["fruit"]}, "exclude_groups is given without groups"),
        ({"groups": KINDS}, "expected Groups. Make them once, by Groups.load"),
    ],
)
def test_limits_that_cannot_hold_are_refused(recommender: Recommender, options: dict[str, Any], message: str) -> None:
    options = {"groups": Groups.of(KINDS, recommender), **options}
    with pytest.raises(RequestError, match=message):
        recommender.recommend(["apple"], 1, **options)
    with pytest.raises(RequestError, match=message):
        recommender.recommend_batch([[]], 1, **options)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], r"groups is \[\], expected a mapping"),
        ({"apple": 1}, "groups holds 'apple': 1, expected text for both"),
        ({"apple": ""}, "groups holds 'apple': '', expected text for both"),
        ({3: "a"}, "groups holds 3: 'a', expected text"),
        ({"x": "a"}, "groups holds 1 items, and none is among the 7 items"),
        ({}, "groups holds 0 items, and none is among the 7 items"),
    ],
)
def test_what_is_not_a_mapping_of_items_is_refused(recommender: Recommender, groups: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        Groups.of(groups, recommender)


def test_groups_of_another_bundle_are_refused(recommender: Recommender) -> None:
    groups = Groups.of(KINDS, recommender)
    groups.vocabulary_sha256 = "0" * 64
    with pytest.raises(RequestError, match="groups was made for a bundle with other items"):
        recommender.recommend(["apple"], 1, groups=groups, exclude_groups=["fruit"])
