"""Reading files of item features, and the matrix that they become."""

import numpy as np
import polars as pl
import pytest

from sasrec_train.errors import DataError
from sasrec_train.new_items import feature_matrix, feature_table

CSV = """item,colour,price,description
1,red,10,A fast red car
2,blue,20,A slow blue car
3,red,,the fast train
"""


def kinds(table) -> dict[str, str]:
    return {column.name: column.kind for column in table.columns}


def dense(matrix: feature_matrix.FeatureMatrix) -> np.ndarray:
    return np.concatenate([chunk for _, chunk in matrix.dense(np.arange(matrix.shape[0]))])


def test_columns_are_told_apart_by_what_they_hold(log) -> None:
    table = feature_table.read(log("f.csv", CSV))
    assert table.keys == ["1", "2", "3"]
    assert kinds(table) == {"colour": "categories", "price": "numbers", "description": "text"}


def test_parquet_says_the_types_itself(tmp_path) -> None:
    frame = pl.DataFrame({"sku": ["a", "b"], "new": [True, False], "tags": [["x", "y z"], None], "n": [1.5, 2]})
    frame.write_parquet(tmp_path / "f.parquet")
    table = feature_table.read(tmp_path / "f.parquet")
    assert kinds(table) == {"new": "numbers", "tags": "text", "n": "numbers"}
    assert table.columns[1].values == ["x y z", ""]


def test_the_first_column_is_the_key_where_none_is_called_so(log) -> None:
    assert feature_table.read(log("f.csv", "what,size\na,1\nb,2\n")).keys == ["a", "b"]


def test_a_column_called_title_gives_titles(log) -> None:
    assert feature_table.read(log("f.csv", "item,title\n1,One thing\n2,\n")).titles == ["One thing", ""]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("item,a\n1,x\n1,y\n2,z\n", r"column 'item', row 2 is '1' for a second time, expected one row per item"),
        ("item,a,b\n1,x,\n2,y, \n", r"column 'b' is empty in every row, expected a feature\. Fill or remove it"),
        ("item\n1\n2\n", r"has the column 'item' only, expected features beside it"),
        ("item,a,a\n1,x,y\n", r"two or more columns called 'a'"),
        ("item,a\n1,x\n,y\n", r"column 'item', row 2 is missing, expected an id in every row"),
    ],
    ids=["repeated", "empty", "keys only", "one name", "no key"],
)
def test_what_is_not_a_table_of_features_is_named(log, text, match) -> None:
    with pytest.raises(DataError, match=match):
        feature_table.read(log("f.csv", text))


def test_a_file_without_named_columns_is_refused(log) -> None:
    with pytest.raises(DataError, match="has no named columns, expected a row per item under a header"):
        feature_table.read(log("f.txt", "1 2\n"))


def test_a_type_that_is_not_a_feature_is_named(tmp_path) -> None:
    pl.DataFrame({"item": [1], "when": [pl.date(2020, 1, 1)]}, strict=False).select(
        pl.col("item"), pl.lit(1).cast(pl.Duration).alias("when")
    ).write_parquet(tmp_path / "f.parquet")
    with pytest.raises(DataError, match="column 'when' is of type Duration"):
        feature_table.read(tmp_path / "f.parquet")


def test_numbers_are_standardised_over_the_known_rows_and_missing_ones_are_0(log) -> None:
    table = feature_table.read(log("f.csv", "item,n\n1,10\n2,20\n3,\n4,100\n"))
    values = dense(feature_matrix.matrix(table, np.array([0, 1, 2])))
    np.testing.assert_allclose(values[:, 0], [-1, 1, 0, 17])


def test_words_and_categories_of_one_known_item_are_left_out(log) -> None:
    table = feature_table.read(log("f.csv", CSV))
    matrix = feature_matrix.matrix(table, np.arange(3))
    assert matrix.shape == (3, 1 + 1 + 3)  # red; price; "a", "fast", "car"


def test_the_words_of_a_row_have_length_1(log) -> None:
    table = feature_table.read(log("f.csv", "item,t\n1,one two\n2,two one two\n3,three three\n4,three one\n"))
    values = dense(feature_matrix.matrix(table, np.arange(4)))
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1)


def test_more_words_than_there_is_room_for_share_columns(log, monkeypatch) -> None:
    monkeypatch.setattr(feature_matrix, "MAX_COLUMNS", 8)
    rows = "".join(f"{item},w{item % 50} v{item % 37}\n" for item in range(200))
    matrix = feature_matrix.matrix(feature_table.read(log("f.csv", f"item,t\n{rows}")), np.arange(200))
    assert matrix.shape[1] <= 8
    assert set(matrix.rows.tolist()) == set(range(200))
