"""What `make dist` builds: the source archive is whole, and the wheel runs a bundle without extras."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
BUNDLES = ("bundle_v1", "bundle_v2")
STATUS = {"onnx-wi8": "passed", "onnx-fp32": "passed", "tflite-wi8": "skipped", "tflite-fp32": "skipped"}

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command of `make dist` fills: a source archive, and the wheel built from it."""
    folder = tmp_path_factory.mktemp("dist")
    (line,) = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "-m build" in line]
    _, _, arguments = line.partition("-m build")
    build = [sys.executable, "-m", "build", *arguments.split(), "--outdir", folder, ROOT]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the installed command, away from the source tree."""
    folder = tmp_path_factory.mktemp("bare")
    (wheel,) = built.glob("sasrec_edge-*.whl")
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("the package registry cannot be reached")
    assert installed.returncode == 0, installed.stderr
    for name in BUNDLES:
        shutil.copytree(GOLDEN / name, folder / name)

    def run(*arguments: str, command: str = "sasrec-edge") -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        line = [environment / "bin" / command, *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder, env=clean)

    return run


@pytest.mark.parametrize(
    "name",
    [
        "docs/cli.md", "examples/README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE",
        "runtime/BUNDLE.md", "tests/runtime/tiny.py", "constraints.txt",
    ],
)  # fmt: skip
def test_the_source_archive_holds(built: Path, name: str) -> None:
    (archive,) = built.glob("sasrec_edge-*.tar.gz")
    with tarfile.open(archive) as files:
        assert f"{archive.name.removesuffix('.tar.gz')}/{name}" in files.getnames()


def test_the_source_archive_leaves_out_what_is_made(built: Path) -> None:
    (archive,) = built.glob("sasrec_edge-*.tar.gz")
    with tarfile.open(archive) as files:
        parts = {part for name in files.getnames() for part in Path(name).parts}
    assert not parts & {"node_modules", "__pycache__", ".venv", "demo", ".git"}


def test_the_version_is_that_of_pyproject(bare: Run) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert bare("--version").stdout.split()[-1] == version


def test_it_brings_nothing_heavy(bare: Run) -> None:
    listed = json.loads(bare("-m", "pip", "list", "--format", "json", command="python").stdout)
    names = {package["name"].lower() for package in listed}
    assert {"click", "msgspec", "numpy", "onnxruntime", "sasrec-edge"} <= names
    assert not names & {"tensorflow", "keras", "onnx", "onnx-ir", "tf2onnx", "polars", "jinja2", "matplotlib"}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_it_verifies_a_bundle_and_says_what_it_skips(bare: Run, bundle: str) -> None:
    done = bare("verify", bundle, "--json")
    assert done.returncode == 0, done.stderr
    assert {check["variant"]: check["status"] for check in json.loads(done.stdout)["variants"]} == STATUS


@pytest.mark.parametrize("bundle", BUNDLES)
def test_it_recommends(bare: Run, bundle: str) -> None:
    key = (GOLDEN / bundle / "items.txt").read_text().split("\n")[0]
    done = bare("recommend", bundle, key, "-k", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["items"]) == 3


@pytest.mark.parametrize(
    "command", [["train", "--data", "synthetic", "--out", "run"], ["report", "bundle_v2", "--data", "synthetic"]]
)
def test_what_needs_an_extra_names_it(bare: Run, command: list[str]) -> None:
    done = bare(*command)
    assert done.returncode == 1
    assert "pip install 'sasrec-edge[" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_works_without_extras(bare: Run) -> None:
    assert bare("--help").returncode == 0
