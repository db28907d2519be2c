"""Fixtures of the tests of allowed sets and groups."""

import pytest

from sasrec_runtime.selection import search


@pytest.fixture(params=["score", "recommend"])
def entry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The entry that answers for an allowed set, whatever its size."""
    if request.param == "recommend":
        monkeypatch.setattr(search, "SCORED_ITEMS", 0)  # the tiny catalogue has fewer items than SCORED_SHARE
    return request.param
