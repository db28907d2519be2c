"""verify: digests first, then the goldens of what can run here."""

import json
import shutil
import sys
from pathlib import Path

import msgspec
import onnx
import pytest
from onnx import helper

from runtime import tiny
from sasrec_runtime import manifest
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.checks import golden
from sasrec_runtime.checks import verify as verify_module
from sasrec_runtime.checks.children import ChildError
from sasrec_runtime.checks.verify import verify
from sasrec_runtime.errors import BundleError, BundleReplacedError, DigestError, MissingRuntimeError


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


def sign(path: Path) -> Bundle:
    """Bring sizes and digests of all variants up to date: whoever can write a bundle can do so."""
    whole = manifest.decode((path / "manifest.json").read_bytes())
    variants = [
        msgspec.structs.replace(variant, files=[tiny.entry(path, file.path) for file in variant.files])
        for variant in whole.variants
    ]
    (path / "manifest.json").write_bytes(manifest.encode(msgspec.structs.replace(whole, variants=variants)))
    return Bundle.open(path)


def with_batch_entry(path: Path, model: onnx.ModelProto) -> Bundle:
    """Give the variant onnx-inline the entry recommend_batch."""
    (path / "inline/batch.onnx").write_bytes(model.SerializeToString())
    whole = manifest.decode((path / "manifest.json").read_bytes())
    first, inline = whole.variants
    inline = msgspec.structs.replace(
        inline,
        entries=inline.entries | {"recommend_batch": "inline/batch.onnx"},
        files=[*inline.files, tiny.entry(path, "inline/batch.onnx")],
    )
    whole = msgspec.structs.replace(whole, format_version=2, variants=[first, inline])
    (path / "manifest.json").write_bytes(manifest.encode(whole))
    return Bundle.open(path)


def renamed(output: str) -> onnx.ModelProto:
    """Return the graph of `recommend` with an output called OUTPUT_plain, for another node to take its place."""
    model = tiny.recommend_model()
    for node in model.graph.node:
        node.output[:] = [f"{name}_plain" if name == output else name for name in node.output]
        node.input[:] = [f"{name}_plain" if name == output else name for name in node.input]
    return model


def negated(output: str) -> onnx.ModelProto:
    """Return the graph of `recommend` with an output negated."""
    model = renamed(output)
    model.graph.node.append(helper.make_node("Neg", [f"{output}_plain"], [output]))
    return model


def endless() -> onnx.ModelProto:
    """Return the graph of `recommend` with a loop of some thousand years before the scores."""
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Neg", ["before"], ["after"])],
        "body",
        [
            value("turn", onnx.TensorProto.INT64, []),
            value("go", onnx.TensorProto.BOOL, []),
            value("before", onnx.TensorProto.FLOAT, None),
        ],
        [value("go_on", onnx.TensorProto.BOOL, []), value("after", onnx.TensorProto.FLOAT, None)],
    )
    model = renamed("scores")
    model.graph.initializer.extend([tiny.tensor("turns", 2**62, "int64"), tiny.tensor("always", True, "bool")])
    model.graph.node.append(helper.make_node("Loop", ["turns", "always", "scores_plain"], ["scores"], body=body))
    return model


def test_the_batch_entry_passes_where_it_answers_alike(tiny_bundle: Path) -> None:
    bundle = with_batch_entry(tiny_bundle, tiny.recommend_model())
    assert [(check.status, check.failures) for check in verify(bundle)] == [("passed", [])] * 2


def test_a_batch_entry_with_other_scores_fails_its_variant(tiny_bundle: Path) -> None:
    first, second = verify(with_batch_entry(tiny_bundle, negated("scores")))
    assert (first.status, second.status) == ("passed", "failed")
    assert "history [1, 2], in a batch of 8 rows: scores[0] is -2, expected 2 within 1e-05." in second.failures


