"""The JavaScript client answers as the Python one does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sasrec_runtime.recommender import Recommender

Client = Callable[..., list[dict[str, Any]]]

REQUESTS: dict[str, tuple[list[str], dict[str, Any]]] = {
    "two keys": (["apple", "bread"], {"k": 4}),
    "longer than the network looks back": (["eggs", "dates", "dates", "apple", "figs"], {"k": 3}),
    "excluded": (["dates"], {"k": 3, "exclude": ["apple", "nothing"]}),
    "seen items kept": (["dates"], {"k": 3, "exclude_seen": False}),
    "nothing left": (["apple", "bread", "cheese", "dates", "eggs", "figs"], {"k": 7}),
    "no history": ([], {"k": 3}),
}


@pytest.mark.parametrize("variant", ["onnx-fp32", "onnx-inline"])
@pytest.mark.parametrize("name", REQUESTS)
def test_recommend_answers_as_in_python(client: Client, shared_bundle: Path, name: str, variant: str) -> None:
    keys, options = REQUESTS[name]
    expected = Recommender.load(shared_bundle, variant=variant).recommend(keys, **options)
    js_options = {("excludeSeen" if key == "exclude_seen" else key): value for key, value in options.items()}
    seen = client(shared_bundle, ["recommend", keys, js_options], variant=variant)[1]["value"]
    assert seen == {"items": msgspec.to_builtins(list(expected)), "isFallback": expected.is_fallback}


def test_score_answers_as_in_python(client: Client, shared_bundle: Path) -> None:
    expected = Recommender.load(shared_bundle).score(["apple", "bread"], ["eggs", "apple"]).tolist()
    assert client(shared_bundle, ["score", ["apple", "bread"], ["eggs", "apple"]])[1]["value"] == expected


@pytest.mark.parametrize("unknown", ["drop", "map"])
def test_unknown_keys_can_be_dropped_or_kept_as_padding(client: Client, shared_bundle: Path, unknown: Any) -> None:
    keys = ["apple", "?", "bread"]
    expected = Recommender.load(shared_bundle, unknown=unknown).recommend(keys, k=2)
    seen = client(shared_bundle, ["recommend", keys, {"k": 2}], unknown=unknown)[1]["value"]
    assert seen["items"] == msgspec.to_builtins(list(expected))


def test_verify_passes_an_intact_bundle(client: Client, shared_bundle: Path) -> None:
    check = client(shared_bundle, ["verify"])[1]["value"]
    assert (check["status"], check["cases"], check["failures"], check["largestDifference"]) == ("passed", 3, [], 0)


@pytest.mark.parametrize("mistake", ["padding", "swapped", "shifted"])
def test_verify_finds_a_planted_mistake(client: Client, exported_bundle: Path, mistake: str) -> None:
    check = client(exported_bundle, ["verify"], variant="onnx-fp32", plant=mistake)[1]["value"]
    assert check["status"] == "failed"
    assert check["failures"]


def test_the_engine_of_a_planted_mistake_passes_without_it(client: Client, exported_bundle: Path) -> None:
    assert client(exported_bundle, ["verify"], variant="onnx-fp32")[1]["value"]["status"] == "passed"
