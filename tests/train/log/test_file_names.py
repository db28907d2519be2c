"""The file that was named is the file that is read: names that polars would expand or fetch are ordinary names."""

import polars as pl
import pytest

from sasrec_train import datasets
from sasrec_train.errors import DataError

TEXTS = {
    ".csv": "user,item\nu,{key}\n",
    ".tsv": "user\titem\nu\t{key}\n",
    ".inter": "user_id:token\titem_id:token\nu\t{key}\n",
    ".txt": "u {key}\n",  # one separator in every line: read once more, by columns
    ".dat": "u::{key}::5::1\n",
    ".text": "u {key} {key}2\n",
    ".parquet": None,
}
# A name, and one of another file that it would match as a pattern.
PATTERNS = [("x[1]", "x1"), ("x*", "x_other"), ("q?", "q1"), ("[a-z]", "b"), ("**", "deep"), ("{a,b}", "a")]


def write(path, suffix, key):
    path.parent.mkdir(parents=True, exist_ok=True)
    if TEXTS[suffix] is None:
        pl.DataFrame({"user": ["u"], "item": [key]}).write_parquet(path)
    else:
        path.write_text(TEXTS[suffix].format(key=key))
    return path


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize(("name", "decoy"), PATTERNS, ids=[name for name, _ in PATTERNS])
def test_a_pattern_is_a_name(tmp_path, suffix, name, decoy):
    write(tmp_path / f"{decoy}{suffix}", suffix, "WRONG")
    path = write(tmp_path / f"{name}{suffix}", suffix, "right")
    assert datasets.load(str(path)).item_keys[0] == "right"


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_pattern_in_a_folders_name_is_a_name(tmp_path, suffix):
    write(tmp_path / "day1" / f"log{suffix}", suffix, "WRONG")
    path = write(tmp_path / "day[1]" / f"log{suffix}", suffix, "right")
    assert datasets.load(str(path)).item_keys[0] == "right"


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_pattern_without_a_file_of_that_name_reads_nothing(tmp_path, suffix):
    write(tmp_path / f"x1{suffix}", suffix, "WRONG")
    with pytest.raises(DataError, match="does not exist"):
        datasets.load(str(tmp_path / f"x[1]{suffix}"))


@pytest.mark.parametrize("suffix", TEXTS)
@pytest.mark.parametrize("folder", ["~", "~root", "s3:/bucket", "hf:/datasets/a", "file:/tmp", "https:/example.org"])
def test_what_looks_like_an_address_is_a_name(tmp_path, monkeypatch, suffix, folder):
    home = tmp_path / "home"
    write(home / f"log{suffix}", suffix, "WRONG")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / folder / f"log{suffix}", suffix, "right")
    assert datasets.load(f"{folder}/log{suffix}").item_keys[0] == "right"


@pytest.mark.parametrize("address", ["s3://bucket/log.csv", "hf://datasets/log.parquet", "https://example.org/log.csv"])
def test_an_address_is_never_fetched(tmp_path, monkeypatch, address):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"does not exist.* what is elsewhere must be downloaded first"):
        datasets.load(address)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".dat"])
def test_titles_are_read_from_the_file_that_was_named(tmp_path, suffix):
    def write_titles(path, title):
        if suffix == ".parquet":
            pl.DataFrame({"item": ["1"], "title": [title]}).write_parquet(path)
        elif suffix == ".dat":
            path.write_text(f"1::{title}::none\n")
        else:
            separator = {".csv": ",", ".tsv": "\t"}[suffix]
            path.write_text(f"item{separator}title\n1{separator}{title}\n")
        return path

    write_titles(tmp_path / f"t1{suffix}", "WRONG")
    titles = write_titles(tmp_path / f"t[1]{suffix}", "right")
    log = write(tmp_path / "log.txt", ".txt", "1")
    assert datasets.load(str(log), titles=titles).titles == ["right"]


def test_titles_beside_a_log_are_read_from_the_file_of_its_name(tmp_path):
    header = "item_id:token\tmovie_title:token_seq\n"
    (tmp_path / "x1.item").write_text(f"{header}1\tWRONG\n")
    (tmp_path / "x[1].item").write_text(f"{header}1\tright\n")
    path = write(tmp_path / "x[1].inter", ".inter", "1")
    assert datasets.load(str(path)).titles == ["right"]


@pytest.mark.parametrize("suffix", TEXTS)
def test_a_folder_is_refused_whatever_it_is_called(tmp_path, suffix):
    write(tmp_path / f"folder{suffix}" / f"part{suffix}", suffix, "WRONG")
    with pytest.raises(DataError, match="is a folder, expected a file"):
        datasets.load(str(tmp_path / f"folder{suffix}"))


def test_a_folders_name_adds_no_column(tmp_path):
    path = write(tmp_path / "user_id=9" / "log.parquet", ".parquet", "right")
    assert datasets.load(str(path)).user_keys == ["u"]


def test_a_column_that_is_called_like_a_renamed_one_may_be_read(tmp_path):
    (tmp_path / "log.csv").write_text("user,item,item_duplicated_0\nu,a,b\n")
    assert datasets.load(str(tmp_path / "log.csv")).item_keys == ["a"]


def test_other_columns_may_share_a_name(tmp_path):
    (tmp_path / "log.csv").write_text("user,item,x,x\nu,a,1,2\n")
    (tmp_path / "log.inter").write_text("user_id:token\titem_id:token\tx:token\tx:float\nu\ta\t1\t2\n")
    assert datasets.load(str(tmp_path / "log.csv")).item_keys == ["a"]
    assert datasets.load(str(tmp_path / "log.inter")).item_keys == ["a"]
