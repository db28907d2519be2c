"""Fixtures of the JavaScript tests: the package, built once, and requests on it in Node."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from runtime.conftest import rewrite, runner, shared_bundle, tiny_bundle

__all__ = ["rewrite", "runner", "shared_bundle", "tiny_bundle"]

ROOT = Path(__file__).parents[2]
JS = ROOT / "runtime" / "js"
HERE = Path(__file__).parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def node() -> Run:
    """Run a script on Node with the package as it is in the tree."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (JS / "node_modules" / "onnxruntime-node").is_dir():
        pytest.skip("runtime/js/node_modules is not there: make js")
    subprocess.run(["node", "build.mjs"], cwd=JS, check=True, capture_output=True)
    environment = {**os.environ, "NODE_NO_WARNINGS": "1", "SASREC_CHROMIUM": CHROMIUM or ""}

    def run(script: Path, *arguments: object, stdin: str = "", cwd: Path = JS) -> subprocess.CompletedProcess[str]:
        line = ["node", str(script), *map(str, arguments)]
        done = subprocess.run(
            line, input=stdin, capture_output=True, text=True, check=False, env=environment, cwd=cwd, timeout=240
        )
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
        return done

    return run


@pytest.fixture(scope="session")
def exported_bundle() -> Path:
    """A bundle with a real network, as export writes it."""
    return ROOT / "tests" / "golden" / "bundle_v1"


@pytest.fixture(scope="session")
def chromium() -> str:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return CHROMIUM


@pytest.fixture(scope="session")
def client(node: Run) -> Callable[..., list[dict[str, Any]]]:
    """Load a bundle in JavaScript, call methods, return what each gave: {"value": …} or {"error": …}."""

    def request(
        place: object, *calls: Sequence[Any], variant: str | None = None, plant: str | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        chosen = options if variant is None else {**options, "variant": variant}
        request = {"load": [str(place), chosen], "plant": plant, "calls": calls}
        return json.loads(node(JS / "test" / "client.mjs", stdin=json.dumps(request)).stdout)

    return request
