"""The package itself: its size, its schemas, its lock file."""

import gzip
import importlib.util
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JS = ROOT / "runtime" / "js"
LIMIT_BYTES = 20_000


@pytest.mark.parametrize("name", ["browser.js", "node.js"])
def test_the_package_is_small_without_its_engines(node: object, name: str) -> None:
    assert len(gzip.compress((JS / "dist" / name).read_bytes())) < LIMIT_BYTES


def test_the_schemas_and_types_are_those_of_the_python_structs() -> None:
    spec = importlib.util.spec_from_file_location("write_js_schema", ROOT / "tools" / "write_js_schema.py")
    writer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(writer)
    differing = [path.name for path, text in writer.files().items() if path.read_text(encoding="utf-8") != text]
    assert differing == [], "run tools/write_js_schema.py"


def test_the_sources_keep_to_their_types(node: object) -> None:
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", "-p", "tsconfig.json"],
        cwd=JS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_the_lock_file_names_no_registry() -> None:
    text = (JS / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    funding = re.findall(r'"url": "https://[^"]*"', text)
    assert set(re.findall(r"https?://[^\"]*", text)) <= {url.removeprefix('"url": "')[:-1] for url in funding}


def test_the_format_versions_are_those_of_python() -> None:
    from sasrec_runtime.checks.golden import GOLDEN_VERSION
    from sasrec_runtime.manifest import FORMAT_VERSION

    assert f"FORMAT_VERSION = {FORMAT_VERSION};" in (JS / "src/manifest.ts").read_text()
    assert f"GOLDEN_VERSION = {GOLDEN_VERSION};" in (JS / "src/golden.ts").read_text()


def test_the_package_has_the_version_of_the_distribution() -> None:
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert json.loads((JS / "package.json").read_text())["version"] == version
