"""Versions of packages, compared number by number: 1.9 is older than 1.17."""

import re

__all__ = ["release"]


def release(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version, without what follows them: those of "1.32.0.dev3" are (1, 32, 0).

    A text that does not begin with a number gives ().

    Source: PEP 440, release segment.
    """
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, match[0].split("."))) if match else ()
