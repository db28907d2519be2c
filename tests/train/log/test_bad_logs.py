"""Logs that cannot be read: each ends in one sentence that says where, what was seen and what to do."""

import contextlib
import os
import random

import polars as pl
import pytest

from sasrec_train import datasets, memory
from sasrec_train.errors import DataError
from sasrec_train.log import encode as encode_module

HEADER = "user,item,time\n"


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        ("log.csv", "", "log.csv is empty, expected one interaction per row"),
        ("log.csv", HEADER, "has no rows"),
        ("log.txt", "\n\n", "has no rows"),
        ("log.xls", "1 2\n", r"ends in '.xls', expected .inter"),
        ("ratings.dat", "1::2::3::4\n1 2\n", "line 2 is '1 2', expected `user::item::rating::time`"),
        ("ratings.dat", "1::2::3\n", "line 1 is '1::2::3', expected `user::item::rating::time`"),
        ("ratings.dat", "1::2::3::4\n\n1::2::3::noon\n", "column 'timestamp', line 3 is 'noon', expected a number"),
        ("log", "1 2\n", r"ends in '', expected .inter"),
        ("log.csv", "u,i\n1,2\n", r"has the columns 'u', 'i'; none is known by its name. Say which with --user-column"),
        ("log.csv", "user;item\n1;2\n", r"has the columns 'user;item'"),
        ("log.csv", HEADER + "u,,1\n", "column 'item', row 1 is missing, expected an id in every row"),
        ("log.csv", HEADER + "u,a,1\n  ,a,2\n", "column 'user', row 2 is '  ', expected an id in every row"),
        ("log.csv", HEADER + "u,1,1\nu,2.5,2\n", "column 'item', row 2 is '2.5', expected whole numbers or text"),
        ("log.csv", HEADER + 'u,"a\nb",1\n', r"column 'item', row 1 is 'a\\nb', expected ids without line breaks"),
        ("log.csv", HEADER + "u,a,1\nu,b,soon\n", "row 2 is 'soon', expected a number or an ISO 8601 time"),
        ("log.csv", HEADER + "u,a,1\nu,b,nan\n", "column 'time', row 2 is 'nan'"),
        ("log.csv", HEADER + "u,a,1\nu,b,\n", "column 'time', row 2 is missing"),
        ("log.csv", HEADER + "u,a,2024-01-01\nu,b,2024-13-01\nu,c,2024-01-03\n", "row 2 is '2024-13-01'"),
        ("log.csv", HEADER + "u,a,1,9\n", "cannot be read as .csv"),
        ("log.csv", b"user,item\n\xff\xfe,a\n", "cannot be read as .csv"),
        ("log.parquet", "no parquet", "cannot be read as .parquet"),
        ("log.txt", "1 2\n\n 3 \n", "line 3 is ' 3 ', expected `user item`, or `user item item …` with one line per"),
        ("log.txt", "9 1 2\n1 2\n2 3\n1 2 3\n", "user '1' stands on line 2 and again on line 4, expected one line per"),
        ("log.txt", "9 1 2\n9 2\n", "as line 1 has 3 fields. If the columns are a rating or a time, give the"),
        ("log.txt", "1 2\n1 -1\n", "column 'item', line 2 is '-1', expected ids of 0 or more"),
        ("log.txt", "1 2\n\n  \n1 -1\n", "column 'item', line 4 is '-1', expected ids of 0 or more"),
        ("log.txt", "1 2\n\n1\t-1\n", "column 'item', line 3 is '-1', expected ids of 0 or more"),
        ("log.txt", "1 2 3\n\n2 4 -1\n", "column 'item', line 3 is '-1', expected ids of 0 or more"),
        ("log.csv", HEADER + "u,1,1\nu,-1,2\nu,-1,3\n", r"row 2 is '-1', expected ids of 0 or more.* \(2 such rows\)"),
        ("log.csv", HEADER + "u,1,1\nu,nan,2\n", "column 'item', row 2 is 'nan', expected a whole number as in"),
        ("log.csv", "user,item,item\nu,1,2\n", "two or more columns called 'item', expected one. .*--item-column"),
        ("log.csv", "user,user,item\nu,1,2\n", "two or more columns called 'user', expected one. .*--user-column"),
        ("log.tsv", "user\titem\ttime\ttime\nu\t1\t2\t3\n", "two or more columns called 'time'"),
        ("log.csv", '\n\n"user","item",item\nu,1,2\n', "two or more columns called 'item'"),
        ("log.inter", "user_id:token\titem_id:token\titem_id:float\n1\t2\t3\n", "columns called 'item_id'"),
        ("log.csv", HEADER + "u,a\0b,1\n", r"row 1 is 'a\\x00b', expected ids of UTF-8 text, without NUL"),
        ("log.txt", "1 2\n\0\0\0 3\n", "line 2 is .*expected ids of UTF-8 text, without NUL"),
        ("log.txt", "u 1\n\ufeffu 2\n", "line 2 is .*expected ids of UTF-8 text, without NUL characters or byte"),
        ("log.csv", HEADER + "u," + "x" * 20_000 + ",1\n", "expected ids of at most 16,384 bytes"),
        ("ratings.dat", "1::2::3::4\n1::2::" + "x" * 100_000 + "::4\n", "line 2 is .*expected `user::item"),
        ("log.txt", "u 1\ru 2\ru 3\r", r"line 1 is 'u 1\\ru 2.*It holds a carriage return\. Convert the file"),
        ("log.csv", b"\x28\xb5\x2f\xfd" + HEADER.encode() + b"u,1,1\n", "cannot be read as .csv"),
        ("log.csv", HEADER.encode("utf-16"), r"log\.csv has NUL characters in its header, expected UTF-8 text"),
        ("log.csv", HEADER + "u,x,1\nu,2,2\nu,2.0,3\n", "row 3 is '2.0', expected one way to write a number"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_place(log, name, text, match):
    with pytest.raises(DataError, match=match):
        datasets.load(str(log(name, text)))


def test_a_missing_file_says_what_else_to_give(tmp_path):
    with pytest.raises(DataError, match=r"does not exist\. Give ml-100k, synthetic, or the path of a log"):
        datasets.load(str(tmp_path / "nothing.csv"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("option", ["data", "titles"])
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path, log, option):
    os.mkfifo(tmp_path / "pipe.csv")
    given = {"data": str(log("log.txt", "u 1\n")), "titles": None, option: str(tmp_path / "pipe.csv")}
    with pytest.raises(DataError, match=r"pipe\.csv is a pipe, expected a file"):
        datasets.load(**given)


def test_a_link_that_leads_to_itself_is_refused(tmp_path):
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    with pytest.raises(DataError, match="cannot be looked up"):
        datasets.load(str(tmp_path / "loop.csv"))


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000 + ".csv"], ids=["NUL", "long"])
def test_a_name_that_no_disk_can_hold_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be looked up"):
        datasets.load(f"{tmp_path}/{name}")


