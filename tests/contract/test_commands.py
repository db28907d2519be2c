"""Every command explains itself, and every command and option stands in docs/cli.md, which is written from them."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from sasrec_export.cli import main

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(main.commands)
CLI_PAGE = ROOT / "docs" / "cli.md"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    """tools/write_cli_reference.py, which is not part of a package."""
    spec = importlib.util.spec_from_file_location("write_cli_reference", ROOT / "tools" / "write_cli_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section_of(name: str) -> str:
    """Return a command's section of docs/cli.md."""
    (section,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", CLI_PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return section


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    assert f"Example: sasrec-edge {name}" in re.sub(r"\s+", " ", main.commands[name].help or "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_shown_in_the_readme(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"sasrec-edge {name}" in readme or f"`{name}`" in readme


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_stands_in_its_section(name: str) -> None:
    options = [parameter for parameter in main.commands[name].params if isinstance(parameter, click.Option)]
    spellings = {spelling for option in options for spelling in (*option.opts, *option.secondary_opts)}
    assert spellings <= set(re.findall(r"`(--?[a-z0-9-]+)`", section_of(name)))


def test_the_reference_is_what_the_command_line_says_today(writer: ModuleType) -> None:
    assert CLI_PAGE.read_text(encoding="utf-8") == writer.text(), "run: make docs"


def test_an_option_that_is_not_in_the_reference_makes_it_differ(
    writer: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = click.Option(["--brand-new"], help="Something new.", is_flag=True)
    monkeypatch.setattr(main.commands["verify"], "params", [*main.commands["verify"].params, new])
    assert "`--brand-new`" in writer.text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_a_result_can_print_json(name: str) -> None:
    assert "--json" in [option for parameter in main.commands[name].params for option in parameter.opts]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name: str) -> None:
    options = [parameter for parameter in main.commands[name].params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_the_commands_are_those_whose_names_stay() -> None:
    assert set(main.commands) == {
        "train", "evaluate", "add-items", "export", "report", "verify", "inspect", "recommend", "score", "bench",
    }  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_by_itself_has_the_help_options_that_it_has_in_the_group(name: str) -> None:
    assert CliRunner().invoke(main.commands[name], ["-h"]).exit_code == 0
