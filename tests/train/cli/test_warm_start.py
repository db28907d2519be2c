"""`sasrec-edge train --init-from`, as a user meets it."""

import json
from pathlib import Path

import pytest

from sasrec_export.cli import main
from train.cli.running import fails

TINY = ["train", "--data", "synthetic:items=40,users=120,mean_length=8"]
SMALL = ["--epochs", "2", "--hidden-dim", "8", "--ffn-dim", "8", "--blocks", "1", "--heads", "1", "--max-len", "6"]


@pytest.mark.parametrize("option", [["--keep-vanished"], ["--stay-near", "0.1"]], ids=lambda option: option[0])
def test_an_option_of_a_warm_start_alone_is_refused(runner, tmp_path, option):
    said = fails(runner, [*TINY, "--out", tmp_path / "run", *option], 2)
    assert f"{option[0]} has no effect without --init-from." in said


def test_a_preset_beside_a_run_is_refused(runner, tmp_path):
    said = fails(runner, [*TINY, "--out", tmp_path / "run", "--init-from", tmp_path, "--preset", "modern"], 2)
    assert "--preset has no effect with --init-from" in said


def test_what_is_not_a_run_is_refused(runner, tmp_path):
    said = fails(runner, [*TINY, "--out", tmp_path / "run", "--init-from", tmp_path], 1)
    assert "config.json is missing" in said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def old(tmp_path_factory) -> Path:
    pytest.importorskip("tensorflow")
    from click.testing import CliRunner

    out = tmp_path_factory.mktemp("old") / "run"
    result = CliRunner().invoke(main, [*TINY, *SMALL, "--out", str(out), "--optimizer-state"])
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.tf
def test_a_network_of_another_width_is_refused_before_the_log_is_read(runner, tmp_path, old):
    said = fails(
        runner,
        ["train", "--data", tmp_path / "no.csv", "--out", tmp_path / "run", "--init-from", old, "--hidden-dim", 16],
        1,
    )
    assert "hidden_dim is 16, but the RUN to start from has 8" in said


@pytest.mark.tf
def test_the_run_to_start_from_is_not_replaced(runner, old):
    said = fails(runner, [*TINY, "--out", old, "--init-from", old, "--force"], 1)
    assert "is read and to be written. Choose another --out." in said


@pytest.mark.tf
def test_a_warm_start_says_why_it_is_short_and_exports_like_any_run(runner, tmp_path, old):
    out, bundle = tmp_path / "run", tmp_path / "bundle"
    arguments = [*TINY, "--out", str(out), "--init-from", str(old), "--stay-near", "0.01", "--json"]
    trained = runner.invoke(main, arguments)
    assert trained.exit_code == 0, trained.output
    assert "a short training of 1 epoch at a learning rate that falls from 0.001:" in trained.stderr
    assert "with its optimizer state" in trained.stderr
    assert "moved by more than half an int8 step" in trained.stderr
    assert json.loads(trained.stdout)["split"] == "test"
    assert json.loads((out / "config.json").read_text())["model"]["hidden_dim"] == 8
    again = runner.invoke(main, [*arguments, "--resume"])
    assert "is of this log and these options already" in again.stderr
    exported = runner.invoke(main, ["export", str(out), "--out", str(bundle), "--recipe", "wi8", "--runtime", "onnx"])
    assert exported.exit_code == 0, exported.output
