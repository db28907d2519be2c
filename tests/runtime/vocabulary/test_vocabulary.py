"""Vocabulary: keys to ids and back."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import tiny
from sasrec_runtime.errors import BundleError, HistoryError, UnknownItemError
from sasrec_runtime.vocabulary import mapped_lines
from sasrec_runtime.vocabulary import vocabulary as vocabulary_module
from sasrec_runtime.vocabulary.key_index import HASHED_WORDS, WORD_BYTES, KeyIndex
from sasrec_runtime.vocabulary.mapped_lines import MappedLines
from sasrec_runtime.vocabulary.vocabulary import Vocabulary

# Keys as a data set may have them: no line feed, for that ends a line of items.txt; no lone surrogates in UTF-8.
# Long ones share what a hash of their first bytes would see.
texts = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)
keys = st.lists(texts | texts.map(lambda text: "https://" * (HASHED_WORDS + 1) + text), min_size=1, unique=True)


def write(path: Path, lines: list[str]) -> Path:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return path


@pytest.fixture(params=["in memory", "mapped"])
def read(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Vocabulary]:
    """Vocabulary.read, of a small catalogue and as of a large one."""
    monkeypatch.setattr(vocabulary_module, "MAPPED_FROM", {"in memory": 1 << 30, "mapped": 0}[request.param])
    return Vocabulary.read


@pytest.fixture
def vocabulary(read: Callable[..., Vocabulary], tmp_path: Path) -> Vocabulary:
    items, titles = write(tmp_path / "items.txt", tiny.KEYS), write(tmp_path / "titles.txt", tiny.TITLES)
    return read(items, titles, n_items=len(tiny.KEYS))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys)
def test_key_undoes_ids(
    read: Callable[..., Vocabulary], tmp_path_factory: pytest.TempPathFactory, all_keys: list[str]
) -> None:
    path = write(tmp_path_factory.mktemp("vocabulary") / "items.txt", all_keys)
    vocabulary = read(path, None, n_items=len(all_keys))
    assert [vocabulary.key(item_id) for item_id in vocabulary.ids(all_keys).tolist()] == all_keys


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys)
def test_any_key_survives_the_file(
    read: Callable[..., Vocabulary], tmp_path_factory: pytest.TempPathFactory, all_keys: list[str]
) -> None:
    path = write(tmp_path_factory.mktemp("vocabulary") / "items.txt", all_keys)
    assert list(read(path, None, n_items=len(all_keys)).keys[1:]) == all_keys


@given(keys, keys)
def test_an_index_finds_what_a_dict_would(
    tmp_path_factory: pytest.TempPathFactory, known: list[str], asked: list[str]
) -> None:
    lines = MappedLines(write(tmp_path_factory.mktemp("vocabulary") / "items.txt", known), len(known))
    expected = {key: line for line, key in enumerate(known, 1)}
    index = KeyIndex(lines)
    assert [index.get(key) for key in known + asked] == [expected.get(key) for key in known + asked]


def test_an_index_holds_more_keys_than_are_hashed_at_once(tmp_path: Path) -> None:
    known = [str(number) for number in range(1, 70_000)]
    index = KeyIndex(MappedLines(write(tmp_path / "items.txt", known), len(known)))
    assert [index.get(key) for key in known] == list(range(1, 70_000))


def test_keys_that_end_alike_beyond_what_is_hashed_are_told_apart(tmp_path: Path) -> None:
    end = "e" * (WORD_BYTES * HASHED_WORDS)
    index = KeyIndex(MappedLines(write(tmp_path / "items.txt", ["a" + end, "b" + end]), 2))
    assert (index.get("a" + end), index.get("b" + end), index.get("c" + end)) == (1, 2, None)


def test_repeated_keys_are_found_among_equal_hashes(tmp_path: Path) -> None:
    end = "e" * (WORD_BYTES * HASHED_WORDS)
    known = [letter + end for letter in "abcbca"]
    with pytest.raises(BundleError, match=r"'beee.* stands on lines 2 and 4,"):
        KeyIndex(MappedLines(write(tmp_path / "items.txt", known), len(known)))


def test_a_repeated_key_is_found_wherever_its_hash_is_sorted(tmp_path: Path) -> None:
    lines = MappedLines(write(tmp_path / "items.txt", ["a", "a", "b"]), 3)
    for _ in range(30):  # the hash is seeded at random
        with pytest.raises(BundleError, match="stands on lines 1 and 2"):
            KeyIndex(lines)


@pytest.mark.parametrize("key", ["\ud800", 1, None])
def test_an_index_does_not_hold_what_is_no_utf_8_text(tmp_path: Path, key: object) -> None:
    assert key not in KeyIndex(MappedLines(write(tmp_path / "items.txt", ["a"]), 1))


def test_utf_8_may_be_cut_between_the_parts_that_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapped_lines, "CHUNK_BYTES", 2)
    assert MappedLines(write(tmp_path / "items.txt", ["aé€😀", "b"]), 2)[1:] == ["aé€😀", "b"]


def test_the_place_of_what_is_no_utf_8_counts_from_the_start_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped_lines, "CHUNK_BYTES", 2)
    (tmp_path / "items.txt").write_bytes(b"abc\xe2\x82a\n")
    with pytest.raises(BundleError, match="not UTF-8 at byte 3"):
        MappedLines(tmp_path / "items.txt", 1)


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


@pytest.mark.parametrize("iterable", [tuple, iter, np.array])
def test_ids_takes_any_iterable_of_text(vocabulary: Vocabulary, iterable: Callable[..., Iterable[str]]) -> None:
    assert vocabulary.ids(iterable(["apple", "bread"])).tolist() == [1, 2]


def test_titles_are_none_where_the_line_is_empty(vocabulary: Vocabulary) -> None:
    assert (vocabulary.title(1), vocabulary.title(7)) == ("An apple", None)


def test_titles_are_none_without_a_file(read: Callable[..., Vocabulary], tmp_path: Path) -> None:
    vocabulary = read(write(tmp_path / "items.txt", ["a", "b"]), None, n_items=2)
    assert (vocabulary.title(1), vocabulary.titles[1:], len(vocabulary.titles)) == (None, [None, None], 3)


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
        pytest.param(b"", "has 0 lines, expected 3", id="nothing"),
        pytest.param(b"a\n\xff\nc\n", "is not UTF-8 at byte 2", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbfa\nb\nc\n", "begins with a byte order mark", id="byte order mark"),
    ],
)
def test_read_refuses(read: Callable[..., Vocabulary], tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "items.txt"
    path.write_bytes(data)
    with pytest.raises(BundleError, match=message):
        read(path, None, n_items=3)


def test_titles_have_as_many_lines_as_items(read: Callable[..., Vocabulary], tmp_path: Path) -> None:
    (tmp_path / "items.txt").write_text("a\nb\n")
    (tmp_path / "titles.txt").write_text("A\n")
    with pytest.raises(BundleError, match=r"titles.txt has 1 lines, expected 2"):
        read(tmp_path / "items.txt", tmp_path / "titles.txt", n_items=2)


def test_the_last_line_feed_may_be_missing(read: Callable[..., Vocabulary], tmp_path: Path) -> None:
    (tmp_path / "items.txt").write_text("a\nb")
    vocabulary = read(tmp_path / "items.txt", None, n_items=2)
    assert vocabulary.ids(["a", "b"]).tolist() == [1, 2]
    assert [vocabulary.key(1), vocabulary.key(2)] == ["a", "b"]
