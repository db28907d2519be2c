"""Logs that can be read: every format, the ways ids and times are written."""

import logging
from datetime import UTC, datetime

import polars as pl
import pytest

from sasrec_train import datasets
from sasrec_train.errors import DataError

CSV = "user_id,item_id,timestamp\nann,x,3\nann,y,1\nbob,x,2\nann,z,2\n"


def keyed(interactions) -> dict[str, list[str]]:
    """Return each user's history as keys."""
    return {
        user: [interactions.item_keys[item_id - 1] for item_id in history]
        for user, history in zip(interactions.user_keys, interactions.histories, strict=True)
    }


EXPECTED = {"ann": ["y", "z", "x"], "bob": ["x"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", CSV),
        ("log.tsv", CSV.replace(",", "\t")),
        ("log.CSV", CSV),
        ("bom.csv", "\ufeff" + CSV),
        ("crlf.csv", CSV.replace("\n", "\r\n")),
        ("quoted.csv", CSV.replace("ann", '"ann"')),
        ("log.inter", "user_id:token\titem_id:token\ttimestamp:float\n" + CSV.partition("\n")[2].replace(",", "\t")),
        ("log.txt", "ann y\nann z\nbob x\nann x\n"),
        ("tabs.txt", "ann\ty\n\n ann   z\nbob x \nann x"),
        ("spaces.txt", "\nann y\n   \nann z\n\nbob x\nann x\n"),
        ("space.txt", "ann y\nann z\nbob x\nann x\n\n   \n"),
        ("onlytabs.txt", "ann\ty\nann\tz\n\t\t\t\nbob\tx\nann\tx"),
        ("crlf.txt", "ann y\r\nann z\r\nbob x\r\nann x\r\n"),
        ("users.txt", "bob x\n\n ann y\tz  x \n"),
        ("ratings.dat", "ann::x::4.5::3\nann::y::1::1\nbob::x::5::2\nann::z::3::2\n"),
    ],
)
def test_every_text_format_gives_the_same_histories(log, name, text):
    assert keyed(datasets.load(str(log(name, text)))) == EXPECTED


def test_parquet_gives_the_same_histories(tmp_path, log):
    path = tmp_path / "log.parquet"
    pl.read_csv(log("log.csv", CSV)).write_parquet(path)
    assert keyed(datasets.load(str(path))) == EXPECTED


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64, pl.UInt8, pl.UInt64, pl.Int128, pl.Categorical])
def test_typed_id_columns_become_whole_numbers_as_text(tmp_path, dtype):
    path = tmp_path / "log.parquet"
    items = pl.Series("item", ["10", "9"] if dtype == pl.Categorical else [10, 9]).cast(dtype)
    pl.DataFrame({"user": [1, 1], "item": items}).write_parquet(path)
    assert keyed(datasets.load(str(path))) == {"1": ["10", "9"]}


@pytest.mark.parametrize("big", [2**31, 2**40, 2**63 - 1, 2**64 - 1])
def test_ids_of_any_size_are_kept(tmp_path, big):
    items = pl.Series("item", [big, 3, big], dtype=pl.UInt64)
    expected = {"1": [str(big), "3", str(big)]}
    pl.DataFrame({"user": [1, 1, 1], "item": items}).write_parquet(tmp_path / "log.parquet")
    pl.DataFrame({"user": [1, 1, 1], "item": items}).write_csv(tmp_path / "log.csv")
    assert keyed(datasets.load(str(tmp_path / "log.parquet"))) == expected
    assert keyed(datasets.load(str(tmp_path / "log.csv"))) == expected


def test_keys_of_text_stay_verbatim(log):
    text = "user,item,time\n007, a ,1\n007,é,2\n7,1e3,3\n"
    assert keyed(datasets.load(str(log("log.csv", text)))) == {"7": ["1e3"], "007": [" a ", "é"]}


def test_whole_floats_written_as_text_lose_their_point(log):
    text = "user,item,time\n1.0,5.00,1\n1.0,6.,2\n2,5,1\n"
    assert keyed(datasets.load(str(log("log.csv", text)))) == {"1": ["5", "6"], "2": ["5"]}


def test_text_that_holds_points_among_words_is_left_alone(log):
    assert keyed(datasets.load(str(log("log.csv", "user,item,time\nu,1.5,1\nu,v2,2\n")))) == {"u": ["1.5", "v2"]}


def test_item_ids_follow_the_keys_whatever_the_order_of_rows(log):
    a = datasets.load(str(log("a.csv", "user,item,time\nu,10,1\nu,9,2\nu,b,3\n")))
    b = datasets.load(str(log("a.csv", "user,item,time\nu,b,3\nu,9,2\nu,10,1\n")))
    assert a.item_keys == b.item_keys == ["9", "b", "10"]
    assert a.sha256 == b.sha256


@pytest.mark.parametrize(
    "times",
    [
        ("9", "10", "100"),
        ("1e1", "2e1", "1e2"),
        ("-5", "0.25", "0.5"),
        ("1700000000000000001", "1700000000000000002", "1700000000000000003"),
        ("2024-01-09", "2024-01-10", "2024-02-01"),
        ("2024-01-09T23:00:00Z", "2024-01-10T00:30:00+01:00", "2024-01-09T23:45:00.5Z"),
        ("2024-01-09 09:00:00", "2024-01-09 10:00:00", "2024-01-09 10:00:00.001"),
        ("2024-01-09T09:00", "2024-01-09 10:00", "2024-01-10"),
    ],
)
def test_times_sort_as_times_and_not_as_text(log, times):
    text = f"user,item,time\nu,c,{times[2]}\nu,a,{times[0]}\nu,b,{times[1]}\n"
    assert keyed(datasets.load(str(log("log.csv", text)))) == {"u": ["a", "b", "c"]}


