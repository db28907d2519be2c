"""What is filtered of a log, in which order, and what is logged."""

import logging

import hypothesis
import numpy as np
import polars as pl
import pytest
from hypothesis import strategies as st

from sasrec_train import datasets
from sasrec_train.errors import ConfigError, DataError
from sasrec_train.log import k_core
from sasrec_train.log.filters import Filters

RATED = "user,item,rating,time\nu,a,5,1\nu,b,3,2\nu,c,3.5,3\nv,a,1,1\n"
PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=60)


def kept_of(loaded) -> dict[str, list[str]]:
    return {
        user: [loaded.item_keys[item_id - 1] for item_id in history]
        for user, history in zip(loaded.user_keys, loaded.histories, strict=True)
    }


def naive_core(pairs: list[tuple[int, int]], users: int, items: int) -> list[int]:
    """Take out one user or item at a time, as the definition goes."""
    kept = list(range(len(pairs)))
    while True:
        counts = [[sum(pairs[row][side] == key for row in kept) for key in range(7)] for side in (0, 1)]
        poor = [
            (side, key) for side, least in ((0, users), (1, items)) for key in range(7) if 0 < counts[side][key] < least
        ]
        if not poor:
            return kept
        side, key = poor[0]
        kept = [row for row in kept if pairs[row][side] != key]


@hypothesis.given(PAIRS, st.integers(1, 4), st.integers(1, 4))
def test_the_core_is_the_largest_part_where_all_have_enough_in_its_order(pairs, users, items):
    who, what = np.array(pairs, np.int64).reshape(-1, 2).T
    kept = k_core.core(who, what, least_of_users=users, least_of_items=items)
    assert kept.tolist() == naive_core(pairs, users, items)
    assert (np.bincount(who[kept])[who[kept]] >= users).all()
    assert (np.bincount(what[kept])[what[kept]] >= items).all()


def test_the_core_is_iterated_and_ids_keys_times_and_titles_stay_together(log, caplog):
    # d goes as rare, then v has one interaction left, then b has one.
    rows = ["u,a,1", "u,c,2", "v,b,3", "v,d,4", "w,c,5", "w,b,6", "w,a,7"]
    titles = log("t.csv", "item,title\na,A\nb,B\nc,C\nd,D\n")
    path = log("log.csv", "user,item,time\n" + "\n".join(rows) + "\n")
    with caplog.at_level(logging.INFO):
        loaded = datasets.load(str(path), titles=titles, filters=Filters(k_core=2))
    assert kept_of(loaded) == {"u": ["a", "c"], "w": ["c", "a"]}
    assert loaded.times.tolist() == [1, 2, 5, 7]
    assert loaded.titles == ["A", "C"]
    assert loaded.filters == Filters(k_core=2)
    assert "--k-core 2: filtered 3 of 7 interactions, 1 of 3 users and 2 of 4 items" in caplog.text


def test_min_history_leaves_out_users_and_the_items_that_go_with_them(log, caplog):
    with caplog.at_level(logging.INFO):
        loaded = datasets.load(str(log("log.txt", "u a\nu b\nv c\n")), filters=Filters(min_history=2))
    assert kept_of(loaded) == {"u": ["a", "b"]}
    assert loaded.n_items == 2
    assert "--min-history 2: filtered 1 of 3 interactions, 1 of 2 users and 1 of 3 items" in caplog.text


def test_a_core_with_a_min_history_holds_for_both(log):
    text = "u a\nu b\nv a\nv b\nv a\nv b\n"
    loaded = datasets.load(str(log("log.txt", text)), filters=Filters(k_core=2, min_history=3))
    assert kept_of(loaded) == {"v": ["a", "b", "a", "b"]}


def test_a_synthetic_log_can_be_filtered():
    loaded = datasets.load("synthetic:items=50,users=100,mean_length=8", filters=Filters(k_core=4))
    assert loaded.histories.lengths.min() >= 4
    assert np.bincount(loaded.histories.item_ids)[1:].min() >= 4


