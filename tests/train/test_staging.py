"""A folder appears whole or not at all, and nothing that is not ours is replaced."""

import pytest

from sasrec_train import staging
from sasrec_train.errors import RunError


def write(out, text: str, *, force: bool = False) -> None:
    with staging.staged(out, force=force, marker="config.json") as folder:
        (folder / "config.json").write_text(text)


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_put_in_place_with_the_parents_it_needs(tmp_path):
    write(tmp_path / "deep" / "run", "1")
    assert (tmp_path / "deep" / "run" / "config.json").read_text() == "1"
    assert names(tmp_path / "deep") == ["run"]


def test_an_existing_folder_is_replaced_only_by_force(tmp_path):
    write(tmp_path / "run", "1")
    with pytest.raises(RunError, match=r"run exists already\. Choose another --out, or give --force"):
        write(tmp_path / "run", "2")
    write(tmp_path / "run", "3", force=True)
    assert (tmp_path / "run" / "config.json").read_text() == "3"
    assert names(tmp_path) == ["run"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_folder_and_nothing_else(tmp_path, error):
    write(tmp_path / "run", "1")

    def write_and_fail() -> None:
        with staging.staged(tmp_path / "run", force=True, marker="config.json") as folder:
            (folder / "config.json").write_text("2")
            raise error

    with pytest.raises(error):
        write_and_fail()
    assert (tmp_path / "run" / "config.json").read_text() == "1"
    assert names(tmp_path) == ["run"]


def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters.txt").write_text("dear")
    with pytest.raises(RunError, match=r"holds no config\.json, so --force does not replace it"):
        write(tmp_path / "home", "1", force=True)
    assert names(tmp_path / "home") == ["letters.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(RunError, match="run is a file, expected a folder"):
        write(tmp_path / "run", "1", force=True)


def test_a_folder_that_came_meanwhile_is_kept(tmp_path):
    with pytest.raises(RunError, match="exists already"), staging.staged(tmp_path / "run", force=False, marker="x"):
        (tmp_path / "run").mkdir()
    assert names(tmp_path) == ["run"]
