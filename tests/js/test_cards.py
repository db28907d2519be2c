"""The JavaScript of the integration card runs as it stands: in Node on the package, in Chromium on onnxruntime-web."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.bundle.test_card import code, written
from js.conftest import JS

Run = Callable[..., Any]


@pytest.fixture(params=["onnx", "onnx-fp32"])
def card(request: pytest.FixtureRequest, exported_bundle: Path, tmp_path: Path) -> Path:
    """A bundle folder with the snippets of its card as files."""
    shutil.copytree(exported_bundle, tmp_path / "bundle")
    package, web = code(written(exported_bundle, variants=request.param), "javascript")
    (tmp_path / "bundle/package.mjs").write_text(package, encoding="utf-8")
    (tmp_path / "bundle/web.mjs").write_text(web, encoding="utf-8")
    return tmp_path / "bundle"


def install(app: Path) -> None:
    """Put the package where an app that installed it has it."""
    (app / "node_modules").mkdir()
    (app / "node_modules/sasrec-edge").symlink_to(JS)


def test_the_package_snippet_runs_in_node(node: Run, card: Path) -> None:
    install(card)
    assert len(node(card / "package.mjs", cwd=card).stdout.splitlines()) == 10


def test_the_package_snippet_finds_a_changed_answer(node: Run, card: Path) -> None:
    install(card)
    golden = (card / "golden.json").read_text()
    (card / "golden.json").write_text(golden.replace('"scores": [\n', '"scores": [\n 9', 1))
    with pytest.raises(AssertionError, match=r"golden\.json is"):
        node(card / "package.mjs", cwd=card)


def test_the_web_snippet_runs_in_chromium(node: Run, chromium: str, card: Path, exported_bundle: Path) -> None:
    shown = json.loads(node(JS / "test" / "card.mjs", card, "web.mjs").stdout)
    assert len(shown) == 10
    first = json.loads((exported_bundle / "golden.json").read_bytes())["cases"][0]["answers"]["onnx-fp32"]
    assert shown[0][0] == first["item_keys"][0]


def test_the_web_snippet_finds_a_changed_answer(node: Run, chromium: str, card: Path) -> None:
    script = card / "web.mjs"
    script.write_text(script.read_text().replace("EXPECTED = [", "EXPECTED = [9, "))
    with pytest.raises(AssertionError, match="the golden case differs"):
        node(JS / "test" / "card.mjs", card, "web.mjs")
