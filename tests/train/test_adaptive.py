"""What the preset `modern` fits to a log."""

import numpy as np
import pytest

from sasrec_train import adaptive, config
from sasrec_train.adaptive import adapt, profile


def log(length: int, *, users: int = 1000, items: int = 4000) -> adaptive.Adapted:
    """Return what is fitted to a log whose histories all have one length."""
    return adapt(profile(np.full(users, length), items))


@pytest.mark.parametrize(("length", "expected"), [(5, 50), (55, 50), (56, 100), (111, 100), (112, 200), (5000, 200)])
def test_the_sequence_length_holds_nine_tenths_of_the_interactions_where_200_do(length, expected) -> None:
    assert log(length).model["max_len"] == expected


def test_items_that_are_seen_often_need_less_dropout() -> None:
    rates = [log(length).model["dropout_rate"] for length in (10, 2000)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[1]


@pytest.mark.parametrize(("items", "expected"), [(5000, "cross_entropy"), (5001, "sampled_softmax")])
def test_a_large_catalogue_is_sampled(items, expected) -> None:
    assert log(10, items=items).train["loss"] == expected


def test_the_explanation_leaves_out_what_somebody_else_decided() -> None:
    fitted = log(500)
    assert "max_len 200, which holds 40% of the interactions" in fitted.explanation()
    assert "max_len" not in fitted.explanation({"max_len"})
    assert fitted.explanation(fitted.reasons) == ""


def test_every_fitted_field_is_explained() -> None:
    fitted = log(500)
    assert {*fitted.model, *fitted.train} == set(fitted.reasons)


def test_options_that_are_given_win_over_what_is_fitted() -> None:
    model, train = config.preset("modern", n_items=4000, adapted=log(500), model={"max_len": 7}, train={"loss": "gbce"})
    assert (model.max_len, train.loss) == (7, "gbce")


def test_published_presets_do_not_look_at_the_log() -> None:
    assert config.preset("paper", n_items=4000, adapted=log(500)) == config.preset("paper", n_items=4000)


def test_a_log_of_nothing_is_fitted_like_a_sparse_one() -> None:
    assert adapt(profile(np.zeros(0, np.int64), 1)).model == log(2).model
