"""golden.json on Node and in Chromium, of every variant they can run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from js import fixed

SCRIPT = Path(__file__).parents[2] / "runtime" / "js" / "tools" / "conformance.mjs"
CLIENTS = ["node", "chromium"]

Check = Callable[[str, Path], dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def check(node: Callable[..., Any], request: pytest.FixtureRequest) -> Check:
    """Variant → what verify found, on one client."""

    def run(client: str, bundle: Path) -> dict[str, dict[str, Any]]:
        if client == "chromium":
            request.getfixturevalue("chromium")
        return {row["variant"]: row for row in json.loads(node(SCRIPT, client, bundle).stdout)}

    return run


@pytest.mark.parametrize("client", CLIENTS)
def test_an_exported_bundle_passes(check: Check, exported_bundle: Path, client: str) -> None:
    rows = check(client, exported_bundle)
    assert {name: row["status"] for name, row in rows.items()} == {
        "onnx-wi8": "passed",
        "onnx-fp32": "passed",
        "tflite-wi8": "skipped",
        "tflite-fp32": "skipped",
    }
    assert rows["onnx-fp32"]["cases"] == 8


@pytest.mark.parametrize("client", CLIENTS)
def test_an_onnx_variant_of_fixed_shapes_passes(check: Check, tmp_path: Path, client: str) -> None:
    fixed.tiny_fixed(tmp_path / "bundle")
    row = check(client, tmp_path / "bundle")["onnx-inline"]
    assert (row["status"], row["failures"]) == ("passed", [])


def test_a_fixed_exclude_refuses_more(client: Callable[..., Any], tmp_path: Path) -> None:
    fixed.tiny_fixed(tmp_path / "bundle")
    keys = ["apple", "bread", "cheese", "dates", "eggs", "figs", "grapes"]
    error = client(tmp_path / "bundle", ["recommend", keys, {"k": 1}])[1]["error"]
    assert error["name"] == "RequestError"
    assert error["message"].startswith("exclude holds 7 ids, expected at most 6.")


def test_fixed_candidates_take_several_calls(client: Callable[..., Any], tmp_path: Path, shared_bundle: Path) -> None:
    fixed.tiny_fixed(tmp_path / "bundle")
    call = ["score", ["apple", "bread"], ["eggs", "apple", "grapes", "figs", "cheese"]]
    assert client(tmp_path / "bundle", call)[1] == client(shared_bundle, call)[1]


@pytest.mark.tf
def test_tflite_variants_of_fixed_shapes_pass_on_litert_js(check: Check, exported_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    fixed.fix_tflite(exported_bundle, tmp_path / "bundle")
    rows = check("chromium", tmp_path / "bundle")
    assert {name: (row["status"], row["failures"]) for name, row in rows.items()} == {
        "tflite-wi8": ("passed", []),
        "tflite-fp32": ("passed", []),
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_golden_fails(check: Check, tmp_path: Path, client: str) -> None:
    from runtime import tiny

    tiny.write(tmp_path / "bundle")

    def spoil(path: Path, manifest: dict[str, Any]) -> None:
        golden = json.loads((path / "golden.json").read_bytes())
        golden["cases"][0]["answers"]["onnx-inline"]["scores"][0] = 9.0
        (path / "golden.json").write_text(json.dumps(golden))

    fixed.edit(tmp_path / "bundle", spoil)
    rows = check(client, tmp_path / "bundle")
    assert rows["onnx-fp32"]["status"] == "passed"
    assert rows["onnx-inline"]["failures"] == ["history [1, 2]: scores[0] is 2, expected 9 within 0.00001."]
