"""From a run to a bundle: whole, verified, or not there at all."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sasrec_export.cli import main

pytestmark = pytest.mark.tf


def test_the_bundle_passes_its_own_check(bundle, runner) -> None:
    result = runner.invoke(main, ["verify", str(bundle.path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["passed"]


def test_every_file_of_the_bundle_is_in_the_manifest(bundle) -> None:
    there = {path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*") if path.is_file()}
    assert there == {"manifest.json", *(entry.path for entry in bundle.manifest.all_files())}


def test_the_default_variant_is_int8(bundle) -> None:
    assert [variant.name for variant in bundle.manifest.variants] == [
        "onnx-wi8",
        "onnx-wi8_afp32",
        "onnx-wi4",
        "onnx-wi8_ai8",
        "onnx-fp32",
        "tflite-wi8",
        "tflite-wi4",
        "tflite-wi8_ai8",
        "tflite-fp16",
        "tflite-fp32",
    ]


def test_float_variants_differ_from_keras_by_rounding_only(bundle) -> None:
    for name in ("onnx-fp32", "tflite-fp32"):
        parity = bundle.variant(name).parity
        assert parity["recommend.items"] == 0
        assert max(parity.values()) < 1e-5


def test_titles_and_keys_come_from_the_log(bundle, run) -> None:
    assert bundle.vocabulary.key(1) == run.interactions.item_keys[0]
    assert bundle.vocabulary.title(1) == run.interactions.titles[0]


def test_fallback_items_are_the_most_popular_of_the_training_data(bundle, run) -> None:
    counts = np.bincount(run.split().train.item_ids, minlength=run.interactions.n_items + 1)
    fallback = bundle.manifest.fallback_items
    assert counts[fallback[0]] == counts[1:].max()
    assert (np.diff(counts[fallback]) <= 0).all()


def test_goldens_hold_a_history_longer_than_the_network_sees(bundle) -> None:
    from sasrec_runtime.checks import golden

    lengths = [len(case.history_ids) for case in golden.read(bundle).cases]
    assert min(lengths) < bundle.manifest.model.max_len < max(lengths)


def test_no_history_of_the_bundle_is_one_of_the_log(bundle, run) -> None:
    from sasrec_runtime.checks import golden

    window = bundle.manifest.model.max_len
    everybody = [history.tolist() for history in run.interactions.histories]
    seen = {tuple(history[:end][-window:]) for history in everybody for end in range(3, len(history) + 1)}
    drawn = [case.history_ids for case in golden.read(bundle).cases if len(case.history_ids) > 2]
    assert len(drawn) > 10
    assert not seen & {tuple(history[-window:]) for history in drawn}


def test_the_answers_of_a_real_history_would_be_seen(bundle, run) -> None:
    from sasrec_export.bundle.golden_histories import reveals_a_history

    real = run.interactions.histories
    assert reveals_a_history(real[3].tolist()[:-1], [real], max_len=bundle.manifest.model.max_len)


def test_a_swapped_item_row_ends_the_export_without_a_bundle(run, runner, tmp_path, monkeypatch) -> None:
    from sasrec_export.onnx_writer.tables import int8

    init = int8.Int8Table.__init__

    def swapped(self, quantized, *, rows) -> None:
        init(self, quantized, rows=rows)
        self._values[[3, 4]] = self._values[[4, 3]]

    monkeypatch.setattr(int8.Int8Table, "__init__", swapped)
    result = runner.invoke(main, ["export", str(run.path), "--out", str(tmp_path / "bundle"), "--recipe", "wi8"])
    assert result.exit_code == 1
    assert re.search(r"onnx-wi8: .*differs from Keras by [\d.]+, expected at most", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_fault_of_short_histories_alone_ends_the_export(run, runner, tmp_path, monkeypatch) -> None:
    from sasrec_export.onnx_writer import user_vector

    def from_the_oldest(tape, blocks, history, shape):
        ends, axis = user_vector._length(tape, history), tape.constant("axis_0", np.array([0]))
        start = tape.constant("position_start", np.array([0]))
        return tape.op("Slice", [tape.constant("positions", blocks.positions), start, ends, axis])

    monkeypatch.setattr(user_vector, "_positions", from_the_oldest)
    out = tmp_path / "bundle"
    result = runner.invoke(main, ["export", str(run.path), "--out", str(out), "--recipe", "fp32", "--runtime", "onnx"])
    assert result.exit_code == 1
    assert re.search(r"onnx-fp32, asked one by one: .*differs from Keras by", result.stderr)
    assert not out.exists()


@pytest.mark.parametrize("form", ["recommend", "recommend_batch"])
def test_a_fault_in_either_form_of_recommend_ends_the_export(run, runner, tmp_path, monkeypatch, form) -> None:
    from sasrec_export.onnx_writer.tables import int8

    table = {"recommend": int8.Int8Table, "recommend_batch": int8.Int8BatchTable}[form]
    score = table.score

    def negated(self, tape, user):
        scores, factor = score(self, tape, user)
        return (tape.op("Neg", [scores]), factor) if type(self) is table else (scores, factor)

    monkeypatch.setattr(table, "score", negated)
    out = tmp_path / "bundle"
    result = runner.invoke(main, ["export", str(run.path), "--out", str(out), "--recipe", "wi8", "--runtime", "onnx"])
    assert result.exit_code == 1
    assert ("asked one by one" in result.stderr) == (form == "recommend")
    assert "recommend.scores differs from Keras by" in result.stderr
    assert not out.exists()


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_network_with_numbers_that_are_not_finite_is_refused(run, runner, tmp_path, monkeypatch, value) -> None:
    model = run.model()
    table = model.weights[0].numpy()
    table[3, 1] = value
    model.weights[0].assign(table)
    monkeypatch.setattr(type(run), "model", lambda self: model)
    out = tmp_path / "bundle"
    result = runner.invoke(main, ["export", str(run.path), "--out", str(out), "--recipe", "fp32", "--runtime", "onnx"])
    assert result.exit_code == 1
    assert re.search(rf"model\.keras: \S+\[3, 1\] is {value}, expected finite numbers; so are 1 of its", result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_a_single_file_needs_no_weights_beside_it(run, runner, tmp_path) -> None:
    out = tmp_path / "bundle"
    options = ["--runtime", "onnx", "--recipe", "wi8", "--single-file"]
    result = runner.invoke(main, ["export", str(run.path), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (out / "onnx" / "wi8").iterdir()) == ["recommend.onnx", "score.onnx"]
    assert runner.invoke(main, ["verify", str(out)]).exit_code == 0


def test_top_k_fixes_what_tflite_returns(run, runner, tmp_path) -> None:
    out = tmp_path / "bundle"
    options = ["--runtime", "tflite", "--recipe", "fp32", "--top-k", "7"]
    assert runner.invoke(main, ["export", str(run.path), "--out", str(out), *options]).exit_code == 0
    result = runner.invoke(main, ["recommend", str(out), run.interactions.item_keys[0], "-k", "8"])
    assert result.exit_code == 1
    assert "fixed_k = 7" in result.stderr


def test_an_existing_output_is_kept(run, runner, bundle) -> None:
    before = bundle.file("manifest.json").read_bytes()
    result = runner.invoke(main, ["export", str(run.path), "--out", str(bundle.path)])
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert bundle.file("manifest.json").read_bytes() == before


def test_the_working_directory_may_be_replaced(run, runner, tmp_path, monkeypatch) -> None:
    options = ["export", str(run.path), "--runtime", "onnx", "--recipe", "wi8", "--single-file"]
    assert runner.invoke(main, [*options, "--out", str(tmp_path / "bundle")]).exit_code == 0
    before = (tmp_path / "bundle").stat().st_ino
    monkeypatch.chdir(tmp_path / "bundle")
    result = runner.invoke(main, [*options, "--out", ".", "--force"])
    monkeypatch.chdir(tmp_path)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "bundle").stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert runner.invoke(main, ["verify", str(tmp_path / "bundle")]).exit_code == 0


def test_force_does_not_replace_what_export_did_not_write(run, runner, tmp_path) -> None:
    app, noted = tmp_path / "app", tmp_path / "noted"
    app.mkdir()
    (app / "manifest.json").write_text('{"name": "My PWA"}')
    shutil.copytree(Path(__file__).parents[2] / "golden" / "bundle_v2", noted)
    (noted / "notes.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    said = [
        runner.invoke(main, ["export", str(run.path), "--out", str(out), "--force"]) for out in (app, noted, run.path)
    ]
    assert [result.exit_code for result in said] == [1, 1, 1]
    assert "its manifest.json is not that of a bundle, so --force does not replace it" in said[0].stderr
    assert "holds 'notes.txt', which a bundle does not" in said[1].stderr
    assert re.search(r"run is read and to be written", said[2].stderr)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "int9"], r"recipe is 'int9', expected one of wi8, wi8_afp32, wi4, wi8_ai8, fp16, fp32"),
        (["--runtime", "coreml"], r"runtime is 'coreml', expected one of onnx, tflite"),
    ],
    ids=["recipe", "runtime"],
)
def test_an_unknown_choice_lists_those_there_are(run, runner, tmp_path, arguments, message) -> None:
    result = runner.invoke(main, ["export", str(run.path), "--out", str(tmp_path / "bundle"), *arguments])
    assert result.exit_code == 1
    assert re.search(message, result.stderr)


def test_a_missing_run_is_named(runner, tmp_path) -> None:
    result = runner.invoke(main, ["export", str(tmp_path / "nothing"), "--out", str(tmp_path / "bundle")])
    assert result.exit_code == 1
    assert "nothing is not a folder" in result.stderr


def test_a_corrupted_network_is_named(run_folder, runner, tmp_path) -> None:
    broken = tmp_path / "run"
    shutil.copytree(run_folder, broken)
    (broken / "model.keras").write_bytes((broken / "model.keras").read_bytes()[:1000])
    result = runner.invoke(main, ["export", str(broken), "--out", str(tmp_path / "bundle")])
    assert result.exit_code == 1
    assert "model.keras is corrupted" in result.stderr
    assert not (tmp_path / "bundle").exists()


def test_the_python_of_the_card_runs_as_it_stands(bundle) -> None:
    card = bundle.file("README.md").read_text(encoding="utf-8")
    snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(snippets) == 2
    for code in snippets:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=bundle.path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    last = done.stdout
    recommended = json.loads(last.replace("'", '"'))
    assert len(recommended) == 10
    assert set(recommended) <= {bundle.vocabulary.key(i) for i in range(1, bundle.manifest.model.n_items + 1)}


def test_the_bundle_says_how_its_log_was_made(bundle, run) -> None:
    made = bundle.manifest.model.hyper_parameters["data"]
    assert made["split"]["kind"] == "leave-one-out"
    assert made["filters"] == {"min_rating": None, "rating_column": None, "k_core": None, "min_history": None}
