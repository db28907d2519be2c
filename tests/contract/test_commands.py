"""Every command explains itself and stands in the README."""

import re
from pathlib import Path

import click
import pytest

from sasrec_export.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(main.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    assert f"Example: sasrec-edge {name}" in re.sub(r"\s+", " ", main.commands[name].help or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    assert f"sasrec-edge {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_a_result_can_print_json(name: str) -> None:
    assert "--json" in [option for parameter in main.commands[name].params for option in parameter.opts]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    options = [parameter for parameter in main.commands[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_commands_are_those_of_the_design() -> None:
    assert set(main.commands) == {
        "train", "evaluate", "export", "report", "verify", "inspect", "recommend", "score", "bench",
    }  # fmt: skip