def test_an_empty_core_is_refused(log):
    with pytest.raises(
        DataError, match=r"log\.txt: --k-core 3 leaves nothing of 3 interactions of 2 users with 2 items. Lower it"
    ):
        datasets.load(str(log("log.txt", "u a\nu b\nv a\n")), filters=Filters(k_core=3))


@pytest.mark.parametrize("name", ["rating", "Stars", "overall", "review_score"])
def test_rows_rated_lower_are_left_out_first(log, caplog, name):
    path = log("log.csv", RATED.replace("rating", name))
    with caplog.at_level(logging.INFO):
        assert kept_of(datasets.load(str(path), filters=Filters(min_rating=3.5))) == {"u": ["a", "c"]}
    assert "--min-rating 3.5: 2 of 4 rows of" in caplog.text


def test_a_rating_column_can_be_named_and_typed(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": [1, 2], "liked": [0, 1]}).write_parquet(path)
    loaded = datasets.load(str(path), filters=Filters(min_rating=1, rating_column="liked"))
    assert kept_of(loaded) == {"1": ["2"]}


def test_a_dat_file_has_ratings(log):
    loaded = datasets.load(str(log("ratings.dat", "1::1::5::3\n1::2::4::2\n")), filters=Filters(min_rating=5))
    assert kept_of(loaded) == {"1": ["1"]}


def test_a_row_told_twice_counts_once_for_the_core(log):
    path = log("log.csv", "user,item,time\nu,a,1\nu,a,1\nv,b,1\nv,b,2\n")
    assert kept_of(datasets.load(str(path), filters=Filters(k_core=2))) == {"v": ["b", "b"]}


def test_what_is_rated_too_low_is_not_looked_at_and_rows_keep_their_numbers(log):
    path = log("log.csv", "user,item,rating,time\nu,,1,x\nu,b,5,2\n")
    assert kept_of(datasets.load(str(path), filters=Filters(min_rating=2))) == {"u": ["b"]}
    path = log("log.csv", "user,item,rating,time\nu,,1,1\nu,b,5,2\nu,,5,2\n")
    with pytest.raises(DataError, match="column 'item', row 3 is missing"):
        datasets.load(str(path), filters=Filters(min_rating=2))


@pytest.mark.parametrize(
    ("text", "filters", "match"),
    [
        ("user,item\nu,a\n", {}, "'user', 'item'; none is known by its name. Say which with --rating-column"),
        (RATED, {"rating_column": "ratng"}, r"no column 'ratng' \(--rating-column\).*Did you mean 'rating'"),
        (RATED.replace("3.5", "good"), {}, "column 'rating', row 3 is 'good', expected a rating, a number"),
        (RATED.replace("3.5", "nan"), {}, "column 'rating', row 3 is 'nan', expected a rating"),
        (RATED.replace("3.5", ""), {}, "column 'rating', row 3 is missing, expected a rating"),
        (RATED, {"min_rating": 6}, "--min-rating 6 leaves no row: the highest 'rating' is 5. Lower it"),
    ],
)
def test_ratings_that_cannot_be_used_are_refused(log, text, filters, match):
    with pytest.raises(DataError, match=match):
        datasets.load(str(log("log.csv", text)), filters=Filters(**{"min_rating": 1, **filters}))


def test_a_rating_column_of_another_type_is_refused(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1], "item": [1], "rating": [[5]]}).write_parquet(path)
    with pytest.raises(DataError, match=r"column 'rating' is of type List.*expected ratings as numbers"):
        datasets.load(str(path), filters=Filters(min_rating=1))


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"rating_column": "stars"}, "--rating-column has no effect without --min-rating"),
        ({"min_rating": float("nan")}, "--min-rating is nan, expected a number"),
        ({"k_core": 5, "min_history": 5}, "--min-history 5 has no effect beside --k-core 5"),
    ],
)
def test_filters_that_make_no_sense_together_are_refused(fields, match):
    with pytest.raises(ConfigError, match=match):
        Filters(**fields)
