"""Recommender: keys in, items out, and every rule for odd requests."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sasrec_runtime
from runtime import tiny
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.engines import first_runnable
from sasrec_runtime.errors import (
    BundleError,
    HistoryError,
    MissingRuntimeError,
    RequestError,
    SasrecError,
    UnknownItemError,
    VariantError,
)
from sasrec_runtime.recommendations import Item, Recommendations
from sasrec_runtime.recommender import Recommender
from sasrec_runtime.vocabulary import vocabulary as vocabulary_module
from sasrec_runtime.vocabulary.mapped_lines import MappedLines

histories = st.lists(st.sampled_from(tiny.KEYS), max_size=9)
requests = st.tuples(
    st.lists(st.sampled_from(tiny.KEYS), min_size=1, max_size=9),
    st.lists(st.sampled_from(tiny.KEYS), min_size=1, max_size=40),
)


def keys(recommendations: Recommendations) -> list[str]:
    return [item.key for item in recommendations]


@pytest.fixture
def dropping(bundle: Bundle) -> Recommender:
    return Recommender.load(bundle, unknown="drop")


@pytest.fixture
def mapping(bundle: Bundle) -> Recommender:
    return Recommender.load(bundle, unknown="map")


def test_recommend_gives_keys_scores_and_titles_best_first(recommender: Recommender) -> None:
    answer = recommender.recommend(["apple", "bread"], 4)
    assert list(answer) == [
        Item("cheese", 2.0, "Old cheese"),
        Item("dates", 2.0, "Dates"),
        Item("eggs", 2.0, "Ten eggs"),
        Item("figs", 0.0, "Figs"),
    ]
    assert not answer.is_fallback


def test_the_item_without_a_title_has_none(recommender: Recommender) -> None:
    assert recommender.recommend(["apple", "bread"], 5)[4] == Item("grapes", 0.0, None)


def test_seen_items_are_left_out_however_old(recommender: Recommender) -> None:
    assert "eggs" not in keys(recommender.recommend(["eggs", "dates", "dates", "apple", "figs"], 5))


def test_seen_items_stay_on_request(recommender: Recommender) -> None:
    assert keys(recommender.recommend(["dates", "dates", "apple"], 3, exclude_seen=False)) == [
        "dates",
        "apple",
        "cheese",
    ]


def test_excluded_items_are_left_out(recommender: Recommender) -> None:
    assert keys(recommender.recommend(["apple", "bread"], 2, exclude=["cheese", "eggs"])) == ["dates", "figs"]


def test_unknown_excluded_items_are_ignored(recommender: Recommender) -> None:
    assert keys(recommender.recommend(["apple", "bread"], 1, exclude=["?"])) == ["cheese"]


def test_the_list_is_shorter_where_fewer_items_remain(recommender: Recommender) -> None:
    assert keys(recommender.recommend(["apple"], 5, exclude=tiny.KEYS[1:5])) == ["grapes", "figs"]


def test_nothing_remains_where_all_is_excluded(recommender: Recommender) -> None:
    assert list(recommender.recommend(["apple"], 5, exclude=tiny.KEYS)) == []


def test_an_empty_history_gives_the_most_popular_items_and_says_so(recommender: Recommender) -> None:
    answer = recommender.recommend([], 3, exclude=["apple"])
    assert list(answer) == [
        Item("cheese", None, "Old cheese"),
        Item("bread", None, "Rye bread"),
        Item("eggs", None, "Ten eggs"),
    ]
    assert answer.is_fallback


def test_a_history_of_unknown_items_is_empty(dropping: Recommender, mapping: Recommender) -> None:
    assert dropping.recommend(["?", "!"], 2).is_fallback
    assert mapping.recommend(["?", "!"], 2).is_fallback


def test_dropped_keys_make_room_and_mapped_keys_keep_their_place(dropping: Recommender, mapping: Recommender) -> None:
    history = ["dates", "?", "?", "?", "apple"]
    assert dropping.recommend(history, 1, exclude_seen=False)[0].score == 6.0  # dates is the second newest
    assert mapping.recommend(history, 1, exclude_seen=False)[0].score == 2.0  # dates is the fifth newest: cut off


def test_a_history_whose_newest_places_are_all_padding_is_empty_but_seen(mapping: Recommender) -> None:
    answer = mapping.recommend(["cheese", "?", "?", "?", "?"], 3)
    assert answer.is_fallback
    assert keys(answer) == ["apple", "bread", "eggs"]


@pytest.mark.parametrize("call", ["recommend", "recommend_batch", "score", "score_batch"])
def test_an_unknown_key_is_an_error_by_default(bundle: Bundle, call: str) -> None:
    recommender = Recommender.load(bundle)
    calls = {
        "recommend": lambda: recommender.recommend(["apple", "aple"], 1),
        "recommend_batch": lambda: recommender.recommend_batch([[], ["apple", "aple"]], 1),
        "score": lambda: recommender.score(["apple", "aple"], ["figs"]),
        "score_batch": lambda: recommender.score_batch([["figs"], ["apple", "aple"]], [["figs"]] * 2),
    }
    with pytest.raises(UnknownItemError, match=r"^histor(y|ies\[1\])\[1\] is 'aple'.* Closest: 'apple'"):
        calls[call]()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda r: r.recommend("apple", 1), "history is the single text 'apple'", id="history"),
        pytest.param(lambda r: r.recommend(["apple"], 1, exclude="figs"), "exclude is the single text", id="exclude"),
        pytest.param(lambda r: r.recommend_batch("apple", 1), "histories is the single text", id="histories"),
        pytest.param(lambda r: r.recommend_batch(["apple"], 1), r"histories\[0\] is the single text", id="batch row"),
        pytest.param(lambda r: r.score("apple", ["figs"]), "history is the single text", id="score history"),
        pytest.param(lambda r: r.score(["apple"], "figs"), "candidates is the single text", id="candidates"),
        pytest.param(lambda r: r.score_batch("apple", []), "histories is the single text", id="score histories"),
        pytest.param(lambda r: r.score_batch([["figs"]], "figs"), "candidates is the single text", id="score lists"),
        pytest.param(lambda r: r.score_batch([["figs"]], ["figs"]), r"candidates\[0\] is the single", id="score row"),
        pytest.param(lambda r: r.recommend([50], 1), r"history\[0\] is 50 \(int\), expected text", id="int"),
        pytest.param(lambda r: r.recommend(["figs"], 1, exclude=[50]), r"exclude\[0\] is 50 \(int\)", id="exclude int"),
        pytest.param(lambda r: r.recommend([10**5000], 1), r"history\[0\] is a value of type int, too long", id="long"),
        pytest.param(lambda r: r.score(["figs"], [50]), r"candidates\[0\] is 50 \(int\)", id="candidate int"),
    ],
)
def test_what_is_no_sequence_of_text_is_refused(
    dropping: Recommender, call: Callable[[Recommender], object], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        call(dropping)


@pytest.mark.parametrize("history", [["apple"], []], ids=["history", "fallback"])
@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, r"k is 0, expected 1…7\."),
        (-1, r"k is -1, expected 1…7\."),
        (8, r"k is 8, expected 1…7\. The catalogue has 7 items"),
        (2.5, r"k is 2\.5, expected a whole number"),
        ("3", r"k is '3', expected a whole number"),
        pytest.param(10**5000, "k is a value of type int, too long to show, expected 1…7", id="5,001 digits"),
    ],
)
def test_k_out_of_range_is_refused(bundle: Bundle, history: list[str], k: object, message: str) -> None:
    recommender = Recommender.load(bundle)
    with pytest.raises(RequestError, match=message):
        recommender.recommend(history, k)
    with pytest.raises(RequestError, match=message):
        recommender.recommend_batch([history], k)


def test_exclude_may_be_any_iterable(bundle: Bundle) -> None:
    recommender = Recommender.load(bundle)
    for exclude in (np.array(["cheese", "eggs"]), {"cheese", "eggs"}, iter(["cheese", "eggs"])):
        assert keys(recommender.recommend(["apple", "bread"], 1, exclude=exclude)) == ["dates"]


def test_k_may_be_any_whole_number_type(bundle: Bundle) -> None:
    assert len(Recommender.load(bundle).recommend(["apple"], np.int64(3))) == 3


def test_score_gives_one_score_per_candidate_in_their_order(recommender: Recommender) -> None:
    scores = recommender.score(["apple", "bread"], ["grapes", "apple", "dates"])
    assert scores.tolist() == [0.0, 1.0, 2.0]
    assert (scores.dtype, scores.shape) == (np.float32, (3,))


def test_score_and_recommend_agree(recommender: Recommender) -> None:
    answer = recommender.recommend(["dates", "figs"], 5)
    assert recommender.score(["dates", "figs"], keys(answer)).tolist() == [item.score for item in answer]


def test_score_refuses_an_unknown_candidate_always(dropping: Recommender) -> None:
    with pytest.raises(UnknownItemError, match=r"candidates\[1\] is '\?'"):
        dropping.score(["apple"], ["figs", "?"])


def test_score_refuses_an_empty_history_with_a_remedy(dropping: Recommender) -> None:
    with pytest.raises(HistoryError, match=r"history is empty, .* Rank newcomers by recommend\(\[\]\)"):
        dropping.score(["?"], ["figs"])


def test_score_refuses_no_candidates(dropping: Recommender) -> None:
    with pytest.raises(RequestError, match="candidates is empty, expected at least one"):
        dropping.score(["apple"], [])


@given(batch=st.lists(histories, max_size=6), k=st.integers(1, 5), exclude_seen=st.booleans())
def test_a_batch_answers_as_single_calls_do(
    recommender: Recommender, batch: list[list[str]], k: int, exclude_seen: bool
) -> None:
    singles = [recommender.recommend(history, k, exclude_seen=exclude_seen) for history in batch]
    assert recommender.recommend_batch(batch, k, exclude_seen=exclude_seen) == singles


def test_a_large_batch_runs_in_groups_that_fit_the_budget(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    recommender = Recommender.load(bundle)
    calls: list[tuple[int, int]] = []
    run = recommender.session.recommend
    monkeypatch.setattr(recommender.session, "recommend", lambda h, e, k: (calls.append(h.shape), run(h, e, k))[1])
    batch = [["apple"], ["bread", "figs"], [], ["figs"] * 3, ["dates"], ["eggs"] * 9, ["grapes"], ["apple"]]
    answers = recommender.recommend_batch(batch, 2, batch_bytes=1000)  # a row of 4 takes 404, one of 2 takes 228
    assert calls == [(2, 4), (3, 2), (2, 1)]
    assert answers == [recommender.recommend(history, 2) for history in batch]


def test_a_budget_below_one_row_runs_row_by_row(bundle: Bundle) -> None:
    recommender = Recommender.load(bundle)
    batch = [["apple"], ["bread", "figs"]]
    assert recommender.recommend_batch(batch, 2, batch_bytes=1) == recommender.recommend_batch(batch, 2)


def test_an_empty_batch_has_no_answers(recommender: Recommender) -> None:
    assert recommender.recommend_batch([], 3) == []


@given(batch=st.lists(requests, max_size=8))
def test_a_batch_is_scored_as_single_calls_score(
    any_recommender: Recommender, batch: list[tuple[list[str], list[str]]]
) -> None:
    singles = [any_recommender.score(*request).tolist() for request in batch]
    given_lists = [list(part) for part in zip(*batch, strict=True)] or [[], []]
    assert [scores.tolist() for scores in any_recommender.score_batch(*given_lists)] == singles


def test_scores_of_a_batch_are_arrays_of_their_own(any_recommender: Recommender) -> None:
    first, second = any_recommender.score_batch([["apple"], ["figs"]], [["dates"], ["dates", "eggs"]])
    assert (first.dtype, first.shape, second.shape) == (np.float32, (1,), (2,))
    assert first.base is second.base is None


@pytest.fixture
def scored_shapes(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> tuple[Recommender, list[tuple[int, int, int]]]:
    """A recommender, and the rows, history columns and candidate columns of each call of its session's `score`."""
    recommender = Recommender.load(bundle)
    calls: list[tuple[int, int, int]] = []
    run = recommender.session.score
    monkeypatch.setattr(recommender.session, "score", lambda h, c: (calls.append((*h.shape, c.shape[1])), run(h, c))[1])
    return recommender, calls


