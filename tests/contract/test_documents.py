"""The code of the READMEs runs as it stands."""

import re
from pathlib import Path

import pytest

from sasrec_export.cli import main

ROOT = Path(__file__).parents[2]


def python_of(readme: str) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / readme).read_text(encoding="utf-8"), re.DOTALL)
    return code


@pytest.mark.tf
@pytest.mark.xdist_group("train")
def test_the_example_of_training_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of("train/README.md"), "train/README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 1


@pytest.mark.parametrize(
    "readme", ["README.md", "train/README.md", "export/README.md", "export/REPORT.md", "runtime/README.md"]
)
def test_every_command_line_names_commands_and_options_there_are(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    for line in re.findall(r"^    (?:.*\| )?sasrec-edge (.*)$", text, re.MULTILINE):
        name, *words = line.partition("#")[0].split()
        known = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-") and word != "-"} <= known, line
