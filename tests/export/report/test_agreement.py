"""How alike two lists are: against numbers worked out by hand, and an independent reading of the definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_export.report.measure import agreement
from sasrec_export.report.measure.ranking import Lists


def lists_of(*rows: list[int], scores: list[list[float]] | None = None) -> Lists:
    items = np.array(rows, np.int32)
    given_scores = np.array(scores, np.float32) if scores else -np.arange(items.size, dtype=np.float32)
    return Lists(items=items, scores=given_scores.reshape(items.shape))


def test_overlap_is_the_share_of_the_reference() -> None:
    reference = lists_of([5, 2, 9], [4, 1, 3], [7, 0, 0])
    found = agreement.agreement(lists_of([2, 5, 1], [4, 1, 3], [8, 0, 0]), reference)
    # 2 of 3, 3 of 3, 0 of the 1 item that the reference lists.
    assert agreement.overlaps(found, k=3).tolist() == pytest.approx([2 / 3, 1, 0])


def test_two_empty_lists_agree_wholly() -> None:
    reference = lists_of([5, 2], [0, 0], scores=[[3.0, 1.0], [-np.inf, -np.inf]])
    found = agreement.agreement(reference, reference)
    assert agreement.overlaps(found, k=2).tolist() == [1, 1]
    assert agreement.rank_biased_overlap(found).tolist() == pytest.approx([1, 1])
    assert found.spread == 2


def test_overlap_at_a_smaller_k_looks_at_the_first_places_of_both() -> None:
    found = agreement.agreement(lists_of([2, 5, 1]), lists_of([5, 2, 1]))
    assert agreement.overlaps(found, k=1).tolist() == [0]


def test_another_first_item_is_counted() -> None:
    found = agreement.agreement(lists_of([2, 5], [3, 4]), lists_of([5, 2], [3, 9]))
    assert found.changed_top1.tolist() == [True, False]


def test_scores_are_compared_item_by_item_not_place_by_place() -> None:
    ours = lists_of([2, 5], scores=[[4.0, 3.0]])
    theirs = lists_of([5, 2], scores=[[3.5, 3.0]])
    found = agreement.agreement(ours, theirs)
    assert sorted(found.score_differences.tolist()) == [-0.5, 1.0]
    assert found.spread == 0.5


def test_rank_biased_overlap_by_hand() -> None:
    # Common items at depths 1, 2: 0 and 2, agreement 0 and 1; p = .5:
    # (1 - p) / p · (0 · p + 1 · p²) + 1 · p² = .25 + .25
    found = agreement.agreement(lists_of([2, 5]), lists_of([5, 2]))
    assert agreement.rank_biased_overlap(found, p=0.5).tolist() == [0.5]


def rbo_by_definition(ours: list[int], theirs: list[int], p: float) -> float:
    """Webber, Moffat and Zobel 2010, equation 32 with lists of one length, summed naively."""
    ours, theirs = ([item for item in row if item] for row in (ours, theirs))
    k = len(theirs)
    if not k:
        return 1.0  # not defined there; equal lists agree
    agreed = [len(set(ours[:d]) & set(theirs[:d])) for d in range(1, k + 1)]
    series = sum(x / d * p**d for d, x in enumerate(agreed, 1))
    return agreed[-1] / k * p**k + (1 - p) / p * series


ROW = st.permutations(list(range(1, 13))).map(lambda row: row[:8])


@given(st.lists(st.tuples(ROW, ROW, st.integers(0, 8)), min_size=1, max_size=5), st.sampled_from([0.5, 0.9]))
def test_rank_biased_overlap_is_that_of_its_definition(rows: list[tuple[list[int], list[int], int]], p: float) -> None:
    ours = [row[:listed] + [0] * (8 - listed) for row, _, listed in rows]
    theirs = [row[:listed] + [0] * (8 - listed) for _, row, listed in rows]
    found = agreement.agreement(lists_of(*ours), lists_of(*theirs))
    expected = [rbo_by_definition(a, b, p) for a, b in zip(ours, theirs, strict=True)]
    assert agreement.rank_biased_overlap(found, p=p).tolist() == pytest.approx(expected)


@given(st.lists(ROW, min_size=1, max_size=5))
def test_equal_lists_agree_wholly(rows: list[list[int]]) -> None:
    found = agreement.agreement(lists_of(*rows), lists_of(*rows))
    assert agreement.rank_biased_overlap(found).tolist() == pytest.approx([1.0] * len(rows))
    assert not found.changed_top1.any()


def test_many_users_are_compared_in_parts_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (lists_of(*(rng.permutation(30)[:10] + 1 for _ in range(50))) for _ in range(2))
    whole = agreement.agreement(ours, theirs)
    monkeypatch.setattr(agreement, "CHUNK_USERS", 7)
    parts = agreement.agreement(ours, theirs)
    assert parts.common.tolist() == whole.common.tolist()
    assert parts.score_differences.tolist() == whole.score_differences.tolist()