def test_a_batch_entry_that_cannot_be_loaded_fails_its_variant(tiny_bundle: Path) -> None:
    first, second = verify(with_batch_entry(tiny_bundle, tiny.score_model()))
    assert (first.status, second.status) == ("passed", "failed")
    assert second.failures[0].startswith("inline/batch.onnx: inputs are history int32 rank 2, candidates")


def test_items_that_are_no_items_fail_in_a_sentence(tiny_bundle: Path) -> None:
    (tiny_bundle / "inline/recommend.onnx").write_bytes(negated("items").SerializeToString())
    second = verify(sign(tiny_bundle))[1]
    assert second.status == "failed"
    assert second.failures[0] == "history [1, 2]: item id is -3, expected 1…7."


def test_a_file_that_its_engine_refuses_fails_its_variant_only(tiny_bundle: Path) -> None:
    (tiny_bundle / "inline/recommend.onnx").write_bytes(b"no model")
    first, second = verify(sign(tiny_bundle))
    assert (first.status, second.status) == ("passed", "failed")
    assert "cannot load it" in second.failures[0]


@pytest.mark.parametrize("end", ["its process crashed (SIGSEGV)", "its process did not end within 600 s"])
def test_a_process_that_ends_badly_fails_its_variant_only(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    run_module = verify_module.run_module

    def run(module: str, request: dict, **options: float) -> str:
        if request["variant"] == "onnx-inline":
            raise ChildError(end)
        return run_module(module, request, **options)

    monkeypatch.setattr(verify_module, "run_module", run)
    first, second = verify(bundle)
    assert (first.status, second.status, second.cases) == ("passed", "failed", 0)
    assert second.failures == [
        f"variant onnx-inline could not be checked: {end}. Export the bundle again, or leave it out."
    ]


def test_a_graph_that_never_ends_fails_in_time(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tiny_bundle / "inline/recommend.onnx").write_bytes(endless().SerializeToString())
    monkeypatch.setattr(verify_module, "TIMEOUT_S", 10)
    check = verify(sign(tiny_bundle), ["onnx-inline"])[0]
    assert check.status == "failed"
    assert "its process did not end within 10 s, and was stopped" in check.failures[0]


def test_an_invalid_golden_is_an_error_of_the_bundle(tiny_bundle: Path) -> None:
    (tiny_bundle / "golden.json").write_bytes(b"{}")
    whole = manifest.decode((tiny_bundle / "manifest.json").read_bytes())
    whole = msgspec.structs.replace(whole, golden=tiny.entry(tiny_bundle, "golden.json"))
    (tiny_bundle / "manifest.json").write_bytes(manifest.encode(whole))
    with pytest.raises(BundleError, match=r"golden\.json: Object missing required field"):
        verify(Bundle.open(tiny_bundle))


def test_a_bundle_that_is_replaced_meanwhile_is_said_to_be(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_module = verify_module.run_module

    def run(module: str, request: dict, **options: float) -> str:
        (tiny_bundle / "manifest.json").write_bytes((tiny_bundle / "manifest.json").read_bytes() + b"\n")
        return run_module(module, request, **options)

    monkeypatch.setattr(verify_module, "run_module", run)
    with pytest.raises(BundleReplacedError, match="was replaced while it was checked"):
        verify(Bundle.open(tiny_bundle))


@pytest.mark.tf
def test_a_tflite_file_that_crashes_or_is_refused_never_ends_this_process(tflite_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tflite_bundle, tmp_path / "bundle")
    file = tmp_path / "bundle" / "tflite/model.tflite"
    data = bytearray(file.read_bytes())
    for place in range(100, 400, 4):  # tables of the flatbuffer
        data[place] ^= 2
    file.write_bytes(data)
    check = verify(sign(tmp_path / "bundle"), ["tflite-fp32"])[0]
    assert check.status == "failed"
    assert "cannot load it" in check.failures[0] or "could not be checked" in check.failures[0]
