"""The documents: code runs as it stands, links lead somewhere, and names that they promise exist."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

from sasrec_export.cli import main

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in (
        "*.md",
        "docs/*.md",
        "examples/*.md",
        "train/*.md",
        "export/*.md",
        "runtime/*.md",
        "runtime/js/*.md",
    )
    for path in ROOT.glob(pattern)
)
WITH_COMMANDS = [name for name in DOCUMENTS if name not in {"CHANGELOG.md", "docs/design-notes.md"}]
PACKAGES = {"train": "sasrec_train", "export": "sasrec_export", "runtime": "sasrec_runtime"}
README_LINES = 90


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def python_of(readme: str) -> str:
    """Return the first snippet of Python in a document."""
    return re.findall(r"```python\n(.*?)```", text_of(readme), re.DOTALL)[0]


def anchors_of(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    prose = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.tf
def test_the_example_of_training_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of("train/README.md"), "train/README.md", "exec"), {})
    assert 0 <= float(capsys.readouterr().out) <= 1


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch, capsys) -> None:
    bundle = ROOT / "tests" / "golden" / "bundle_v2"
    (tmp_path / "bundle").symlink_to(bundle)
    monkeypatch.chdir(tmp_path)
    keys = (bundle / "items.txt").read_text().split()
    code = python_of("README.md")
    for theirs, ours in zip(("50", "181", "172"), keys, strict=False):
        assert f'"{theirs}"' in code
        code = code.replace(f'"{theirs}"', f'"{ours}"')
    exec(compile(code, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_the_example_of_a_new_recipe_is_a_recipe() -> None:
    from sasrec_export import recipes
    from sasrec_export.table.spec import TableSpec

    names = {"Recipe": recipes.Recipe, "Engine": recipes.Engine, "TableSpec": TableSpec}
    made = eval(python_of("CONTRIBUTING.md").strip(), names)
    assert made.engines["onnx"].table.is_integer


def test_the_readme_stays_short() -> None:
    assert len(text_of("README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_relative_link_leads_somewhere(document: str) -> None:
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text_of(document), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_every_command_line_names_commands_and_options_there_are(document: str) -> None:
    for line in re.findall(r"^ {4,}(?:.*\| )?sasrec-edge ([a-z].*)$", text_of(document), re.MULTILINE):
        name, *words = line.partition("#")[0].split()
        known = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("-") and word != "-"} <= known, line


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "README.md", "docs/benchmarks.md", "docs/architecture.md"])
def test_every_make_target_and_tool_that_is_named_exists(document: str) -> None:
    text, makefile = text_of(document), text_of("Makefile")
    named = re.findall(r"(?:`| {4})make ([a-z][a-z -]*)", text)
    targets = {target for words in named for target in words.split()}
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()
    tools = set(re.findall(r"tools/[a-z_]+\.py", text))
    assert {tool for tool in tools if not (ROOT / tool).is_file()} == set()


@pytest.mark.parametrize("root", PACKAGES)
def test_the_readme_of_a_package_names_every_folder_of_it(root: str) -> None:
    package = ROOT / root / PACKAGES[root]
    folders = {path.parent.relative_to(package).as_posix() for path in package.rglob("*.*") if path.is_file()} - {"."}
    folders = {folder for folder in folders if "__pycache__" not in folder}
    section = text_of(f"{root}/README.md").partition("## In this folder")[2]
    named = set(re.findall(r"(?<![\w/])((?:[a-z_]+/)+)(?= )", section))
    assert {folder.removesuffix("/") for folder in named} - {"js"} == folders


def public_rows() -> list[tuple[str, str]]:
    """Return the rows of stability.md's table of imports: what is imported, and for what."""
    section = text_of("docs/stability.md").partition("\n## Python")[2].partition("\n## ")[0]
    return re.findall(r"^\| (`(?:python -m )?sasrec_[^|]*) \| ([^|]*) \|", section, re.MULTILINE)


def module_of(path: str) -> ModuleType:
    """Import what a dotted path names, a module or a name in one; return the module."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name != path:
            raise
    module = importlib.import_module(path.rpartition(".")[0])
    assert hasattr(module, path.rpartition(".")[2]), path
    return module


@pytest.mark.tf
@pytest.mark.parametrize("public_row", public_rows(), ids=lambda row: row[0].strip("`"))
def test_the_public_names_exist(public_row: tuple[str, str]) -> None:
    importing, purpose = public_row
    paths = re.findall(r"`(?:python -m )?(sasrec_[\w.]+)", importing)
    modules = [module_of(path) for path in paths]
    names = re.findall(r"`\.(\w+)`", importing) + re.findall(r"`([A-Za-z_]+)(?:\(\))?`", purpose)
    missing = [name for name in names if not any(hasattr(module, name) for module in modules)]
    assert missing == []


def test_the_tests_that_hold_a_threat_exist() -> None:
    named = re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", text_of("SECURITY.md"))
    assert len(named) > 10
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    assert set(named) <= there
