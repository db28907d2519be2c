"""Vocabulary: keys to ids and back."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import tiny
from sasrec_runtime.errors import BundleError, HistoryError, UnknownItemError
from sasrec_runtime.vocab import Vocabulary

# Keys as a data set may have them: no line feed, for that ends a line of items.txt; no lone surrogates in UTF-8.
keys = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), min_size=1, unique=True
)


@pytest.fixture
def vocabulary() -> Vocabulary:
    return Vocabulary(tiny.KEYS, tiny.TITLES)


@given(keys)
def test_key_undoes_ids(all_keys: list[str]) -> None:
    vocabulary = Vocabulary(all_keys)
    assert [vocabulary.key(item_id) for item_id in vocabulary.ids(all_keys).tolist()] == all_keys


@given(keys)
def test_any_key_survives_the_file(tmp_path_factory: pytest.TempPathFactory, all_keys: list[str]) -> None:
    path = tmp_path_factory.mktemp("vocabulary") / "items.txt"
    path.write_bytes("".join(f"{key}\n" for key in all_keys).encode())
    assert Vocabulary.read(path, None, n_items=len(all_keys)).keys[1:] == all_keys


@pytest.mark.parametrize(("unknown", "ids"), [("drop", [1, 2]), ("map", [1, 0, 2])])
def test_unknown_keys_are_dropped_or_mapped(vocabulary: Vocabulary, unknown: str, ids: list[int]) -> None:
    seen = vocabulary.ids(["apple", "?", "bread"], unknown)
    assert seen.tolist() == ids
    assert seen.dtype == np.int32


def test_an_unknown_key_is_named_with_its_place_and_the_closest(vocabulary: Vocabulary) -> None:
    with pytest.raises(
        UnknownItemError, match=r"^keys\[1\] is 'aple', .* 7 items .*\(1 more unknown\)\. Closest: 'apple'"
    ):
        vocabulary.ids(["figs", "aple", "?"])


@pytest.mark.parametrize("key", ["apple ", "Apple", "APPLE"])
def test_spaces_and_case_are_seen_through_in_the_message(vocabulary: Vocabulary, key: str) -> None:
    with pytest.raises(UnknownItemError, match="Closest: 'apple'"):
        vocabulary.ids([key])


def test_a_long_key_is_cut_in_the_message(vocabulary: Vocabulary) -> None:
    with pytest.raises(UnknownItemError) as caught:
        vocabulary.ids(["x" * 10_000])
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("unknown", ["error", "drop", "map"])
@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param("apple", "the single text 'apple', expected a sequence", id="str"),
        pytest.param(b"apple", "the single text b'apple'", id="bytes"),
        pytest.param(["apple", 50], r"keys\[1\] is 50 \(int\), expected text\. .*str\(key\)", id="int"),
        pytest.param([np.int64(5)], r"keys\[0\] .*\(int64\), expected text", id="numpy int"),
        pytest.param([["apple"]], r"keys\[0\] is \['apple'\] \(list\), expected text", id="nested"),
        pytest.param([None], r"keys\[0\] is None", id="None"),
        pytest.param(None, "keys is None, expected a sequence", id="no sequence"),
    ],
)
def test_ids_refuses_what_is_no_sequence_of_text(
    vocabulary: Vocabulary, given: object, message: str, unknown: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        vocabulary.ids(given, unknown)


@pytest.mark.parametrize("given", [("apple", "bread"), iter(["apple", "bread"]), np.array(["apple", "bread"])])
def test_ids_takes_any_iterable_of_text(vocabulary: Vocabulary, given: object) -> None:
    assert vocabulary.ids(given).tolist() == [1, 2]


def test_titles_are_none_where_the_line_is_empty(vocabulary: Vocabulary) -> None:
    assert (vocabulary.title(1), vocabulary.title(7)) == ("An apple", None)


def test_titles_are_none_without_a_file() -> None:
    assert Vocabulary(tiny.KEYS).title(1) is None


@pytest.mark.parametrize("item_id", [0, -1, 8])
def test_an_id_out_of_range_has_no_key(vocabulary: Vocabulary, item_id: int) -> None:
    with pytest.raises(HistoryError, match=f"item id is {item_id}, expected 1…7"):
        vocabulary.key(item_id)


def test_length_and_membership(vocabulary: Vocabulary) -> None:
    assert len(vocabulary) == 7
    assert "figs" in vocabulary
    assert "" not in vocabulary


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"a\nb\n", r"has 2 lines, expected 3 \(n_items\)", id="fewer"),
        pytest.param(b"a\nb\nc\nd\n", "has 4 lines, expected 3", id="more"),
        pytest.param(b"a\nb\na\n", "'a' stands on lines 1 and 3, expected each key once", id="twice"),
        pytest.param(b"a\n\nc\n", "line 2 is empty", id="empty"),
        pytest.param(b"a\n\xff\nc\n", "is not UTF-8 at byte 2", id="not UTF-8"),
    ],
)
def test_read_refuses(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "items.txt"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=message):
        Vocabulary.read(path, None, n_items=3)


def test_titles_have_as_many_lines_as_items(tmp_path: Path) -> None:
    (tmp_path / "items.txt").write_text("a\nb\n")
    (tmp_path / "titles.txt").write_text("A\n")
    with pytest.raises(BundleError, match=r"titles.txt has 1 lines, expected 2"):
        Vocabulary.read(tmp_path / "items.txt", tmp_path / "titles.txt", n_items=2)


def test_the_last_line_feed_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "items.txt").write_text("a\nb")
    assert len(Vocabulary.read(tmp_path / "items.txt", None, n_items=2)) == 2
