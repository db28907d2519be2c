"""Damaged and hostile bundles in Node: refused, or answered right; never another error, a crash or a hang."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from js import fixed
from js.conftest import JS

Run = Callable[..., Any]
VARIANTS = ["onnx-fp32", "onnx-inline"]


def changed_bits(node: Run, bundle: Path, variant: str, step: int, *more: str) -> dict[str, int]:
    """Outcome → how many of the changed bundles had it."""
    return json.loads(node(JS / "test" / "hostile.mjs", bundle, variant, step, *more).stdout)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_changed_bit_is_refused(node: Run, tiny_bundle: Path, variant: str) -> None:
    counts = changed_bits(node, tiny_bundle, variant, 23)
    assert set(counts) == {"DigestError"}
    assert counts["DigestError"] > 100


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_changed_bit_with_its_digest_is_at_worst_an_error_of_ours(node: Run, tiny_bundle: Path, variant: str) -> None:
    counts = changed_bits(node, tiny_bundle, variant, 41, "resign")
    assert [outcome for outcome in counts if outcome.startswith("bare")] == []
    assert {"BundleError", "verify fails"} <= set(counts)


SHAPES = ["fixed_k", "fixed_history", "fixed_batch", "fixed_exclude", "fixed_candidates"]


@pytest.mark.parametrize("value", [2**25 + 1, 2**31, 2**53])
@pytest.mark.parametrize("field", SHAPES)
def test_a_shape_beyond_all_memory_is_refused_at_once(
    client: Callable[..., Any], tiny_bundle: Path, field: str, value: int
) -> None:
    fixed.edit(tiny_bundle, lambda _, manifest: manifest["variants"][0].update({field: value}))
    results = client(
        tiny_bundle, ["recommend", ["apple"], {"k": 2}], ["score", ["apple"], ["bread"]], variant="onnx-fp32"
    )
    names = {result["error"]["name"] for result in results if "error" in result}
    assert names, "no such shape can be right"
    assert names <= {"BundleError", "ManifestError", "SignatureError", "AnswerError", "EngineError"}


def test_goldens_of_gigabytes_are_not_read(client: Callable[..., Any], tiny_bundle: Path) -> None:
    golden = tiny_bundle / "golden.json"
    os.truncate(golden, 3 << 30)
    manifest = json.loads((tiny_bundle / "manifest.json").read_bytes())
    manifest["golden"]["bytes"] = golden.stat().st_size
    (tiny_bundle / "manifest.json").write_text(json.dumps(manifest))
    loaded, check = client(tiny_bundle, ["verify"])
    assert loaded == {"value": "onnx-fp32"}
    assert check["error"]["message"] == (
        "golden.json is 3221225472 bytes, expected at most 33554432. Export the bundle again."
    )