def test_a_large_batch_is_scored_in_groups_that_fit_the_budget(
    scored_shapes: tuple[Recommender, list[tuple[int, int, int]]],
) -> None:
    recommender, calls = scored_shapes
    # 16 candidates take 576 bytes, a history of four items 320, one of one 68.
    recommender.score_batch(
        [["apple"], ["figs"] * 4, ["eggs"], ["dates"] * 4, ["figs"]], [["eggs"]] * 5, batch_bytes=1800
    )
    assert calls == [(2, 4, 1), (2, 1, 1), (1, 1, 1)]


def test_a_budget_below_one_row_scores_row_by_row(
    scored_shapes: tuple[Recommender, list[tuple[int, int, int]]],
) -> None:
    recommender, calls = scored_shapes
    recommender.score_batch([["apple"], ["figs"]], [["eggs"]] * 2, batch_bytes=1)
    assert calls == [(1, 1, 1), (1, 1, 1)]


def test_few_candidates_are_not_padded_to_many(scored_shapes: tuple[Recommender, list[tuple[int, int, int]]]) -> None:
    recommender, calls = scored_shapes
    recommender.score_batch([["apple"]] * 3, [["eggs"] * 3, ["figs"] * 100, ["dates"] * 5])
    assert calls == [(2, 1, 5), (1, 1, 100)]


