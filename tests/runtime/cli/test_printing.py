"""What a user wrote is shown and never obeyed, on terminals and in JSON."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_runtime.cli.printing import print_json, print_lines, print_table, printable, table_lines

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def is_obeyed(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in BIDI


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not any(map(is_obeyed, printable(text)))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=BIDI)))
def test_other_text_comes_back_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;pwn\x07", r"\x1b]0;pwn\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x7f\x9b", r"\x7f\x9b"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("\udcff", r"\udcff"),
        ("Amélie – 雨 👩‍🚀", "Amélie – 雨 👩‍🚀"),
    ],
)
def test_control_characters_become_their_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_keep_their_ends_and_no_more() -> None:
    assert printable("a\nb\rc", lines=True) == "a\nb\\rc"


def test_a_table_is_as_wide_as_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([("\x1b[31m", "1"), ("bread", "2")])
    assert capsys.readouterr().out == "\\x1b[31m  1\nbread     2\n"


@pytest.mark.parametrize(
    ("rows", "options", "lines"),
    [
        pytest.param([("a", "10"), ("bb", "9.5")], {"headings": 0}, ["a    10", "bb  9.5"], id="numbers"),
        pytest.param([("", "n"), ("a", "1,000"), ("b", "–")], {}, ["       n", "a  1,000", "b      –"], id="a heading"),
        pytest.param([("n",), ("1e-05",), ("-2 %",), ("n/a",)], {}, ["    n", "1e-05", " -2 %", "  n/a"], id="forms"),
        pytest.param([("n", "x"), ("1", "1 MB")], {}, ["n  x", "1  1 MB"], id="text"),
        pytest.param([("n", "x"), ("1", "1 MB")], {"align": "lr"}, ["n     x", "1  1 MB"], id="as asked for"),
        pytest.param([("a", "b"), (), ("c", "d")], {}, ["a  b", "", "c  d"], id="a separator"),
        pytest.param([("alone", "12")], {}, ["alone  12"], id="headings only"),
        pytest.param([], {}, [], id="nothing"),
    ],
)
def test_a_table_has_aligned_columns(rows: list[tuple[str, ...]], options: dict, lines: list[str]) -> None:
    assert table_lines(rows, **options) == lines


def test_lines_go_where_they_are_sent(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines("a\x1b\nb", err=True)
    assert capsys.readouterr() == ("", "a\\x1b\nb\n")


@given(st.text(st.characters(exclude_categories=[])))
def test_json_holds_every_text_and_nothing_that_a_terminal_obeys(text: str) -> None:
    import contextlib
    import io

    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        print_json({"key": text, text: 1})
    assert not any(is_obeyed(character) for character in stream.getvalue() if character != "\n")
    assert json.loads(stream.getvalue()) == {"key": text, text: 1}


def test_json_has_null_for_a_number_that_it_cannot_hold(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": float("-inf")}, "e": (float("nan"),)})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": {"d": None}, "e": [None]}