def test_dates_in_parquet_sort(tmp_path):
    path = tmp_path / "log.parquet"
    times = [datetime(2024, 5, day, tzinfo=UTC) for day in (3, 1, 2)]
    pl.DataFrame({"user": ["u"] * 3, "item": ["c", "a", "b"], "when": times}).write_parquet(path)
    assert keyed(datasets.load(str(path), time_column="when")) == {"u": ["a", "b", "c"]}


@pytest.mark.parametrize("times", [[3, 1, 2], [3.0, 1.0, 2.0], [0.3, 0.1, 0.2], [2**62, -(2**62), 0]])
def test_times_stay_with_their_items(tmp_path, times):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [7, 7, 7], "item": [3, 1, 2], "time": times}).write_parquet(path)
    loaded = datasets.load(str(path))
    assert keyed(loaded) == {"7": ["1", "2", "3"]}
    assert loaded.times.tolist() == sorted(times)


def test_a_log_without_times_has_none(log):
    assert datasets.load(str(log("log.txt", "u a\nu b\n"))).times is None


def test_equal_times_keep_the_order_of_the_file(log):
    text = "user,item,time\nu,c,1\nu,a,1\nu,b,1\n"
    assert keyed(datasets.load(str(log("log.csv", text)))) == {"u": ["c", "a", "b"]}


def test_rows_that_repeat_user_item_and_time_count_once_and_are_said(log, caplog):
    text = "user,item,time\nu,a,1\nu,a,1\nu,a,2\nu,a,1\n"
    with caplog.at_level(logging.WARNING):
        assert keyed(datasets.load(str(log("log.csv", text)))) == {"u": ["a", "a"]}
    assert "2 rows repeat the user, item and time" in caplog.text


def test_without_times_rows_stay_as_they_are_and_it_is_said(log, caplog):
    with caplog.at_level(logging.WARNING):
        assert keyed(datasets.load(str(log("log.csv", "user,item\nu,b\nu,a\nu,b\n")))) == {"u": ["b", "a", "b"]}
    assert "no time column" in caplog.text


def test_columns_can_be_named(log):
    text = "who,what,user_id,n\nu,a,zzz,2\nu,b,zzz,1\n"
    loaded = datasets.load(str(log("log.csv", text)), user_column="who", item_column="what", time_column="n")
    assert keyed(loaded) == {"u": ["b", "a"]}


@pytest.mark.parametrize(
    "names", ["UserId,ItemId,Timestamp", "customer_id,article_id,t_dat", "reviewerID,asin,unixReviewTime"]
)
def test_usual_column_names_are_known(log, names):
    assert keyed(datasets.load(str(log("log.csv", f"{names}\nu,b,2\nu,a,1\n")))) == {"u": ["a", "b"]}


def test_titles_beside_an_inter_file_are_found_and_made_readable(log):
    items = "item_id:token\tmovie_title:token_seq\trelease_year:token\n1\tUsual Suspects, The\t1995\n"
    items += "2\tHorseman on the Roof, The (Hussard sur le toit, Le)\t1995\n3\tLand III (1995)\tV\n"
    log("m.item", items)
    path = log("m.inter", "user_id:token\titem_id:token\ttimestamp:float\nu\t1\t1\nu\t2\t2\nu\t3\t3\nu\t4\t4\n")
    assert datasets.load(str(path)).titles == [
        "The Usual Suspects (1995)",
        "The Horseman on the Roof (Hussard sur le toit, Le) (1995)",
        "Land III (1995)",
        "",
    ]


def test_titles_beside_a_ratings_dat_are_found_and_read_as_latin_1(log):
    log(
        "movies.dat",
        "1::Usual Suspects, The (1995)::Crime|Thriller\n2::Misérables, Les (1995)::Drama\n".encode("latin-1"),
    )
    loaded = datasets.load(str(log("ratings.dat", "1::1::5::3\n1::3::4::1\n1::2::4::2\n")))
    assert loaded.titles == ["The Usual Suspects (1995)", "Les Misérables (1995)", ""]


def test_movies_dat_in_utf_8_can_be_named(log):
    titles = log("films.dat", "b::Amélie::Comedy::Romance\n\nc::::\n")
    assert datasets.load(str(log("log.txt", "u a\nu b\n")), titles=titles).titles == ["", "Amélie::Comedy"]


def test_a_wrong_line_of_movies_dat_is_named(log):
    log("movies.dat", "1::A::B\nwhat\n")
    with pytest.raises(DataError, match=r"movies\.dat: line 2 is 'what', expected `item::title::genres`"):
        datasets.load(str(log("ratings.dat", "1::1::5::3\n")))


def test_titles_come_from_a_file_of_their_own(log):
    titles = log("names.csv", 'item,name\nb,"Bee, a\n  story"\nzz,Nobody\n')
    assert datasets.load(str(log("log.txt", "u a\nu b\n")), titles=titles).titles == ["", "Bee, a story"]


def test_movielens_has_its_known_shape(shared_data):
    loaded = datasets.load(str(shared_data / "ml-100k.inter"))
    assert (len(loaded.user_keys), loaded.n_items, loaded.histories.item_ids.size) == (943, 1682, 100_000)
    assert loaded.titles is not None
    assert loaded.titles[49] == "Star Wars (1977)"


def test_games_have_their_known_shape(shared_data):
    loaded = datasets.load(str(shared_data / "games.txt"))
    assert (len(loaded.user_keys), loaded.n_items, loaded.histories.item_ids.size) == (31_013, 23_715, 287_107)
    assert loaded.histories.lengths.max() == 860
