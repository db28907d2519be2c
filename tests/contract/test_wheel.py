"""The built wheel, without extras, in an environment of its own: it runs a bundle, and says what it lacks."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "tests" / "golden" / "bundle_v1"

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the installed command, away from the source tree."""
    folder = tmp_path_factory.mktemp("bare")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("sasrec_edge-*.whl")
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel]
    installed = subprocess.run(install, capture_output=True, text=True, check=False)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip("the package registry cannot be reached")
    assert installed.returncode == 0, installed.stderr
    shutil.copytree(BUNDLE, folder / "bundle")

    def run(*arguments: str, command: str = "sasrec-edge") -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        line = [environment / "bin" / command, *arguments]
        return subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder, env=clean)

    return run


def test_it_brings_nothing_heavy(bare: Run) -> None:
    listed = json.loads(bare("-m", "pip", "list", "--format", "json", command="python").stdout)
    names = {package["name"].lower() for package in listed}
    assert {"click", "msgspec", "numpy", "onnxruntime", "sasrec-edge"} <= names
    assert not names & {"tensorflow", "keras", "onnx", "onnx-ir", "tf2onnx", "polars", "jinja2", "matplotlib"}


def test_it_verifies_a_bundle_and_says_what_it_skips(bare: Run) -> None:
    done = bare("verify", "bundle", "--json")
    assert done.returncode == 0, done.stderr
    status = {check["variant"]: check["status"] for check in json.loads(done.stdout)["variants"]}
    assert status == {
        "onnx-wi8": "passed",
        "onnx-fp32": "passed",
        "tflite-wi8": "skipped",
        "tflite-fp32": "skipped",
    }


def test_it_recommends(bare: Run) -> None:
    key = (BUNDLE / "items.txt").read_text().split("\n")[0]
    done = bare("recommend", "bundle", key, "-k", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["items"]) == 3


@pytest.mark.parametrize(
    "command", [["train", "--data", "synthetic", "--out", "run"], ["report", "bundle", "--data", "synthetic"]]
)
def test_what_needs_an_extra_names_it(bare: Run, command: list[str]) -> None:
    done = bare(*command)
    assert done.returncode == 1
    assert "pip install 'sasrec-edge[" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_works_without_extras(bare: Run) -> None:
    assert bare("--help").returncode == 0
