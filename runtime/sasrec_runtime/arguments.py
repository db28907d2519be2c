"""Arguments of requests, checked: what is wrong is one sentence that names the argument and the value."""

import operator
from collections.abc import Iterable, Sequence

from sasrec_runtime.errors import HistoryError, RequestError, shown

__all__ = ["as_lists", "checked_bytes"]


def as_lists(place: str, lists: Iterable[Sequence[str]], expected: str) -> list[Sequence[str]]:
    """Return several lists of item keys as a list; `expected` is what messages call them."""
    if isinstance(lists, str | bytes):
        raise HistoryError(f"{place} is the single text {shown(lists)}, expected a sequence of {expected}.")
    try:
        return list(lists)
    except TypeError as error:
        raise HistoryError(f"{place} is {shown(lists)}, expected a sequence of {expected}.") from error


def checked_bytes(batch_bytes: int) -> int:
    """Return the memory for one call as an int."""
    try:
        return int(operator.index(batch_bytes))
    except TypeError as error:
        raise RequestError(f"batch_bytes is {shown(batch_bytes)}, expected a whole number.") from error
