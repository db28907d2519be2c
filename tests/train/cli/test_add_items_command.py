"""The command add-items: what it prints, and what it refuses before any work."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("tensorflow")

from sasrec_export.cli import main
from sasrec_train import datasets, run
from sasrec_train.config import preset

pytestmark = pytest.mark.tf


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with `run` and a log `new.csv` of it."""
    folder = tmp_path_factory.mktemp("made")
    log = datasets.load("synthetic:items=40,users=120,mean_length=8")
    model = {"max_len": 6, "hidden_dim": 8, "ffn_dim": 8, "num_blocks": 1}
    configs = preset("modern", n_items=log.n_items, model=model, train={"epochs": 1, "batch_size": 256})
    run.create(log, *configs, folder / "run")
    rows = "".join(f"{user},new\n" for user in log.user_keys[:9])
    (folder / "new.csv").write_text(f"who,item\n{rows}")
    return folder


def called(folder: Path, *arguments: str):
    result = CliRunner().invoke(main, ["add-items", str(folder / "run"), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def given(folder: Path, out: Path) -> list[str]:
    return ["--log", str(folder / "new.csv"), "--user-column", "who", "--out", str(out)]


def test_it_says_what_it_added_and_how_it_ranks(folder, tmp_path) -> None:
    result = called(folder, *given(folder, tmp_path / "run2"))
    assert result.exit_code == 0, result.stderr
    first, _, *table = result.stdout.splitlines()
    assert first == "1 new items: 1 from 9 interactions, 0 from features alone; the other 40 are as they were"
    assert [line.split("  ")[0] for line in table[1:]] == [
        "new items, each interaction left out",
        "test items, before",
        "test items, after",
    ]
    evaluated = CliRunner().invoke(main, ["evaluate", str(tmp_path / "run2"), "--json"])
    assert json.loads(evaluated.stdout) == json.loads((tmp_path / "run2" / "metrics.json").read_text())


def test_json_holds_the_same(folder, tmp_path) -> None:
    result = json.loads(called(folder, *given(folder, tmp_path / "run2"), "--json").stdout)
    assert list(result) == [
        "output_version", "items", "from_interactions", "from_features", "from_nothing", "interactions",
        "continued_users", "new_users", "features_explain", "left_out", "test",
    ]  # fmt: skip
    assert (result["items"], result["interactions"], result["continued_users"]) == (1, 9, 9)
    assert result["left_out"]["interactions"] == 9


def test_without_a_log_and_features_it_is_wrong_usage(folder, tmp_path) -> None:
    result = called(folder, "--out", str(tmp_path / "run2"))
    assert result.exit_code == 2
    assert "Give --log, --features or both: they hold the new items." in result.stderr


def test_a_bundle_is_told_from_a_run_in_one_sentence(folder, tmp_path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    result = CliRunner().invoke(main, ["add-items", str(tmp_path), "--log", "new.csv", "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "is a bundle, expected a RUN. Give the RUN it was exported from, then export the new one." in result.stderr


def test_a_failure_is_a_sentence_and_leaves_nothing(folder, tmp_path) -> None:
    result = called(folder, "--log", str(tmp_path / "none.csv"), "--out", str(tmp_path / "run2"))
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "none.csv does not exist" in result.stderr