def test_a_file_that_may_not_be_read_is_refused(log, monkeypatch):
    path = log("log.csv", HEADER + "u,a,1\n")
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests often run as root, who may read everything
    with pytest.raises(DataError, match="cannot be read: permission denied"):
        datasets.load(str(path))


def test_a_log_that_does_not_fit_in_memory_is_refused(log, monkeypatch):
    def encode(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(encode_module, "encode", encode)
    with pytest.raises(DataError, match="does not fit in this machine's memory"):
        datasets.load(str(log("log.csv", HEADER + "u,a,1\n")))


def test_a_parquet_file_that_makes_polars_panic_is_refused(tmp_path, monkeypatch):
    pl.DataFrame({"user": [1], "item": [2]}).write_parquet(tmp_path / "log.parquet")

    def panic(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("assertion failed")

    monkeypatch.setattr(pl.LazyFrame, "collect", panic)
    with pytest.raises(DataError, match=r"cannot be read as \.parquet: assertion failed"):
        datasets.load(str(tmp_path / "log.parquet"))


@pytest.mark.parametrize("seed", range(40))
def test_a_corrupted_parquet_file_gives_a_log_or_one_sentence(tmp_path, seed):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [f"u{i % 7}" for i in range(99)], "item": [i % 11 for i in range(99)]}).write_parquet(path)
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        datasets.load(str(path))


