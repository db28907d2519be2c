"""Joining the log of a RUN with a newer one: ids and held-out items stay what they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.new_items.joined_log import join
from sasrec_train.split import split


def made(users: dict[str, list[str]], *, titles: dict[str, str] | None = None) -> Interactions:
    keys = sorted({item for items in users.values() for item in items}, key=lambda key: (len(key), key))
    ids = {key: number for number, key in enumerate(keys, 1)}
    histories = Histories.from_lists([[ids[item] for item in items] for items in users.values()])
    named = None if titles is None else [titles.get(key, "") for key in keys]
    return Interactions("log.csv", list(users), keys, named, histories)


def named(log: Interactions) -> dict[str, list[str]]:
    rows = zip(log.user_keys, log.histories, strict=True)
    return {user: [log.item_keys[item - 1] for item in items] for user, items in rows}


OLD = {"u": ["b", "a", "c"], "v": ["c", "b", "a", "d"], "w": ["a"]}


def test_new_rows_come_after_the_old_ones() -> None:
    old = made(OLD)
    joined = join(old, split(old), made({"v": ["x"], "w": ["d", "y"], "z": ["x"]}), more_items=[])
    expected = {"u": ["b", "a", "c"], "v": ["c", "b", "a", "d", "x"], "w": ["a", "d", "y"], "z": ["x"]}
    assert named(joined.interactions) == expected
    assert (joined.continued_users, joined.new_users) == (2, 1)


def test_new_items_come_after_the_old_ones_in_the_order_of_their_keys() -> None:
    old = made(OLD)
    joined = join(old, split(old), made({"u": ["zz", "y", "a"]}), more_items=["x", "a", "y"])
    assert joined.interactions.item_keys == ["a", "b", "c", "d", "x", "y", "zz"]


def test_a_log_that_repeats_the_old_one_takes_its_place() -> None:
    old = made(OLD)
    whole = {"u": ["b", "x", "a", "c"], "v": ["c", "b", "a", "x", "d"], "w": ["a", "x"]}
    assert named(join(old, split(old), made(whole), more_items=[]).interactions) == whole


def test_new_users_have_no_training_part() -> None:
    old = made(OLD)
    joined = join(old, split(old), made({"w": ["x"], "z": ["y", "a"]}), more_items=[])
    assert joined.points.train_ends[2:].tolist() == [1, 0]
    assert joined.points.test[2:].tolist() == [-1, -1]


@pytest.mark.parametrize("titles", [None, {"a": "Alpha"}], ids=["untitled", "titled"])
def test_a_title_of_a_new_item_is_kept_where_either_log_has_titles(titles: dict[str, str] | None) -> None:
    old = made(OLD, titles=titles)
    joined = join(old, split(old), made({"u": ["x"]}, titles={"x": "New"}), more_items=[])
    assert joined.interactions.titles == [(titles or {}).get("a", ""), "", "", "", "New"]


histories = st.lists(st.sampled_from("abcdef"), min_size=3, max_size=8)


@given(
    st.lists(histories, min_size=1, max_size=5), st.lists(st.lists(st.sampled_from("abcxyz"), max_size=6)), st.data()
)
def test_everybody_is_asked_for_the_same_item_after_the_same_items(before, after, data) -> None:
    old = made({f"u{row}": ["a", "b", *items] for row, items in enumerate(before)})
    points = split(old)
    new = {}
    for row, items in enumerate(after):
        whole = data.draw(st.booleans()) and row < len(before)
        repeated = ["a", "b", *before[row]] if whole else []
        new[f"u{row}"] = [*repeated, *items] or ["x"]
    joined = join(old, points, made(new or {"u0": ["x"]}), more_items=[])
    was, now = points.apply(old.histories), joined.points.apply(joined.interactions.histories)
    for name in ("validation", "test"):
        one, other = getattr(was, name), getattr(now, name)
        np.testing.assert_array_equal(one.targets, other.targets)
        np.testing.assert_array_equal(one.users, other.users)
        assert [row.tolist() for row in one.histories] == [row.tolist() for row in other.histories]
    assert joined.interactions.item_keys[: old.n_items] == old.item_keys
    trained = [[item for item in row.tolist() if item <= old.n_items] for row in now.train][: len(before)]
    assert trained == [row.tolist() for row in was.train]
