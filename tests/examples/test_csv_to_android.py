"""From a CSV to an Android app's assets."""

import json
import sys

import pytest
from click import ClickException

pytestmark = [pytest.mark.tf, pytest.mark.slow]

SMALL = ["--epochs", "1", "--max-len", "8", "--hidden-dim", "16", "--ffn-dim", "16", "--blocks", "1"]


def test_the_app_gets_one_tflite_variant_with_its_card(example, write_log, tmp_path, monkeypatch, capsys) -> None:
    pytest.importorskip("tensorflow")
    log, app = write_log("log.csv", times=range(10)), tmp_path / "assets" / "recommender"
    app.parent.mkdir()
    monkeypatch.setattr(sys, "argv", ["csv_to_android.py", str(log), str(app), *SMALL])
    example("csv_to_android").main()
    assert [variant["name"] for variant in json.loads((app / "manifest.json").read_text())["variants"]] == [
        "tflite-wi8"
    ]
    assert "```kotlin" in (app / "README.md").read_text()
    assert "tflite-wi8  passed" in capsys.readouterr().out


def test_a_log_that_is_missing_is_said_and_leaves_nothing(example, tmp_path) -> None:
    with pytest.raises(ClickException, match=r"none\.csv"):
        example("csv_to_android").ship(tmp_path / "none.csv", tmp_path / "app", train_options=[])
    assert list(tmp_path.iterdir()) == []