def test_a_time_that_64_bits_of_microseconds_do_not_reach_is_refused(tmp_path):
    path = tmp_path / "log.parquet"
    far = pl.Series([2**60, 0]).cast(pl.Datetime("ms"))
    pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": far}).write_parquet(path)
    with pytest.raises(DataError, match=rf"row 1 is {2**60}, expected a time in every row, in years"):
        datasets.load(str(path))


def test_a_folder_is_not_a_log(tmp_path):
    with pytest.raises(DataError, match="is a folder, expected a file"):
        datasets.load(str(tmp_path))


@pytest.mark.parametrize(("data", "meant"), [("ml100k", "ml-100k"), ("syntetic:items=5", "synthetic")])
def test_a_misspelt_name_is_recognised(data, meant):
    with pytest.raises(DataError, match=f"Did you mean '{meant}'"):
        datasets.load(data)


def test_an_asked_column_that_is_not_there_lists_what_is(log):
    path = str(log("log.csv", "Customer,item\n1,2\n"))
    with pytest.raises(
        DataError, match=r"no column 'costumer' \(--user-column\); it has 'Customer', 'item'. Did you mean"
    ):
        datasets.load(path, user_column="costumer")


def test_one_column_cannot_be_user_and_item(log):
    with pytest.raises(DataError, match="one column is chosen for two things"):
        datasets.load(str(log("log.csv", HEADER + "1,2,3\n")), user_column="item")


def test_plain_text_has_no_columns_to_name(log):
    with pytest.raises(DataError, match="has no named columns"):
        datasets.load(str(log("log.txt", "1 2\n")), user_column="user")


@pytest.mark.parametrize(
    ("column", "values", "match"),
    [
        ("item", [1.0, 2.5], "column 'item', row 2 is 2.5, expected whole numbers or text"),
        ("item", [1.0, float("nan")], "column 'item', row 2 is nan"),
        ("item", [1, None], "column 'item', row 2 is missing"),
        ("item", [1, -1], "column 'item', row 2 is -1, expected ids of 0 or more"),
        ("item", [-1.0, 2.0], "column 'item', row 1 is -1.0, expected ids of 0 or more"),
        ("item", [1.0, float("inf")], "column 'item', row 2 is inf"),
        ("item", ["1", None], "column 'item', row 2 is missing"),
        ("user", [True, False], "column 'user' is of type Boolean"),
        ("item", [[1], [2]], "column 'item' is of type List"),
        ("time", [1.0, float("inf")], "column 'time', row 2 is inf"),
        ("time", [1, None], "column 'time', row 2 is missing"),
        ("time", [1.0, float("nan")], "column 'time', row 2 is nan, expected a time in every row"),
        ("time", [True, False], "column 'time' is of type Boolean"),
    ],
)
def test_a_bad_typed_column_is_refused(tmp_path, column, values, match):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1, 1], "item": [1, 2], "time": [1, 2], column: values}).write_parquet(path)
    with pytest.raises(DataError, match=match):
        datasets.load(str(path))


def test_titles_without_a_title_column_are_refused(log):
    titles = log("t.csv", "item,colour\n1,red\n")
    with pytest.raises(DataError, match="expected one called title or name"):
        datasets.load(str(log("log.txt", "u 1\nu 2\n")), titles=titles)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("synthetic:item=5", "'item=5' is not understood.* Did you mean items=…"),
        ("synthetic:items", "'items' is not understood"),
        ("synthetic:items=many", "items=many"),
        ("synthetic:items=1", "items=1.*>= 2"),
        ("synthetic:mean_length=nan", "mean_length"),
        ("synthetic:mean_length=inf", "mean_length"),
        ("synthetic:users=10000000000", "users"),
        ("synthetic:seed=99999999999999999999", "seed"),
        ("synthetic:users=1000000000,mean_length=1000000", r"need about 55,000,\d+\.0 GB of memory, and there are"),
    ],
)
def test_a_bad_synthetic_description_is_refused(data, match):
    with pytest.raises(DataError, match=match):
        datasets.load(data)


def test_the_memory_limit_is_that_of_the_container_where_it_has_one(tmp_path, monkeypatch):
    group = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (group,))
    group.write_text("max\n")
    assert memory.limit_bytes() > 2**28
    group.write_text("268435456\n")
    assert memory.limit_bytes() == 2**28
    with pytest.raises(DataError, match=r"and there are 0\.3 GB"):
        datasets.load("synthetic:users=300000")
