"""MovieLens-100K from a wheel: downloaded once, checked, cached. No test here reaches a network."""

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from sasrec_train import datasets
from sasrec_train.errors import DataError
from sasrec_train.log import movielens

FILES = {
    "ml-100k.inter": b"user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\t7\t3\t2\nu\t8\t3\t1\n",
    "ml-100k.item": b"item_id:token\tmovie_title:token_seq\trelease_year:token\n7\tToy Story\t1995\n",
}


class Pip:
    """Stands in for `pip download`: puts a wheel where it is asked to, or fails."""

    def __init__(self, files: dict[str, bytes] | None, stderr: str = ""):
        self.files, self.stderr, self.calls = files, stderr, 0

    def __call__(self, command: list[str], **options) -> subprocess.CompletedProcess:
        self.calls += 1
        assert command[1:5] == ["-m", "pip", "download", "--no-deps"]
        assert command[-1] == "recbole==1.2.1"
        if self.files is None:
            return subprocess.CompletedProcess(command, 1, "", self.stderr)
        wheel = Path(command[command.index("--dest") + 1]) / "recbole-1.2.1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for name, content in self.files.items():
                archive.writestr(f"recbole/dataset_example/ml-100k/{name}", content)
        return subprocess.CompletedProcess(command, 0, "", "")


@pytest.fixture
def pip(monkeypatch):
    """Install a Pip in the place of subprocess.run, and expect the digests of FILES."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(movielens, "ML_100K", digests)

    def install(files: dict[str, bytes] | None, stderr: str = "") -> Pip:
        fake = Pip(files, stderr)
        monkeypatch.setattr(subprocess, "run", fake)
        return fake

    return install


def test_the_files_are_taken_out_of_the_wheel_once(pip, tmp_path):
    fake = pip(FILES)
    cache = tmp_path / "cache" / "ml-100k"
    for _ in range(2):
        path = movielens.fetch(cache)
    assert path == cache / "ml-100k.inter"
    assert {file.name: file.read_bytes() for file in cache.iterdir()} == FILES
    assert fake.calls == 1


def test_a_corrupted_cache_is_downloaded_again(pip, tmp_path):
    fake = pip(FILES)
    movielens.fetch(tmp_path).write_bytes(b"half")
    assert movielens.fetch(tmp_path).read_bytes() == FILES["ml-100k.inter"]
    assert fake.calls == 2


def test_ml_100k_is_a_name_of_data_with_titles(pip, tmp_path, monkeypatch):
    pip(FILES)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    log = datasets.load("ml-100k")
    assert (log.name, log.item_keys, log.titles) == ("ml-100k", ["7", "8"], ["Toy Story (1995)", ""])
    assert log.histories[0].tolist() == [2, 1]
    assert (tmp_path / "sasrec-edge" / "ml-100k" / "ml-100k.item").is_file()


def test_without_a_network_the_message_names_what_works_without(pip, tmp_path):
    pip(None, "WARNING: retrying\nERROR: No matching distribution found for recbole==1.2.1\n")
    with pytest.raises(DataError, match=r"No matching distribution.*--data synthetic, or the path of a log"):
        movielens.fetch(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ({**FILES, "ml-100k.inter": b"other"}, "ml-100k.inter in recbole-1.2.1-.* has SHA-256 .*, expected"),
        ({"ml-100k.inter": FILES["ml-100k.inter"]}, "does not hold recbole/dataset_example/ml-100k"),
    ],
    ids=["other bytes", "file missing"],
)
def test_a_wheel_with_something_else_is_refused(pip, tmp_path, files, match):
    pip(files)
    with pytest.raises(DataError, match=match):
        movielens.fetch(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_pip_that_cannot_be_started_is_said(monkeypatch, tmp_path):
    def fail(*args, **options):
        raise FileNotFoundError("no python")

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(DataError, match=r"pip could not be run.*--data synthetic"):
        movielens.fetch(tmp_path)


def test_the_expected_digests_are_those_of_the_published_files(shared_data):
    for name, digest in movielens.ML_100K.items():
        assert hashlib.sha256((shared_data / name).read_bytes()).hexdigest() == digest
