"""--among, --groups, --exclude-group and --at-most-per-group on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sasrec_export.cli import main


@pytest.fixture
def run(runner: CliRunner):
    def invoke(*arguments: object, stdin: str | None = None) -> Result:
        return runner.invoke(main, [str(argument) for argument in arguments], input=stdin)

    return invoke


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "stock").write_text("eggs\nfigs\ngrapes\nnew\n")
    (tmp_path / "groups.csv").write_text("item,group\neggs,x\nfigs,y\ngrapes,y\n")
    (tmp_path / "in.csv").write_text("user,history\na,apple\n")
    return tmp_path


def items(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return [item["key"] for item in json.loads(result.stdout)["items"]]


def test_recommend_takes_an_allowed_set_from_a_file_or_standard_input(run, shared_bundle: Path, files: Path) -> None:
    line = ("recommend", shared_bundle, "apple", "--json", "-k", 2, "--among")
    assert items(run(*line, files / "stock")) == ["grapes", "eggs"]
    assert items(run(*line, "-", stdin="figs\neggs\n")) == ["eggs", "figs"]


def test_recommend_takes_groups(run, shared_bundle: Path, files: Path) -> None:
    line = ("recommend", shared_bundle, "apple", "--json", "-k", 3, "--groups", files / "groups.csv")
    assert items(run(*line, "--among", files / "stock", "--at-most-per-group", 1)) == ["grapes", "eggs"]
    assert items(run(*line, "--exclude-group", "x", "--exclude-group", "y")) == ["dates", "cheese", "bread"]


def test_score_takes_all_of_them(run, shared_bundle: Path, files: Path) -> None:
    line = ("score", shared_bundle, "--histories", files / "in.csv", "--out", files / "out.jsonl", "-k", 3)
    limits = ("--among", files / "stock", "--groups", files / "groups.csv", "--at-most-per-group", 1)
    assert run(*line, *limits).exit_code == 0
    assert json.loads((files / "out.jsonl").read_text())["items"] == ["grapes", "eggs"]


def test_score_takes_another_name_of_the_column(run, shared_bundle: Path, files: Path) -> None:
    (files / "in.csv").write_text("user,history,shelf\na,apple,figs\n")
    line = ("score", shared_bundle, "--histories", files / "in.csv", "--out", files / "out.jsonl", "-k", 3)
    assert run(*line, "--among-column", "shelf").exit_code == 0
    assert json.loads((files / "out.jsonl").read_text())["items"] == ["figs"]


@pytest.mark.parametrize("command", ["recommend", "score"])
@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--among", "{}/none"], 1, "none: No such file or directory"),
        (["--among", "{}/empty"], 1, "empty is empty, expected item keys, one a line"),
        (["--among", "{}/other"], 1, "other holds 'new' and none of its keys is among the 7 items"),
        (["--among", "{}"], 1, "is a folder, expected a file of item keys"),
        (["--groups", "{}/stock"], 1, "has suffix '', expected .csv, .tsv or .json"),
        (["--groups", "{}/groups.csv", "--exclude-group", "z"], 1, "exclude_groups[0] is 'z', expected one of the 2"),
        (["--exclude-group", "z"], 2, "--exclude-group needs the groups of the items. Name their file with --groups."),
        (["--at-most-per-group", "1"], 2, "--at-most-per-group needs the groups of the items."),
        (["--groups", "{}/groups.csv", "--at-most-per-group", "0"], 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_kept_is_one_sentence(
    run, shared_bundle: Path, files: Path, command: str, options: list[str], code: int, message: str
) -> None:
    (files / "empty").write_text("\n\n")
    (files / "other").write_text("new\nnewer\n")
    before = sorted(files.iterdir())
    asked = ["apple"] if command == "recommend" else ["--histories", files / "in.csv", "--out", files / "out.csv"]
    result = run(command, shared_bundle, "-k", 3, *asked, *(option.format(files) for option in options))
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert (result.stdout, sorted(files.iterdir())) == ("", before)


def test_standard_input_is_read_once(run, shared_bundle: Path) -> None:
    result = run("recommend", shared_bundle, "-", "--among", "-", stdin="apple\n")
    assert (result.exit_code, "KEY and --among are both -" in result.stderr) == (2, True)
