"""Rows of batch scoring: requests, answers, and rows that cannot be answered."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sasrec_runtime.errors import RequestError

__all__ = ["Answer", "BadRow", "Columns", "Row", "check_heading", "make_row"]


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the columns of a file of histories."""

    user: str = "user"
    """Column of the user's key."""
    history: str = "history"
    """Column of the history, oldest item first."""
    candidates: str = "candidates"
    """Column of the items to score, where the file has one."""
    among: str = "among"
    """Column of the only items to recommend, where the file has one."""
    separator: str = " "
    """Between the keys of one text: in CSV always, elsewhere where a column holds text and not a list."""

    def names(self) -> tuple[str, str, str, str]:
        """Return the names of the columns in the order of the arguments of `make_row`."""
        return self.user, self.history, self.candidates, self.among


class Row(msgspec.Struct, frozen=True):
    """One request."""

    number: int
    """Which row of the file it is, from 1, a heading not counted."""
    user: str
    """The user's key; copied to the answer."""
    history: list[str]
    """Item keys, oldest first; may be empty."""
    candidates: list[str] | None
    """Item keys to score; None: the best items are asked for."""
    among: list[str] | None = None
    """Item keys of which the best are asked for; None: all."""


class BadRow(msgspec.Struct, frozen=True):
    """A row that could not be answered."""

    row: int
    """Which row of the file it is, from 1, a heading not counted."""
    user: str | None
    """The user's key, where it could be read."""
    reason: str
    """What was wrong."""


class Answer(msgspec.Struct, frozen=True):
    """One line of the output."""

    user: str
    """The user's key, copied from the request."""
    items: list[str]
    """Item keys, best first; for candidates, in the order of the request."""
    scores: list[float] | None
    """One for each item; None where popularity, not the model, chose them."""
    is_fallback: bool
    """The history was empty, and these are the most popular items."""


def make_row(number: int, user: Any, history: Any, candidates: Any, among: Any, separator: str) -> Row | BadRow:
    """Return the request in one row of a file, or a BadRow that says what is wrong with it.

    Args:
        number: Which row of the file it is.
        user: Text or a whole number.
        history: A list of texts or whole numbers, or one text of keys with separators between.
        candidates: As `history`; None: there are none.
        among: As `candidates`; a row has one of the two at most.
        separator: Between the keys of one text.
    """
    name = _key(user)
    if not name:
        return BadRow(number, None, f"user is {user!r:.80}, expected text or a whole number")
    lists = []
    for place, value in (("history", history), ("candidates", candidates), ("among", among)):
        keys = _keys(value, separator)
        if keys is None and (place == "history" or value is not None):
            return BadRow(number, name, f"{place} is {value!r:.80}, expected a list of item keys")
        lists.append(keys)
    if candidates is not None and among is not None:
        return BadRow(number, name, "it has candidates, which are all scored, and among, expected one of the two")
    return Row(number, name, lists[0] or [], lists[1], lists[2])


def check_heading(path: Path, heading: list[str], columns: Columns) -> None:
    """Refuse a file that lacks a column, or has one twice of which only one would be read."""
    missing = [name for name in (columns.user, columns.history) if name not in heading]
    if missing:
        raise RequestError(
            f"{path} has columns {', '.join(heading)[:300] or 'none'}, "
            f"expected {columns.user!r} and {columns.history!r}. Name them with --user-column and --history-column."
        )
    for name in columns.names():
        if heading.count(name) > 1:
            raise RequestError(
                f"{path} has {heading.count(name)} columns called {name!r:.80}, expected one. Rename the others."
            )


def _keys(value: Any, separator: str) -> list[str] | None:
    """Return the keys of a list or a text; None if it is neither."""
    if isinstance(value, str):
        return [key for key in value.split(separator) if key]
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        return None
    keys = [_key(item) for item in value]
    return None if None in keys else keys  # type: ignore[return-value]  # it does not hold None


def _key(value: Any) -> str | None:
    """Return a key as text. Numbers stand for their digits: many logs hold keys as numbers."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
