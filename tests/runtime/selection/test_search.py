"""The search itself, on catalogues of a size at which the list is asked for again, and scores come in pieces."""

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from runtime import tiny
from sasrec_runtime.errors import AnswerError
from sasrec_runtime.manifest import ModelCard, Variant
from sasrec_runtime.selection import item_set, search
from sasrec_runtime.selection.allowed_set import AllowedSet
from sasrec_runtime.selection.groups import Groups
from sasrec_runtime.selection.limits import Limits

N_ITEMS = 300
MODEL = ModelCard(n_items=N_ITEMS, max_len=4, hidden_dim=2, num_blocks=1, num_heads=1)
VARIANT = Variant(
    name="tflite-made-up",
    runtime="tflite",
    recipe="made-up",
    entries={"recommend": "m", "score": "m"},
    files=[],
    min_runtime_version="1.0",
    atol=0.0,
    fixed_k=8,
)
NO_LIMITS = Limits(np.empty(0, np.int32), None, 0)


class Lookup:
    """A session whose scores are given, so that ties are many; it counts the calls of each entry."""

    def __init__(self, scores: NDArray[np.float32], fixed_k: int) -> None:
        self.scores = scores  # (V,)
        self.fixed_k = fixed_k
        self.calls: Counter[str] = Counter()

    def recommend(self, history, exclude, k):
        self.calls["recommend"] += 1
        assert k <= self.fixed_k
        items, scores = np.zeros((len(history), k), np.int32), np.full((len(history), k), -1e9, np.float32)
        for row, left_out in enumerate(exclude):
            able = np.setdiff1d(np.arange(1, N_ITEMS + 1), left_out)
            best = able[np.argsort(-self.scores[able], kind="stable")][:k]
            items[row, : len(best)], scores[row, : len(best)] = best, self.scores[best]
        return items, scores

    def score(self, history, candidates):
        self.calls["score"] += 1
        return self.scores[candidates]


def expected(scores, k, allowed, limits: Limits) -> list[int]:
    """Return the k best by sorting all, and taking from the best down."""
    counts, chosen = Counter(), []
    for item_id in sorted(set(allowed) - set(limits.left_out.tolist()), key=lambda i: (-scores[i], i)):
        group = None if limits.groups is None else int(limits.groups.of_item[item_id])
        if len(chosen) < k and (not group or counts[group] < limits.at_most):
            counts[group] += 1
            chosen.append(item_id)
    return chosen


@st.composite
def situations(draw) -> tuple[Lookup, AllowedSet | None, NDArray[np.int32], Limits]:
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scores = rng.integers(0, draw(st.sampled_from([3, 30, 10_000])), N_ITEMS + 1).astype(np.float32)
    session = Lookup(scores, VARIANT.fixed_k)
    size = draw(st.sampled_from([None, 1, 9, 120, N_ITEMS]))
    among = (
        None if size is None else AllowedSet(np.sort(rng.permutation(N_ITEMS)[:size] + 1).astype(np.int32), N_ITEMS, "")
    )
    excluded = item_set.distinct(rng.integers(1, N_ITEMS + 1, draw(st.sampled_from([0, 5, 200]))).tolist())
    of_item = rng.integers(0, draw(st.sampled_from([2, 4, 100])), N_ITEMS + 1).astype(np.int32)
    if draw(st.booleans()):
        of_item[np.argsort(-scores)[:100]] = 1  # one group holds all of the best
    groups = Groups(of_item, [str(number) for number in range(of_item.max() + 1)], "")
    at_most = draw(st.sampled_from([0, 1, 2, 7]))
    left_out = groups.items_of([1]) if draw(st.booleans()) and len(groups) else np.empty(0, np.int32)
    return session, among, excluded, Limits(left_out, groups if at_most else None, at_most)


def allowed_of(among: AllowedSet | None, excluded: NDArray[np.int32]) -> set[int]:
    return {*(range(1, N_ITEMS + 1) if among is None else among.item_ids.tolist())} - {*excluded.tolist()}


