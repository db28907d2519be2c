"""What is wrong is named alike in JavaScript and in Python: the same error class, place and value.

Sentences of our own are the same word for word; those that msgspec and difflib phrase in Python are not.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from js import fixed
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import SasrecError
from sasrec_runtime.recommender import Recommender

SUGGESTION = re.compile(r" (Did you mean|Closest:) [^.?]*[.?]")
"""What Python adds with difflib: similar names, which the browser has no code for."""

Client = Callable[..., list[dict[str, Any]]]


def python_says(action: Callable[[], object]) -> dict[str, str]:
    with pytest.raises(SasrecError) as caught:
        action()
    return {"name": type(caught.value).__name__, "message": str(caught.value)}


def essence(error: dict[str, str]) -> tuple[str, list[str], list[str]]:
    """Return the class of an error, the place in the JSON, and the values that it shows, in whatever words."""
    said = re.sub(r" ?(Closest|Did you mean)[^.?]*[.?]", "", error["message"])
    return error["name"], re.findall(r"\$[\w.\[\]]*\w", said), sorted(set(re.findall(r"'[^']*'|\d+", said)))


def edit_manifest(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    file = path / "manifest.json"
    manifest = json.loads(file.read_bytes())
    edit(manifest)
    file.write_text(json.dumps(manifest), encoding="utf-8")


MANIFESTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "newer format": lambda m: m.update(format_version=99, model="anything"),
    "missing field": lambda m: m["model"].pop("n_items"),
    "unknown field": lambda m: m["variants"][0].update(colour="red"),
    "text for a number": lambda m: m["model"].update(n_items="7"),
    "zero items": lambda m: m["model"].update(n_items=0),
    "a fraction": lambda m: m["model"].update(max_len=4.5),
    "null": lambda m: m["model"].update(max_len=None),
    "unknown runtime": lambda m: m["variants"][0].update(runtime="tensorrt"),
    "negative atol": lambda m: m["variants"][0].update(atol=-1),
    "wrong digest form": lambda m: m["golden"].update(sha256="ABC"),
    "number for titles": lambda m: m["vocabulary"].update(titles=3),
    "entry of another type": lambda m: m["variants"][0]["entries"].update(score=3),
    "object for a list": lambda m: m.update(variants={}),
    "no variants": lambda m: m.update(variants=[]),
    "a variant twice": lambda m: m["variants"].append(m["variants"][0]),
    "an unknown entry": lambda m: m["variants"][0]["entries"].update(train="x"),
    "an entry outside the files": lambda m: m["variants"][0]["entries"].update(score="onnx/other.onnx"),
    "fallback outside": lambda m: m.update(fallback_items=[1, 8]),
    "fallback twice": lambda m: m.update(fallback_items=[1, 1]),
    "two digests of a file": lambda m: m["documents"].append({**m["golden"], "sha256": "0" * 64}),
    "tflite without k": lambda m: m["variants"][0].update(runtime="tflite"),
    "path that leaves": lambda m: m["golden"].update(path="../golden.json"),
    "absolute path": lambda m: m["golden"].update(path="/etc/passwd"),
    "odd letters in a path": lambda m: m["golden"].update(path="a\\'b"),
}


def test_errors_of_another_class_place_or_value_differ() -> None:
    error = {"name": "ManifestError", "message": "Expected `int`, got 'str' - at `$.model.n_items`."}
    others = [
        {**error, "name": "BundleError"},
        {**error, "message": error["message"].replace("n_items", "max_len")},
        {**error, "message": error["message"].replace("'str'", "'7'")},
    ]
    assert essence(error) not in [essence(other) for other in others]
    assert essence(error) == essence({**error, "message": "n_items is 'str' (`$.model.n_items`), expected int"})


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_wrong_manifest_is_named_alike(client: Client, tiny_bundle: Path, name: str) -> None:
    edit_manifest(tiny_bundle, MANIFESTS[name])
    assert essence(client(tiny_bundle)[0]["error"]) == essence(python_says(lambda: Bundle.open(tiny_bundle)))


def test_a_key_that_stands_twice_is_named_alike(client: Client, rewrite: Callable[[bytes, bytes], Path]) -> None:
    path = rewrite(b'"n_items": 7,', b'"n_items": 7, "n_it\\u0065ms": 7,')
    assert essence(client(path)[0]["error"]) == essence(python_says(lambda: Bundle.open(path)))


def drop(path: Path) -> None:
    (path / "items.txt").unlink()


def drop_two(path: Path) -> None:
    (path / "items.txt").unlink()
    (path / "golden.json").write_bytes(b"short")


def cut(path: Path) -> None:
    (path / "onnx/weights.bin").write_bytes(b"short")


def no_folder(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def no_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()


def link_out(path: Path) -> None:
    (path / "README.md").rename(path.parent / "README.md")
    (path / "README.md").symlink_to(path.parent / "README.md")


def fifo_items(path: Path) -> None:
    (path / "items.txt").unlink()
    os.mkfifo(path / "items.txt")


def fifo_manifest(path: Path) -> None:
    (path / "manifest.json").unlink()
    os.mkfifo(path / "manifest.json")


def folder_for_a_file(path: Path) -> None:
    (path / "golden.json").unlink()
    (path / "golden.json").mkdir()


def huge_manifest(path: Path) -> None:
    os.truncate(path / "manifest.json", 3 << 30)


@pytest.mark.parametrize(
    "damage",
    [
        drop, drop_two, cut, no_folder, no_manifest, link_out,
        fifo_items, fifo_manifest, folder_for_a_file, huge_manifest,
    ],
)  # fmt: skip
def test_a_damaged_folder_is_named_alike(client: Client, tiny_bundle: Path, damage: Callable[[Path], None]) -> None:
    damage(tiny_bundle)
    assert client(tiny_bundle)[0]["error"] == python_says(lambda: Bundle.open(tiny_bundle))


def test_a_changed_file_is_named_alike(client: Client, tiny_bundle: Path) -> None:
    data = (tiny_bundle / "titles.txt").read_bytes()
    (tiny_bundle / "titles.txt").write_bytes(data.replace(b"Rye", b"Bad"))
    expected = python_says(lambda: Bundle.open(tiny_bundle).verify_digests())
    assert client(tiny_bundle)[0]["error"] == expected
    assert client(tiny_bundle, ["verify"], verify="sizes")[1]["error"] == expected


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("too few lines", b"apple\n"),
        ("too many lines", b"\n".join(b"abcdefgh"[i : i + 1] for i in range(8))),
        ("an empty key", b"a\nb\n\nd\ne\nf\ng\n"),
        ("a key twice", b"a\nb\nc\nd\ne\nb\ng\n"),
    ],
)
def test_a_wrong_vocabulary_is_named_alike(client: Client, tiny_bundle: Path, name: str, data: bytes) -> None:
    fixed.edit(tiny_bundle, lambda path, _: (path / "items.txt").write_bytes(data))
    assert client(tiny_bundle)[0]["error"] == python_says(lambda: Recommender.load(tiny_bundle))


@pytest.mark.parametrize("name", ["items.txt", "titles.txt"])
def test_a_byte_order_mark_is_refused(client: Client, tiny_bundle: Path, name: str) -> None:
    file = tiny_bundle / name
    fixed.edit(tiny_bundle, lambda *_: file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes()))
    assert client(tiny_bundle)[0]["error"]["message"] == (
        f"{file} begins with a byte order mark, which would become part of its first line. Export the bundle again."
    )


def test_a_runtime_too_old_is_named_with_both_versions(client: Client, tiny_bundle: Path) -> None:
    edit_manifest(tiny_bundle, lambda m: m["variants"][0].update(min_runtime_version="99.1"))
    error = client(tiny_bundle, variant="onnx-fp32")[0]["error"]
    assert error["name"] == "MissingRuntimeError"
    assert error["message"].startswith("onnxruntime-node is 1.")
    assert ", variant onnx-fp32 needs at least 99.1. Run: npm install onnxruntime-node" in error["message"]


def test_the_next_variant_is_taken_where_the_first_cannot_run(client: Client, tiny_bundle: Path) -> None:
    edit_manifest(tiny_bundle, lambda m: m["variants"][0].update(min_runtime_version="99.1"))
    assert client(tiny_bundle)[0]["value"] == "onnx-inline"


@pytest.mark.parametrize("variant", ["onnx-fp23", "wi8", ""])
def test_an_unknown_variant_is_named_alike(client: Client, shared_bundle: Path, variant: str) -> None:
    expected = python_says(lambda: Recommender.load(shared_bundle, variant=variant))
    assert essence(client(shared_bundle, variant=variant)[0]["error"]) == essence(expected)


REQUESTS: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "an unknown key": ("recommend", [["appel", "bread"]], {}),
    "two unknown keys": ("recommend", [["?", "bread", "??"]], {}),
    "another case": ("recommend", [[" Apple", "APPLE"]], {}),
    "an odd key": ("recommend", [['it\'s a "key"\n' + "x" * 100]], {}),
    "a single text": ("recommend", ["apple"], {}),
    "a number for a key": ("recommend", [["apple", 3]], {}),
    "a number for keys": ("recommend", [3], {}),
    "k = 0": ("recommend", [["apple"]], {"k": 0}),
    "k = -1": ("recommend", [["apple"]], {"k": -1}),
    "k beyond the catalogue": ("recommend", [["apple"]], {"k": 8}),
    "an empty history to score": ("score", [[], ["apple"]], {}),
    "no candidates": ("score", [["apple"], []], {}),
    "an unknown candidate": ("score", [["apple"], ["figgs"]], {}),
    "a text to exclude": ("recommend", [["apple"]], {"exclude": "bread", "k": 3}),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_cannot_be_answered_is_named_alike(client: Client, shared_bundle: Path, name: str) -> None:
    method, arguments, options = REQUESTS[name]
    recommender = Recommender.load(shared_bundle)
    expected = python_says(lambda: getattr(recommender, method)(*arguments, **options))
    call = [method, *arguments, *([options] if options else [])]
    if method == "recommend" and "k" not in options:
        call = [method, *arguments, {"k": 3}]
        expected = python_says(lambda: recommender.recommend(*arguments, k=3))
    assert essence(client(shared_bundle, call)[1]["error"]) == essence(expected)