@pytest.mark.parametrize(
    ("histories", "candidates", "message"),
    [
        pytest.param([["figs"]], [], "candidates has 0 lists, expected 1, one for each history", id="one too few"),
        pytest.param([["figs"]] * 2, [["figs"], []], r"candidates\[1\] is empty", id="no candidates"),
        pytest.param([["figs"], ["?"]], [["figs"]] * 2, r"histories\[1\] is empty, or none", id="empty history"),
        pytest.param(
            [["figs"]] * 2, [["figs"], ["eggs", "?"]], r"candidates\[1\]\[1\] is '\?'", id="unknown candidate"
        ),
    ],
)
def test_a_batch_that_cannot_be_scored_names_the_row(
    dropping: Recommender, histories: list[list[str]], candidates: list[list[str]], message: str
) -> None:
    with pytest.raises(SasrecError, match=message):
        dropping.score_batch(histories, candidates)


@given(history=histories, k=st.integers(1, 5))
def test_recommend_never_repeats_or_returns_a_seen_item(recommender: Recommender, history: list[str], k: int) -> None:
    answer = keys(recommender.recommend(history, k))
    assert len(set(answer)) == len(answer)
    if history:
        assert not set(answer) & set(history)


@given(history=histories)
def test_fewer_items_are_the_start_of_more(recommender: Recommender, history: list[str]) -> None:
    assert keys(recommender.recommend(history, 2)) == keys(recommender.recommend(history, 5))[:2]


