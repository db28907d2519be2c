"""The runtime's commands, through the root group: output, exit codes, sentences."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.checks.test_verify import spoil_golden
from sasrec_export.cli import main
from sasrec_runtime.cli.commands import COMMANDS


@pytest.fixture
def run(runner: CliRunner):
    def invoke(*arguments: object, stdin: str | None = None) -> Result:
        return runner.invoke(main, [str(argument) for argument in arguments], input=stdin)

    return invoke


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_has_help_with_an_example(run, command) -> None:
    result = run(command.name, "--help")
    assert result.exit_code == 0
    assert f"Example: sasrec-edge {command.name} bundle" in result.stdout
    assert run(command.name, "-h").stdout == result.stdout


def test_recommend_prints_rank_score_key_and_title(run, shared_bundle: Path) -> None:
    result = run("recommend", shared_bundle, "apple", "bread", "-k", 2)
    assert result.stdout == "1  2.0000  cheese  Old cheese\n2  2.0000  dates   Dates\n"
    assert (result.exit_code, result.stderr) == (0, "")


def test_recommend_prints_one_json_object(run, shared_bundle: Path) -> None:
    result = json.loads(run("recommend", shared_bundle, "apple", "bread", "-k", 1, "--json").stdout)
    assert list(result) == ["output_version", "variant", "is_fallback", "items"]
    assert result["items"] == [{"key": "cheese", "score": 2.0, "title": "Old cheese"}]


def test_recommend_reads_keys_from_standard_input(run, shared_bundle: Path) -> None:
    piped = run("recommend", shared_bundle, "apple", "-", "-k", 2, stdin=" bread\n")
    assert piped.stdout == run("recommend", shared_bundle, "apple", "bread", "-k", 2).stdout


def test_recommend_without_keys_says_on_stderr_that_it_is_popularity(run, shared_bundle: Path) -> None:
    result = run("recommend", shared_bundle, "-k", 1)
    assert result.stdout == "1  –  cheese  Old cheese\n"
    assert "these are the most popular items" in result.stderr


def test_recommend_options_reach_the_recommender(run, shared_bundle: Path) -> None:
    common = ("recommend", shared_bundle, "dates", "-k", 1, "--variant", "onnx-inline", "--threads", 2)
    assert "dates" in run(*common, "--keep-seen").stdout
    assert "apple" in run(*common).stdout
    assert "cheese" in run(*common, "--exclude", "apple").stdout
    assert "apple" in run(*common, "?", "--unknown", "drop").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["?"], "history[0] is '?', expected a key among the 7 items"),
        (["apple", "-k", "8"], "k is 8, expected 1…7."),
        (["apple", "-k", "0"], "k is 0, expected 1…7."),
        (["apple", "--variant", "wi8"], "variant is 'wi8', expected one of onnx-fp32, onnx-inline."),
    ],
)
def test_an_expected_failure_is_one_sentence_and_exit_code_1(
    run, shared_bundle: Path, arguments: list[str], message: str
) -> None:
    result = run("recommend", shared_bundle, "-k", "3", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {message}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_missing_bundle_is_an_expected_failure(run, tmp_path: Path, command) -> None:
    files = ("--histories", tmp_path / "in.csv", "--out", tmp_path / "out.csv") if command.name == "score" else ()
    result = run(command.name, tmp_path / "nothing", *files)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "does not exist, expected a bundle." in result.stderr


@pytest.mark.parametrize("option", [["--threads", "0"], ["--unknown", "skip"], ["-k", "many"]])
def test_a_wrong_option_is_a_usage_error(run, shared_bundle: Path, option: list[str]) -> None:
    assert run("recommend", shared_bundle, "apple", *option).exit_code == 2


def test_verify_prints_one_line_per_variant(run, shared_bundle: Path) -> None:
    result = run("verify", shared_bundle)
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines()] == [
        ["onnx-fp32", "passed", "3"],
        ["onnx-inline", "passed", "3"],
    ]


def test_verify_checks_the_named_variant_only(run, shared_bundle: Path) -> None:
    result = json.loads(run("verify", shared_bundle, "--variant", "onnx-inline", "--json").stdout)
    assert list(result) == ["output_version", "passed", "bytes", "variants"]
    assert [check["variant"] for check in result["variants"]] == ["onnx-inline"]


def test_verify_ends_with_3_where_an_answer_differs(run, tiny_bundle: Path) -> None:
    spoil_golden(tiny_bundle)
    result = run("verify", tiny_bundle)
    assert result.exit_code == 3
    assert "failed  history [1, 2]: scores[0] is 2, expected 9" in result.stdout
    as_json = run("verify", tiny_bundle, "--json")
    assert as_json.exit_code == 3
    assert json.loads(as_json.stdout)["passed"] is False


def test_verify_ends_with_1_where_a_file_differs(run, tiny_bundle: Path) -> None:
    data = (tiny_bundle / "titles.txt").read_bytes()
    (tiny_bundle / "titles.txt").write_bytes(data.replace(b"Rye", b"Bad"))
    result = run("verify", tiny_bundle)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "titles.txt: sha256 is" in result.stderr


def test_inspect_prints_model_variants_and_origin(run, shared_bundle: Path) -> None:
    lines = run("inspect", shared_bundle).stdout.splitlines()
    assert "model.n_items      7" in lines
    assert "data               by hand" in lines
    heading = next(number for number, line in enumerate(lines) if line.startswith("variant "))
    assert lines[heading].split() == ["variant", "size", "needs", "atol", "ndcg@10", "parity", "scores"]
    assert lines[heading + 1].startswith("onnx-fp32 ")
    assert "onnxruntime ≥ 1.17.0" in lines[heading + 1]


def test_inspect_prints_one_json_object(run, shared_bundle: Path) -> None:
    result = json.loads(run("inspect", shared_bundle, "--json").stdout)
    assert list(result) == ["output_version", "path", "total_bytes", "manifest"]
    assert result["manifest"] == json.loads((shared_bundle / "manifest.json").read_bytes())


def test_bench_prints_a_table_or_one_json_object(run, shared_bundle: Path) -> None:
    common = ("bench", shared_bundle, "--calls", 3, "-k", 3)
    lines = run(*common).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["variant", "onnx-fp32", "onnx-inline"]
    assert lines[0].endswith("rows/s of 1  rows/s of 8  rows/s of 64  rows/s of 256")
    result = json.loads(run(*common, "--json").stdout)
    assert list(result) == ["output_version", "options", "k", "calls", "variants"]
    assert {"p50_us", "p90_us", "p99_us", "load_ms", "first_call_ms"} < set(result["variants"][0])