@given(situation=situations(), k=st.integers(1, 8), scored_items=st.sampled_from([0, 1024]))
def test_the_answer_is_that_of_sorting_everything(situation, k: int, scored_items: int) -> None:
    session, among, excluded, limits = situation
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "SCORED_ITEMS", scored_items)
        patch.setattr(search, "SCORED_AT_ONCE", 50)
        (answer,) = search.Search(session, VARIANT, MODEL, 1 << 20).best(
            [search.Request([1], excluded, among)], k, limits
        )
    ids = expected(session.scores, k, allowed_of(among, excluded), limits)
    assert answer == search.Ranked(ids, session.scores[ids].tolist())


@given(situations=st.lists(situations(), min_size=2, max_size=5), k=st.integers(1, 8))
def test_requests_do_not_touch_each_other(situations, k: int) -> None:
    session, _, _, limits = situations[0]
    requests = [search.Request([1], excluded, among) for _, among, excluded, _ in situations]
    searching = search.Search(session, VARIANT, MODEL, 40_000)
    singles = [searching.best([request], k, limits)[0] for request in requests]
    assert searching.best(requests, k, limits) == singles


@pytest.fixture
def session() -> Iterator[Lookup]:
    return Lookup(np.arange(N_ITEMS + 1, 0, -1).astype(np.float32), VARIANT.fixed_k)


@pytest.mark.parametrize(("size", "entry"), [(20, "score"), (21, "recommend")])
def test_few_items_are_scored_and_many_are_ranked(
    session: Lookup, monkeypatch: pytest.MonkeyPatch, size: int, entry: str
) -> None:
    monkeypatch.setattr(search, "SCORED_ITEMS", 1)
    monkeypatch.setattr(search, "SCORED_SHARE", 15)
    among = AllowedSet(np.arange(1, size + 1, dtype=np.int32), N_ITEMS, "")
    search.Search(session, VARIANT, MODEL, 1 << 20).best(
        [search.Request([1], item_set.distinct([]), among)], 3, NO_LIMITS
    )
    assert session.calls == {entry: 1}


@pytest.mark.parametrize("fixed_exclude", [40, 400])
def test_exclusions_that_do_not_fit_the_variant_are_scored_around(session: Lookup, fixed_exclude: int) -> None:
    variant = msgspec.structs.replace(VARIANT, fixed_exclude=fixed_exclude)
    of_item = np.ones(N_ITEMS + 1, np.int32)
    of_item[250:] = 2
    limits = Limits(np.empty(0, np.int32), Groups(of_item, ["", "a", "b"], ""), 2)
    (answer,) = search.Search(session, variant, MODEL, 1 << 20).best(
        [search.Request([1], item_set.distinct([]), None)], 4, limits
    )
    assert answer.item_ids == [1, 2, 250, 251]  # after the first two their group is full: 249 items to exclude
    assert ("score" in session.calls) == (fixed_exclude == 40)


def test_an_item_outside_the_set_is_an_error_of_the_model(session: Lookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SCORED_ITEMS", 0)
    among = AllowedSet(np.array([5, 6, *range(100, 200)], np.int32), N_ITEMS, "")
    run = session.recommend
    monkeypatch.setattr(session, "recommend", lambda history, exclude, k: run(history, exclude[:, 9:], k))
    with pytest.raises(AnswerError, match=r"items\[0\] is 1 with score .* which the request excludes"):
        search.Search(session, VARIANT, MODEL, 1 << 20).best(
            [search.Request([1], item_set.distinct([]), among)], 3, NO_LIMITS
        )


ids = st.lists(st.integers(0, 30))


@given(ids, ids)
def test_sets_of_ids_behave_as_sets(first: list[int], second: list[int]) -> None:
    one, other = item_set.distinct(first), item_set.distinct(second)
    assert one.tolist() == sorted({*first} - {0})
    assert item_set.union(one, other).tolist() == sorted({*first, *second} - {0})
    assert item_set.without(one, other).tolist() == sorted({*first} - {*second} - {0})
    assert item_set.is_disjoint(one, second) == (not {*first} & {*second} - {0})


def test_the_tiny_catalogue_is_smaller_than_the_share() -> None:
    assert tiny.N_ITEMS // search.SCORED_SHARE == 0  # what conftest.entry relies on
