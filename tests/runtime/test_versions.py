"""Versions compare number by number."""

import pytest

from sasrec_runtime.versions import release


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("1.32.0.dev3", (1, 32, 0)), ("2", (2,)), ("1.17rc1", (1, 17)), ("", ()), ("dev", ())],
)
def test_the_release_is_the_leading_numbers(version: str, numbers: tuple[int, ...]) -> None:
    assert release(version) == numbers


def test_numbers_are_compared_and_not_text() -> None:
    assert release("1.9") < release("1.17")
    assert not release("1.100") < release("1.32")
