"""Allowed sets and groups in JavaScript answer as in Python, and refuse alike."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from js import fixed
from js.conftest import JS, Run
from js.test_sentences import essence, python_says
from runtime import tiny
from sasrec_runtime.recommender import Groups, Recommender

Client = Callable[..., list[dict[str, Any]]]

KINDS = {"apple": "fruit", "bread": "baked", "dates": "fruit", "figs": "fruit", "grapes": "fruit", "wine": "drink"}
NAMES = {"exclude_seen": "excludeSeen", "exclude_groups": "excludeGroups", "at_most_per_group": "atMostPerGroup"}

REQUESTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "a set": (["apple"], {"k": 3, "among": ["figs", "eggs", "figs", "?", "bread"]}),
    "a set, seen items kept": (["apple"], {"k": 3, "among": ["figs", "apple"], "exclude_seen": False}),
    "a set, and exclusions": (["apple", "bread"], {"k": 3, "among": ["figs", "eggs", "bread"], "exclude": ["eggs"]}),
    "a set of which nothing is left": (["apple"], {"k": 3, "among": ["apple"]}),
    "the whole catalogue": (["apple", "bread"], {"k": 5, "among": tiny.KEYS}),
    "ties": (["apple", "bread"], {"k": 4, "among": ["grapes", "figs", "eggs", "dates"]}),
    "no history, a set": ([], {"k": 4, "among": ["grapes", "figs", "eggs", "bread"]}),
    "groups alone": (["apple"], {"k": 5, "groups": KINDS}),
    "groups left out": (["apple"], {"k": 5, "groups": KINDS, "exclude_groups": ["fruit", "drink"]}),
    "two of a group": (["eggs"], {"k": 5, "groups": KINDS, "at_most_per_group": 2}),
    "one of a group, fewer than k": (["apple", "cheese", "eggs"], {"k": 5, "groups": KINDS, "at_most_per_group": 1}),
    "no history, one of a group": ([], {"k": 5, "groups": KINDS, "at_most_per_group": 1, "exclude_groups": ["baked"]}),
    "all together": (
        ["bread"],
        {"k": 3, "among": [*tiny.KEYS[2:]], "exclude": ["cheese"], "groups": KINDS, "at_most_per_group": 1},
    ),
}

REFUSED: dict[str, dict[str, Any]] = {
    "an empty set": {"among": []},
    "a set of unknown keys": {"among": ["x", "y"]},
    "a single text": {"among": "figs"},
    "a number in a set": {"among": ["figs", 5]},
    "an unknown group": {"groups": KINDS, "exclude_groups": ["baked", "milk"]},
    "a single text for groups": {"groups": KINDS, "exclude_groups": "fruit"},
    "none of a group": {"groups": KINDS, "at_most_per_group": 0},
    "half of a group": {"groups": KINDS, "at_most_per_group": 1.5},
    "no groups to exclude from": {"exclude_groups": ["fruit"]},
    "no groups to count": {"at_most_per_group": 1},
    "groups that are a list": {"groups": ["fruit"]},
    "a number for a group": {"groups": {"apple": 5}},
    "groups of other items": {"groups": {"wine": "drink"}},
}


def in_python(recommender: Recommender, keys: list[str], options: dict[str, Any]) -> dict[str, Any]:
    if "groups" in options:
        options = {**options, "groups": Groups.of(options["groups"], recommender)}
    answer = recommender.recommend(keys, **options)
    return {"items": msgspec.to_builtins(list(answer)), "isFallback": answer.is_fallback}


def in_javascript(keys: list[str], options: dict[str, Any]) -> list[Any]:
    return ["recommend", keys, {NAMES.get(name, name): value for name, value in options.items()}]


@pytest.mark.parametrize("kind", ["onnx-fp32", "onnx-inline", "fixed"])
def test_answers_are_those_of_python(client: Client, shared_bundle: Path, tmp_path: Path, kind: str) -> None:
    path, variant = shared_bundle, kind
    if kind == "fixed":
        path, variant = tmp_path / "bundle", "onnx-inline"
        fixed.tiny_fixed(path)
    recommender = Recommender.load(path, variant=variant)
    seen = client(path, *(in_javascript(*request) for request in REQUESTS.values()), variant=variant)[1:]
    expected = [{"value": in_python(recommender, *request)} for request in REQUESTS.values()]
    assert dict(zip(REQUESTS, seen, strict=True)) == dict(zip(REQUESTS, expected, strict=True))


def test_what_cannot_be_kept_is_named_alike(client: Client, shared_bundle: Path) -> None:
    recommender = Recommender.load(shared_bundle)
    seen = client(shared_bundle, *(in_javascript(["apple"], {"k": 3, **options}) for options in REFUSED.values()))[1:]
    for (name, options), one in zip(REFUSED.items(), seen, strict=True):
        expected = python_says(lambda options=options: in_python(recommender, ["apple"], {"k": 3, **options}))
        assert essence(one["error"]) == essence(expected), name


def test_the_search_is_that_of_sorting_everything(node: Run) -> None:
    result = json.loads(node(JS / "test" / "search.mjs").stdout)
    assert (result["compared"], result["differing"]) == (200, 0)
    assert min(result["calls"].values()) > 50


def test_what_was_made_once_answers_alike(node: Run, shared_bundle: Path) -> None:
    given, made = json.loads(node(JS / "test" / "prepared.mjs", shared_bundle).stdout)
    assert given == made
    assert [item["key"] for item in given["items"]] == ["dates", "bread"]
