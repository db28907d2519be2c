"""manifest.json: one sentence of runtime/BUNDLE.md per test."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime import tiny
from sasrec_runtime import manifest
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import FormatVersionError, ManifestError
from sasrec_runtime.manifest import FileEntry, Manifest, ModelCard, Provenance, Variant, Vocabulary

text = st.text(min_size=1, max_size=8)
name = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
count = st.integers(0, 2**40)
columns = st.integers(0, 2**16)
positive = st.integers(1, 2**31 - 2)
length = st.integers(1, 2**10)
finite = st.floats(0, 1e3)
files = st.builds(FileEntry, path=text, bytes=count, sha256=st.from_regex(r"\A[0-9a-f]{64}\Z"))
variants = st.builds(
    Variant,
    name=name,
    runtime=st.sampled_from(["onnx", "tflite"]),
    recipe=name,
    entries=st.dictionaries(text, text, max_size=2),
    files=st.lists(files, max_size=2),
    min_runtime_version=name,
    atol=finite,
    fixed_k=columns,
    fixed_history=columns,
    fixed_batch=columns,
    fixed_exclude=columns,
    fixed_candidates=columns,
    parity=st.dictionaries(text, finite, max_size=2),
    quality=st.dictionaries(text, finite, max_size=2),
)
manifests = st.builds(
    Manifest,
    format_version=st.sampled_from([1, 2]),
    model=st.builds(
        ModelCard,
        n_items=positive,
        max_len=length,
        hidden_dim=length,
        num_blocks=length,
        num_heads=length,
        hyper_parameters=st.dictionaries(text, text | count | st.booleans() | st.none(), max_size=2),
    ),
    signature=st.dictionaries(text, st.dictionaries(text, st.dictionaries(text, text, max_size=1), max_size=1)),
    variants=st.lists(variants, max_size=2),
    vocabulary=st.builds(Vocabulary, items=files, titles=files | st.none()),
    fallback_items=st.lists(positive, max_size=4),
    golden=files,
    documents=st.lists(files, max_size=2),
    provenance=st.builds(
        Provenance,
        data=text,
        data_sha256=st.from_regex(r"\A[0-9a-f]{64}\Z"),
        seed=st.integers(-(2**31), 2**31),
        versions=st.dictionaries(text, text, max_size=2),
    ),
)


@pytest.fixture(scope="session")
def tree(shared_bundle: Path) -> dict:
    return json.loads((shared_bundle / "manifest.json").read_bytes())


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(manifests)
def test_decode_undoes_encode(any_manifest: Manifest) -> None:
    assert manifest.decode(manifest.encode(any_manifest)) == any_manifest


def test_key_order_is_irrelevant(tree: dict) -> None:
    turned = dict(reversed(tree.items()))
    assert manifest.decode(json.dumps(turned).encode()) == manifest.decode(json.dumps(tree).encode())


def objects_of(tree: object) -> list[dict]:
    """Return every object that a struct reads; free-form objects hold any key."""
    free = {"hyper_parameters", "signature", "entries", "parity", "quality", "versions"}
    if isinstance(tree, dict):
        return [tree, *(found for key, value in tree.items() if key not in free for found in objects_of(value))]
    return [found for value in tree for found in objects_of(value)] if isinstance(tree, list) else []


@given(data=st.data())
def test_an_unknown_key_fails_anywhere(tree: dict, data: st.DataObject) -> None:
    copy = json.loads(json.dumps(tree))
    data.draw(st.sampled_from(objects_of(copy)))["surprise"] = 1
    with pytest.raises(ManifestError, match="unknown field `surprise`"):
        manifest.decode(json.dumps(copy).encode())


@given(data=st.data())
def test_a_missing_key_fails_anywhere(tree: dict, data: st.DataObject) -> None:
    copy = json.loads(json.dumps(tree))
    owner = data.draw(st.sampled_from(objects_of(copy)))
    optional = {
        "titles",
        "hyper_parameters",
        "fixed_k",
        "fixed_history",
        "fixed_batch",
        "fixed_exclude",
        "fixed_candidates",
        "parity",
        "quality",
        "versions",
    }
    key = data.draw(st.sampled_from(sorted(owner.keys() - optional)))
    del owner[key]
    with pytest.raises(ManifestError, match=f"missing required field `{key}`"):
        manifest.decode(json.dumps(copy).encode())


def test_a_newer_version_is_named_whatever_else_it_holds() -> None:
    with pytest.raises(FormatVersionError, match=r"format_version is 9, this reader knows up to 2\. Upgrade"):
        manifest.decode(b'{"format_version": 9, "surprise": 1}')


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "truncated", id="empty"),
        pytest.param(b"{", "truncated", id="truncated"),
        pytest.param(b"[]", "Expected `object`, got `array`", id="no object"),
        pytest.param(b'{"format_version": "1"}', r"Expected `int`, got `str` - at `\$.format_version`", id="text"),
        pytest.param(b'{"format_version": 0}', "Expected `int` >= 1", id="version 0"),
        pytest.param(b'{"format_version": 1, "a": "\xff"}', "unknown field|utf-8", id="not UTF-8"),
        pytest.param(b'{"format_version": 1, "a": 1, "a": 2}', "'a' stands twice", id="duplicate key"),
        pytest.param(b'{"format_version": 1, "a": ' + b"[" * 100_000, "recursion", id="too deep"),
        pytest.param(b" " * (5 << 20), "5242880 bytes, expected at most 4194304", id="oversize"),
    ],
)
def test_decode_refuses(data: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifest.decode(data)


def test_a_key_that_is_not_utf8_fails(tree: dict) -> None:
    data = json.dumps(tree).encode().replace(b"by hand", b"by \xff\xfe")
    with pytest.raises(ManifestError, match=r"(?i)utf-8"):
        manifest.decode(data)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(b'"name": "onnx-inline"', b'"name": "onnx-fp32"', "'onnx-fp32' stands 2 times", id="name twice"),
        pytest.param(
            b'"score": "onnx/score.onnx"', b'"rank": "onnx/score.onnx"', "expected recommend, score", id="entry"
        ),
        pytest.param(b'"score": "onnx/score.onnx"', b'"score": "a.onnx"', "'a.onnx' is not among its files", id="file"),
        pytest.param(b"    5\n", b"    8\n", "fallback_items holds 8, expected item ids in 1…7", id="fallback id"),
        pytest.param(b"    5\n", b"    3\n", "fallback_items holds an item id twice", id="fallback twice"),
        pytest.param(b'"path": "README.md"', b'"path": "items.txt"', "'items.txt' has two sizes", id="two sizes"),
        pytest.param(
            b'"runtime": "onnx"', b'"runtime": "tflite"', "fixed_k is 0, expected the number", id="no fixed_k"
        ),
    ],
)
def test_open_refuses_contradictions(
    rewrite: Callable[[bytes, bytes], Path], old: bytes, new: bytes, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        Bundle.open(rewrite(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(b'"n_items": 7', b'"n_items": 2147483647', r"<= 2147483646 - at `\$.model.n_items", id="n_items"),
        pytest.param(b'"max_len": 4', b'"max_len": 65537', r"<= 65536 - at `\$.model.max_len", id="max_len"),
        pytest.param(b'"hidden_dim": 2', b'"hidden_dim": 100000000000000000000', "hidden_dim", id="hidden_dim"),
        pytest.param(b'"num_blocks": 1', b'"num_blocks": 1025', "<= 1024", id="num_blocks"),
        pytest.param(b'"num_heads": 1', b'"num_heads": 65537', "<= 65536", id="num_heads"),
        pytest.param(b'"num_heads": 1', b'"num_heads": 3', "hidden_dim is 2, expected a multiple of .* 3", id="heads"),
        pytest.param(b'"atol": 0.00001', b'"atol": 1e308', r"<= 1000.0", id="atol"),
        pytest.param(b'"fixed_k": 0', b'"fixed_k": 4294967296', "<= 2147483646", id="fixed_k"),
        pytest.param(b'"fixed_history": 0', b'"fixed_history": 65537', "<= 65536", id="fixed_history"),
        pytest.param(b'"fixed_batch": 0', b'"fixed_batch": 2147483648', "<= 65536", id="fixed_batch"),
        pytest.param(b'"fixed_exclude": 0', b'"fixed_exclude": 262145', "<= 262144", id="fixed_exclude"),
        pytest.param(b'"fixed_candidates": 0', b'"fixed_candidates": 262145', "<= 262144", id="fixed_candidates"),
        pytest.param(
            b'"fixed_batch": 0,\n      "fixed_exclude": 0', b'"fixed_batch": 65536,\n      "fixed_exclude": 1024',
            "fixed_batch is 65536, expected at most 32768 with 1024 columns", id="cells",
        ),
        pytest.param(b'"1.17.0"', b'"' + b"1" * 5000 + b'"', "length <= 40", id="version"),
        pytest.param(b'"onnx-inline"', b'"onnx\\u0000inline"', "matching regex", id="NUL in a name"),
        pytest.param(b'"onnx-inline"', b'"onnx-inline\\n"', "matching regex", id="line feed after a name"),
        pytest.param(b'"onnx-inline"', b'"' + b"x" * 201 + b'"', "length <= 200", id="long name"),
        pytest.param(b"0" * 64 + b'"', b"0" * 64 + b'\\n"', "length <= 64", id="line feed after a digest"),
    ],
)  # fmt: skip
def test_open_refuses_what_no_model_has(
    rewrite: Callable[[bytes, bytes], Path], old: bytes, new: bytes, message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        Bundle.open(rewrite(old, new))


def test_many_problems_are_summed_up(tiny_bundle: Path) -> None:
    whole = Bundle.open(tiny_bundle).manifest
    variants = [
        msgspec.structs.replace(whole.variants[0], name=f"v{number}", runtime="tflite") for number in range(200)
    ]
    (tiny_bundle / "manifest.json").write_bytes(manifest.encode(msgspec.structs.replace(whole, variants=variants)))
    with pytest.raises(ManifestError, match=r"; and 150 more\. Export the bundle again") as caught:
        Bundle.open(tiny_bundle)
    assert len(str(caught.value)) < 10_000


def test_more_variants_than_anybody_exports_are_refused(tiny_bundle: Path) -> None:
    whole = Bundle.open(tiny_bundle).manifest
    data = manifest.encode(msgspec.structs.replace(whole, variants=whole.variants * 150))
    with pytest.raises(ManifestError, match=r"length <= 256 - at `\$.variants"):
        manifest.decode(data)


def test_a_repeated_key_among_very_many_is_found_at_once() -> None:
    keys = ",".join(f'"k{number}":1' for number in range(200_000))
    with pytest.raises(ManifestError, match="'k199999' stands twice"):
        manifest.decode(f'{{"format_version":1,{keys},"k199999":1}}'.encode())


def test_open_refuses_a_bundle_without_variants(tiny_bundle: Path) -> None:
    whole = Bundle.open(tiny_bundle).manifest
    data = manifest.encode(msgspec.structs.replace(whole, variants=[]))
    (tiny_bundle / "manifest.json").write_bytes(data)
    with pytest.raises(ManifestError, match="variants is empty"):
        Bundle.open(tiny_bundle)


def test_schema_describes_every_field_and_forbids_others() -> None:
    schema = manifest.json_schema()
    assert set(schema["$defs"]["Variant"]["properties"]) == set(Variant.__struct_fields__)
    assert schema["$defs"]["Manifest"]["additionalProperties"] is False


def test_all_files_lists_a_shared_file_once(bundle: Bundle) -> None:
    paths = [entry.path for entry in bundle.manifest.all_files()]
    assert sorted(paths) == sorted(set(paths))
    assert "onnx/weights.bin" in paths


def test_variant_is_found_by_name(bundle: Bundle) -> None:
    assert bundle.manifest.variant("onnx-inline").recipe == "inline"
    assert bundle.manifest.variant("nothing") is None


def test_the_tiny_manifest_is_what_the_generator_says(bundle: Bundle) -> None:
    assert bundle.manifest.model.n_items == tiny.N_ITEMS
