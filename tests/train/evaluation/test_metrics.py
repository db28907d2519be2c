"""Ranking metrics, by hand and by their laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.evaluation.metrics import KS, ranking_metrics


def test_metrics_agree_with_hand_computed_values():
    result = ranking_metrics(np.array([0, 1, 9, 10]))
    # Ranks below 10: 0, 1 and 9. NDCG gains 1, 1/log2(3), 1/log2(11); reciprocal ranks 1, 1/2, 1/10.
    assert result["hr@1"] == 1 / 4
    assert result["hr@10"] == 3 / 4
    assert result["ndcg@10"] == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(11)) / 4)
    assert result["mrr@10"] == pytest.approx((1 + 1 / 2 + 1 / 10) / 4)
    assert result["hr@20"] == 1
    assert set(result) == {f"{name}@{k}" for name in ("hr", "ndcg", "mrr") for k in KS}


def test_no_users_give_zeros():
    assert set(ranking_metrics(np.array([], np.int64)).values()) == {0.0}


@given(st.lists(st.integers(0, 50), min_size=1))
def test_metrics_grow_with_k_and_keep_their_order(ranks):
    result = ranking_metrics(np.array(ranks), ks=(1, 2, 5, 10, 60))
    for name in ("hr", "ndcg", "mrr"):
        values = [result[f"{name}@{k}"] for k in (1, 2, 5, 10, 60)]
        assert values == sorted(values)
        assert values[0] >= 0
        assert values[-1] <= 1
    for k in (1, 2, 5, 10, 60):
        assert result[f"mrr@{k}"] <= result[f"ndcg@{k}"] + 1e-12
        assert result[f"ndcg@{k}"] <= result[f"hr@{k}"] + 1e-12


@given(st.lists(st.integers(0, 50), min_size=1), st.randoms())
def test_metrics_do_not_depend_on_the_order_of_users(ranks, random):
    shuffled = list(ranks)
    random.shuffle(shuffled)
    assert ranking_metrics(np.array(shuffled)) == pytest.approx(ranking_metrics(np.array(ranks)))
