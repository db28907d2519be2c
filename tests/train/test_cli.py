"""`sasrec-edge train` and `evaluate`, as a user meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec_export.cli import main
from sasrec_train import run

TINY = [
    "train", "--data", "synthetic:items=40,users=120,mean_length=8", "--epochs", "2", "--hidden-dim", "8",
    "--ffn-dim", "8", "--blocks", "1", "--heads", "1", "--max-len", "6",
]  # fmt: skip


def fails(runner, arguments: list, code: int) -> str:
    """Run a command that must end with this exit code, without a traceback; return what it says."""
    result = runner.invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    return result.stderr


@pytest.mark.tf
def test_train_writes_a_run_that_evaluate_measures_alike(runner, tmp_path):
    out = tmp_path / "run"
    trained = runner.invoke(main, [*TINY, "--out", str(out)])
    assert trained.exit_code == 0, trained.output
    assert "whole catalogue, seen items excluded" in trained.stdout
    assert "1 + 100 sampled" in trained.stdout
    lines = trained.stdout.splitlines()
    assert [line.split()[0] for line in lines if line][:5] == ["test", "whole", "HR@10", "model", "popularity"]
    assert max(map(len, lines)) <= 100
    assert trained.stderr.count("epoch ") == 2
    assert "validation HR@10 0." in trained.stderr
    assert runner.invoke(main, ["evaluate", str(out)]).stdout == trained.stdout
    shown = json.loads(runner.invoke(main, ["evaluate", str(out), "--json"]).stdout)
    assert shown == json.loads((out / "metrics.json").read_text())
    assert list(shown) == [
        "output_version", "split", "users", "keep_seen", "full", "sampled", "popularity", "seed", "intervals",
        "coverage@10", "buckets",
    ]  # fmt: skip


@pytest.mark.tf
def test_repeats_are_said_beside_the_json_and_can_be_kept(runner, tmp_path):
    path, out = tmp_path / "log.txt", tmp_path / "run"
    path.write_text("".join(f"{user} {item}\n" for user in range(20) for item in (1, 2, 3, user % 5 + 4, 1)))
    options = [*TINY[3:], "--data", str(path), "--out", str(out)]
    trained = runner.invoke(main, ["train", *options])
    assert trained.exit_code == 0, trained.output
    assert (
        "20 of 20 test items repeat an item of their own history and count as misses. Give --keep-seen"
        in trained.stderr
    )
    kept = runner.invoke(main, ["evaluate", str(out), "--keep-seen"])
    assert "seen items kept" in kept.stdout
    assert "--keep-seen" not in kept.stderr


def test_an_existing_output_is_refused_before_anything_is_read(runner, tmp_path):
    said = fails(runner, ["train", "--data", tmp_path / "missing.csv", "--out", tmp_path], 1)
    assert "exists already. Choose another --out, or give --force" in said


def test_force_does_not_replace_a_folder_that_is_no_run(runner, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    assert "holds no config.json" in fails(runner, [*TINY, "--out", tmp_path, "--force"], 1)


@pytest.mark.tf
def test_a_failing_run_leaves_the_old_one(runner, tmp_path, monkeypatch):
    out = tmp_path / "run"
    out.mkdir()
    (out / run.CONFIG).write_text("old")
    path = tmp_path / "log.txt"
    path.write_text("1 1\n1 2\n1 3\n")
    assert "no history has two items left" in fails(runner, ["train", "--data", path, "--out", out, "--force"], 1)
    assert (out / run.CONFIG).read_text() == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.txt", "run"]


@pytest.mark.parametrize(
    ("text", "options", "code", "says"),
    [
        ("1 1\n1 2\n2 1\n", [], 1, "expected a user with at least 3"),
        ("1 1\n1 1\n1 1\n", [], 1, "has 1 item, expected at least 2"),
        ("", [], 1, "log.txt is empty"),
        ("1 1\n", ["--heads", "3"], 1, "num_heads is 3, expected a divisor of hidden_dim (64)"),
        ("1 1\n", ["--max-len", "0"], 2, "0 is not in the range x>=1"),
        ("1 1\n", ["--dropout", "1"], 2, "1.0 is not in the range 0<=x<1"),
        ("1 1\n", ["--norm", "batch"], 2, "'batch' is not one of"),
        ("1 1\n", ["--preset", "papr"], 2, "'papr' is not one of"),
        ("1 1\n", ["--negatives", "4"], 2, "--negatives has no effect on cross_entropy"),
        ("1 1\n", ["--user-column", "u"], 1, "has no named columns"),
        ("1 1\n", ["--min-rating", "4"], 1, "none is known by its name. Say which with --rating-column"),
        ("1 1\n", ["--k-core", "9"], 1, "--k-core 9 leaves nothing of 1 interactions"),
        ("1 1\n1 2\n", ["--split", "temporal"], 1, "has no times, which --split temporal needs"),
        ("1 1\n", ["--k-core", "0"], 2, "0 is not in the range x>=1"),
        ("1 1\n", ["--test-share", "0"], 2, "0.0 is not in the range 0<x<1"),
        ("1 1\n", ["--test-share", ".2"], 2, "--test-share has no effect without --split temporal"),
        ("1 1\n", ["--rating-column", "stars"], 2, "--rating-column has no effect without --min-rating"),
        ("1 1\n", ["--k-core", "5", "--min-history", "3"], 2, "--min-history 3 has no effect beside --k-core 5"),
        ("1 1\n", ["--split", "temporal", "--test-share", ".95"], 2, "--test-share 0.95 leave nothing to learn from"),
    ],
)  # fmt: skip
def test_bad_input_ends_in_a_sentence_and_writes_nothing(runner, tmp_path, text, options, code, says):
    path = tmp_path / "log.txt"
    path.write_text(text)
    said = fails(runner, ["train", "--data", path, "--out", tmp_path / "run", *options], code)
    assert says in " ".join(said.split())
    assert [entry.name for entry in tmp_path.iterdir()] == ["log.txt"]


@pytest.mark.tf
@pytest.mark.parametrize(
    "text", ["".join(f"7 {item}\n" for item in range(6)), "7 0 1 2 3 4 5\n"], ids=["pairs", "line"]
)
def test_a_log_of_one_user_is_enough(runner, tmp_path, text):
    path = tmp_path / "log.txt"
    path.write_text(text)
    trained = runner.invoke(main, ["train", "--data", str(path), *TINY[3:], "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output
    assert "test items of 1 users" in trained.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--item-column", "i"], "--item-column has no effect on a synthetic log"),
        (["--min-rating", "1"], "--min-rating has no effect on a synthetic log"),
        (["--split", "temporal"], "--split temporal needs times, and a synthetic log has none"),
    ],
)
def test_options_that_a_synthetic_log_cannot_have_are_refused(runner, tmp_path, options, says):
    said = fails(runner, [*TINY, "--out", tmp_path / "run", *options], 2)
    assert says in " ".join(said.split())


@pytest.mark.tf
def test_a_log_is_filtered_split_by_time_and_remembered(runner, tmp_path):
    path, out = tmp_path / "log.csv", tmp_path / "run"
    rows = [(user, (user + step) % 7, 5 if step else 1, 10 * step + user) for user in range(9) for step in range(8)]
    path.write_text("user,item,stars,time\n" + "".join(f"{u},{i},{s},{t}\n" for u, i, s, t in rows))
    options = ["--min-rating", 2, "--k-core", 3, "--split", "temporal", "--test-share", 0.3]
    options += ["--data", path, "--out", out]
    trained = runner.invoke(main, ["train", *map(str, options), *TINY[3:]])
    assert trained.exit_code == 0, trained.output
    assert "--min-rating 2: 9 of 72 rows" in trained.stderr
    assert "--k-core 3: left out 0 of 63 interactions" in trained.stderr
    made = json.loads((out / "config.json").read_text())
    assert made["filters"] == {"min_rating": 2.0, "rating_column": None, "k_core": 3, "min_history": None}
    assert made["split"] == {"kind": "temporal", "validation_share": 0.1, "test_share": 0.3}
    described = json.loads((out / "split.json").read_text())
    assert (described["protocol"], described["validation_from"], described["test_from"]) == ("temporal", 52, 58)
    assert runner.invoke(main, ["evaluate", str(out)]).stdout == trained.stdout


def test_evaluating_something_else_than_a_run_is_refused(runner, tmp_path):
    assert "config.json is missing" in fails(runner, ["evaluate", tmp_path], 1)
    assert "is no folder" in fails(runner, ["evaluate", tmp_path / "nothing"], 1)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_help_loads_nothing_heavy_and_shows_an_example(command):
    code = (
        "import sys\nfrom sasrec_export.cli import main\n"
        f"main(['{command}', '--help'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'tensorflow', 'keras', 'polars', 'rich', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"sasrec-edge {command}" in done.stdout
    assert "Example:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_field_of_the_configurations_has_an_option(runner):
    from sasrec_train.config import ModelConfig, TrainConfig
    from sasrec_train.config_options import MODEL_OPTIONS, TRAIN_OPTIONS

    fields = {*ModelConfig.__struct_fields__, *TrainConfig.__struct_fields__} - {"n_items", "beta_2"}
    assert {field for field, _ in [*MODEL_OPTIONS.values(), *TRAIN_OPTIONS.values()]} == fields


def test_the_package_readme_names_every_option(runner):
    text = (Path(__file__).parents[2] / "train" / "README.md").read_text()
    for command in ("train", "evaluate"):
        for parameter in main.commands[command].params:
            option = parameter.opts[0]
            assert f"`{option}" in text or parameter.param_type_name == "argument", option


@pytest.mark.parametrize(
    "option",
    ["--learning-rate", "--temperature", "--embedding-l2", "--dropout", "--min-rating", "--test-share",
     "--checkpoint-minutes", "--gbce-calibration", "--average"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_numbers_that_are_not_finite_are_refused(runner, tmp_path, option, value):
    said = fails(runner, ["train", "--data", "synthetic", "--out", tmp_path / "run", option, value], 2)
    assert "is not a finite number" in said or "is not in the range" in said
