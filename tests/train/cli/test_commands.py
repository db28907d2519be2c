"""`sasrec-edge train` and `evaluate`, as a user meets them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec_export.cli import main
from sasrec_train import run
from train.cli.running import fails

TINY = [
    "train", "--data", "synthetic:items=40,users=120,mean_length=8", "--epochs", "2", "--hidden-dim", "8",
    "--ffn-dim", "8", "--blocks", "1", "--heads", "1", "--max-len", "6",
]  # fmt: skip


CONFIG = json.dumps(
    {
        "format_version": 1, "preset": "modern", "data": "x", "data_sha256": "0", "versions": {},
        "model": {"n_items": 3}, "train": {},
    }
)  # fmt: skip


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


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"precious.txt": "mine"}, "holds no config.json"),
        ({"config.json": '{"model_type": "bert"}', "thesis.tex": "mine"}, "its config.json is not that of a RUN"),
        ({"config.json": CONFIG, "model.keras": "", "thesis.tex": "mine"}, "holds 'thesis.tex', which a RUN does not"),
    ],
    ids=["no marker", "a foreign marker", "our marker and a stranger"],
)
def test_force_does_not_replace_what_training_did_not_write(runner, tmp_path, files, says):
    out = tmp_path / "out"
    out.mkdir()
    for name, text in files.items():
        (out / name).write_text(text)
    assert says in fails(runner, [*TINY, "--out", out, "--force"], 1)
    assert {path.name: path.read_text() for path in out.iterdir()} == files
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("option", ["--resume", "--force"])
def test_a_foreign_folder_in_the_place_of_the_checkpoints_is_kept(runner, tmp_path, option):
    (tmp_path / "run.training").mkdir()
    (tmp_path / "run.training" / "course.txt").write_text("mine")
    said = fails(runner, [*TINY, "--out", tmp_path / "run", option], 1)
    assert "run.training holds 'course.txt', which an unfinished training does not" in said
    assert (tmp_path / "run.training" / "course.txt").read_text() == "mine"


def test_a_log_in_the_place_of_the_run_is_refused(runner, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "log.txt").write_text("1 1\n1 2\n1 3\n")
    assert "which is read. Choose another --out" in fails(
        runner, ["train", "--data", out / "log.txt", "--out", out, "--force"], 1
    )


@pytest.mark.tf
def test_a_failing_run_leaves_the_old_one(runner, tmp_path, monkeypatch):
    out = tmp_path / "run"
    out.mkdir()
    (out / run.CONFIG).write_text(CONFIG)
    path = tmp_path / "log.txt"
    path.write_text("1 1\n1 2\n1 3\n")
    assert "no history has two items left" in fails(runner, ["train", "--data", path, "--out", out, "--force"], 1)
    assert (out / run.CONFIG).read_text() == CONFIG
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log.txt", "run"]


@pytest.mark.tf
def test_resuming_a_finished_run_prints_its_metrics_again(runner, tmp_path):
    command = [*TINY, "--out", str(tmp_path / "run")]
    trained = runner.invoke(main, command)
    assert trained.exit_code == 0, trained.output
    again = runner.invoke(main, [*command, "--resume"])
    assert (again.exit_code, again.stdout) == (0, trained.stdout)
    assert "is of this log and these options already" in again.stderr
    assert "exists already" in fails(runner, [*command, "--resume", "--seed", "7"], 1)
    assert "exists already" in fails(runner, command, 1)


@pytest.mark.tf
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_who_stops_a_training_is_told_what_is_there(runner, tmp_path, monkeypatch, stop):
    from sasrec_train.training import loop

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "train", lambda _: (_ for _ in ()).throw(stop))
        early = runner.invoke(main, [*TINY, "--out", str(tmp_path / "run")])
    assert "Stopped. There is no checkpoint yet: the same command starts over." in early.stderr
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_train_epoch", after_the_first(loop._Run._train_epoch, stop))
        late = runner.invoke(main, [*TINY, "--out", str(tmp_path / "run")])
    assert "Stopped. The same command with --resume continues from the last checkpoint" in late.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["run.training"]


def after_the_first(call, stop):
    """Return a method that is stopped when it is called again."""
    calls = []

    def called(self):
        calls.append(self)
        if len(calls) > 1:
            raise stop
        return call(self)

    return called


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
    assert "--k-core 3: filtered 0 of 63 interactions" in trained.stderr
    made = json.loads((out / "config.json").read_text())
    assert made["filters"] == {"min_rating": 2.0, "rating_column": None, "k_core": 3, "min_history": None}
    assert made["split"] == {"kind": "temporal", "validation_share": 0.1, "test_share": 0.3}
    described = json.loads((out / "split.json").read_text())
    assert (described["protocol"], described["validation_from"], described["test_from"]) == ("temporal", 52, 58)
    assert runner.invoke(main, ["evaluate", str(out)]).stdout == trained.stdout


def test_evaluating_something_else_than_a_run_is_refused(runner, tmp_path):
    assert "config.json is missing" in fails(runner, ["evaluate", tmp_path], 1)
    assert "is not a folder" in fails(runner, ["evaluate", tmp_path / "nothing"], 1)


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
    from sasrec_train.cli.config_options import MODEL_OPTIONS, TRAIN_OPTIONS
    from sasrec_train.config import ModelConfig, TrainConfig

    fields = {*ModelConfig.__struct_fields__, *TrainConfig.__struct_fields__} - {"n_items", "beta_2"}
    assert {field for field, _ in [*MODEL_OPTIONS.values(), *TRAIN_OPTIONS.values()]} == fields


def test_the_package_readme_names_every_option(runner):
    text = (Path(__file__).parents[3] / "train" / "README.md").read_text()
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
