"""The version stands in pyproject.toml, and the changelog agrees. tests/js/test_package.py looks at package.json."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_the_newest_dated_section_of_the_changelog_is_that_version() -> None:
    sections = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == VERSION
    assert re.fullmatch(r" - \d{4}-\d\d-\d\d", sections[1][1])


@pytest.mark.parametrize("package", ["runtime/sasrec_runtime", "export/sasrec_export", "train/sasrec_train"])
def test_no_module_repeats_it(package: str) -> None:
    written = [
        path for path in (ROOT / package).rglob("*.py") if re.search(r"__version__\s*=", path.read_text("utf-8"))
    ]
    assert written == []


def test_the_oldest_versions_tested_are_those_promised() -> None:
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)$", (ROOT / "tests" / "oldest.txt").read_text("utf-8"), re.MULTILINE))
    for requirement in promised:
        name, oldest = requirement.split(">=")
        assert f"{pins[name]}.".startswith(f"{oldest}."), requirement
