"""verify: digests first, then the goldens of what can run here."""

import json
import sys
from pathlib import Path

import msgspec
import pytest

from runtime import tiny
from sasrec_runtime import manifest
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks.verify import verify
from sasrec_runtime.errors import DigestError, MissingRuntimeError


def spoil_golden(path: Path) -> None:
    """Record a wrong score for one variant, and the digest of the changed file."""
    data = json.loads((path / "golden.json").read_bytes())
    data["cases"][0]["answers"]["onnx-inline"]["scores"][0] = 9.0
    (path / "golden.json").write_bytes(json.dumps(data).encode())
    whole = manifest.decode((path / "manifest.json").read_bytes())
    whole = msgspec.structs.replace(whole, golden=tiny.entry(path, "golden.json"))
    (path / "manifest.json").write_bytes(manifest.encode(whole))


def test_an_intact_bundle_passes(bundle: Bundle) -> None:
    checks = verify(bundle)
    assert [(check.variant, check.status, check.cases) for check in checks] == [
        ("onnx-fp32", "passed", 3),
        ("onnx-inline", "passed", 3),
    ]


def test_a_wrong_answer_fails_its_variant_only(tiny_bundle: Path) -> None:
    spoil_golden(tiny_bundle)
    first, second = verify(Bundle.open(tiny_bundle))
    assert (first.status, second.status) == ("passed", "failed")
    assert second.failures == ["history [1, 2]: scores[0] is 2, expected 9 within 1e-05."]


def test_digests_come_first(tiny_bundle: Path) -> None:
    data = (tiny_bundle / "titles.txt").read_bytes()
    (tiny_bundle / "titles.txt").write_bytes(data.replace(b"Rye", b"Bad"))
    with pytest.raises(DigestError, match=r"titles.txt: sha256 is"):
        verify(Bundle.open(tiny_bundle))


def test_a_variant_that_cannot_run_is_skipped_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    check = verify(Bundle.open(tmp_path / "bundle"))[2]
    assert check.status == "skipped"
    assert "variant tflite-fp32 needs ai_edge_litert" in check.reason


def test_a_named_variant_must_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.write(tmp_path / "bundle", tflite=b"any")
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(MissingRuntimeError, match="variant tflite-fp32 needs ai_edge_litert"):
        verify(Bundle.open(tmp_path / "bundle"), ["tflite-fp32"])


def test_a_check_of_nothing_is_no_success(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingRuntimeError, match=r"No variant of .* can run here"):
        verify(bundle)


def test_a_variant_without_goldens_fails(tiny_bundle: Path) -> None:
    (tiny_bundle / "golden.json").write_bytes(golden.encode(tiny.golden(["onnx-fp32"])))
    whole = manifest.decode((tiny_bundle / "manifest.json").read_bytes())
    whole = msgspec.structs.replace(whole, golden=tiny.entry(tiny_bundle, "golden.json"))
    (tiny_bundle / "manifest.json").write_bytes(manifest.encode(whole))
    assert [check.status for check in verify(Bundle.open(tiny_bundle))] == ["passed", "failed"]