def test_recommender_is_safe_from_several_threads(recommender: Recommender) -> None:
    expected = {key: recommender.recommend([key], 3) for key in tiny.KEYS}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda key: (key, recommender.recommend([key], 3)), tiny.KEYS * 30))
    assert all(answer == expected[key] for key, answer in answers)


def test_load_takes_a_path_as_text_and_the_first_variant(shared_bundle: Path) -> None:
    recommender = sasrec_runtime.Recommender.load(str(shared_bundle))
    assert recommender.variant.name == "onnx-fp32"
    assert repr(recommender) == f"Recommender({str(shared_bundle)!r}, variant='onnx-fp32', n_items=7)"


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catalogues of any size keep their vocabulary on disk, read beside the model."""
    monkeypatch.setattr(vocabulary_module, "MAPPED_FROM", 0)
    monkeypatch.setattr(first_runnable, "MAPPED_FROM", 0)


@pytest.mark.usefixtures("as_if_large")
def test_a_large_catalogue_answers_as_a_small_one(shared_bundle: Path, recommender: Recommender) -> None:
    large = Recommender.load(shared_bundle)
    assert isinstance(large.vocabulary.keys, MappedLines)
    assert large.recommend(["apple", "bread"], 5) == recommender.recommend(["apple", "bread"], 5)


@pytest.mark.usefixtures("as_if_large")
def test_what_is_wrong_with_a_large_vocabulary_is_said_when_it_is_loaded(tiny_bundle: Path) -> None:
    items = tiny_bundle / "items.txt"
    items.write_bytes(items.read_bytes().replace(b"bread", b"apple"))
    with pytest.raises(BundleError, match="'apple' stands on lines 1 and 2"):
        Recommender.load(tiny_bundle, verify="sizes")


def test_load_skips_variants_whose_runtime_is_missing(rewrite: Callable[[bytes, bytes], Path]) -> None:
    path = rewrite(b'"min_runtime_version": "1.17.0"', b'"min_runtime_version": "99.0"')
    assert Recommender.load(path).variant.name == "onnx-inline"


def test_load_says_why_no_variant_can_run(shared_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingRuntimeError, match=r"No variant of .* variant onnx-fp32 needs .* variant onnx-inline"):
        Recommender.load(shared_bundle)


def test_load_names_the_variants_there_are(shared_bundle: Path) -> None:
    with pytest.raises(VariantError, match=r"'wi8', expected one of onnx-fp32, onnx-inline\. Did you mean"):
        Recommender.load(shared_bundle, variant="wi8")


def test_load_refuses_an_unknown_rule_for_unknown_keys(shared_bundle: Path) -> None:
    with pytest.raises(RequestError, match="unknown is 'skip', expected one of error, drop, map"):
        Recommender.load(shared_bundle, unknown="skip")


def test_recommendations_behave_as_a_list() -> None:
    first, second = Item("a", 1.0, None), Item("b", 0.5, "B")
    answer = Recommendations([first, second])
    assert (len(answer), answer[0], answer[-1], answer[:1]) == (2, first, second, [first])
    assert first in answer
    assert answer == Recommendations([first, second])
    assert answer != Recommendations([first, second], is_fallback=True)
    assert answer != [first, second]
    assert repr(Recommendations([first])) == (
        "Recommendations([Item(key='a', score=1.0, title=None)], is_fallback=False)"
    )


@pytest.mark.parametrize("lists", [5, None, 1.5, object(), int])
def test_what_is_not_a_sequence_of_histories_is_refused(recommender: Recommender, lists: Any) -> None:
    with pytest.raises(HistoryError, match=r"^histories is .*, expected a sequence of histories"):
        recommender.recommend_batch(lists, 3)
    with pytest.raises(HistoryError, match=r"^candidates is .*, expected a sequence of lists of item keys"):
        recommender.score_batch([["apple"]], lists)


@pytest.mark.parametrize("name", [5, pytest.param(10**5000, id="5,001 digits"), ["onnx-fp32"], b"onnx", np.arange(3)])
def test_a_variant_that_is_not_text_is_refused(shared_bundle: Path, name: Any) -> None:
    with pytest.raises(VariantError, match=r"variant is .*, expected one of onnx-fp32"):
        Recommender.load(shared_bundle, variant=name)


@pytest.mark.parametrize("batch_bytes", [2.5, None, "3", {}])
def test_a_number_of_bytes_that_is_not_whole_is_refused(recommender: Recommender, batch_bytes: Any) -> None:
    with pytest.raises(RequestError, match=r"batch_bytes is .*, expected a whole number"):
        recommender.recommend_batch([["apple"]], 3, batch_bytes=batch_bytes)


@pytest.mark.parametrize("k", [np.int8(3), np.uint8(3)])
def test_numbers_of_numpy_are_numbers(recommender: Recommender, k: Any) -> None:
    assert recommender.recommend_batch([["apple"]] * 9, k, batch_bytes=np.int8(1))[8] == recommender.recommend(
        ["apple"], 3
    )
