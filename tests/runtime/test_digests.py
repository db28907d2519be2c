"""Digests are compared before an engine parses a file, wherever that is cheap or asked for."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime import tiny
from runtime.conftest import RUNTIMES
from sasrec_export.cli import main
from sasrec_runtime import digests
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.digests import to_hash
from sasrec_runtime.errors import BundleError, DigestError
from sasrec_runtime.manifest import FileEntry
from sasrec_runtime.recommender import Recommender


def flip(path: Path) -> None:
    """Change a byte in the middle of a file; its size stays."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def entries(*sizes: int) -> list[FileEntry]:
    return [FileEntry(path=f"file{size}", bytes=size, sha256="0" * 64) for size in sizes]


MODEL_FILES = {
    "onnx-fp32": ["onnx/recommend.onnx", "onnx/weights.bin"],
    "onnx-inline": ["inline/recommend.onnx"],
    "tflite-fp32": ["tflite/model.tflite"],
}


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_file_of_the_right_size_and_other_content_is_refused(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    source = request.getfixturevalue("tflite_bundle" if name.startswith("tflite") else "shared_bundle")
    for number, file in enumerate([*MODEL_FILES[name], "items.txt", "titles.txt"]):
        path = tmp_path / str(number)
        shutil.copytree(source, path)
        flip(path / file)
        with pytest.raises(DigestError, match=rf"{file}: sha256 is .*Copy that file again"):
            Recommender.load(path, variant=name)


def test_the_model_of_a_late_entry_is_compared_too(tiny_bundle: Path) -> None:
    recommender = Recommender.load(tiny_bundle)
    flip(tiny_bundle / "onnx/score.onnx")
    with pytest.raises(DigestError, match=r"onnx/score\.onnx: sha256"):
        recommender.score(["apple"], ["figs"])


def test_weights_that_changed_since_they_were_hashed_are_hashed_again(tiny_bundle: Path) -> None:
    recommender = Recommender.load(tiny_bundle)
    data = bytearray((tiny_bundle / "onnx/weights.bin").read_bytes())
    data[5] ^= 1
    (tiny_bundle / "new").write_bytes(data)
    (tiny_bundle / "new").rename(tiny_bundle / "onnx/weights.bin")
    with pytest.raises(DigestError, match=r"onnx/weights\.bin: sha256"):
        recommender.score(["apple"], ["figs"])


def test_a_file_that_did_not_change_is_hashed_once(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    sha256 = digests.sha256
    monkeypatch.setattr(digests, "sha256", lambda path, *rest: (hashed.append(path.name), sha256(path, *rest))[1])
    Recommender.load(tiny_bundle).score(["apple"], ["figs"])
    assert sorted(hashed) == ["items.txt", "recommend.onnx", "score.onnx", "titles.txt", "weights.bin"]


def test_sizes_only_leaves_the_content_alone(tiny_bundle: Path) -> None:
    titles = tiny_bundle / "titles.txt"
    titles.write_bytes(titles.read_bytes().replace(b"Rye", b"Bad"))
    assert Recommender.load(tiny_bundle, verify="sizes").vocabulary.title(2) == "Bad bread"
    with pytest.raises(DigestError):
        Recommender.load(tiny_bundle, verify="digests")


def test_a_file_that_is_cut_after_opening_is_refused_whatever_is_verified(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    (tiny_bundle / "onnx/weights.bin").write_bytes(b"short")
    with pytest.raises(DigestError, match=r"onnx/weights.bin is 5 bytes, expected 64 bytes"):
        Recommender.load(bundle, verify="sizes")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tiny_bundle: Path) -> None:
    (tiny_bundle / "onnx/weights.bin").chmod(0)
    with pytest.raises(BundleError, match=r"weights.bin cannot be read \(Permission denied\)"):
        Recommender.load(tiny_bundle)


def test_a_file_that_the_system_does_not_let_be_read_is_named(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, progress: object = None) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(digests, "sha256", refuse)
    with pytest.raises(BundleError, match=r"items.txt cannot be read \(Permission denied\)\. Give this user the right"):
        _ = Bundle.open(tiny_bundle).vocabulary


@pytest.mark.parametrize(
    ("sizes", "verify", "expected"),
    [
        pytest.param([1, 2], None, [1, 2], id="small"),
        pytest.param([5, digests.LIMIT_BYTES, 3], None, [3, 5], id="the small ones of a large variant"),
        pytest.param([5, digests.LIMIT_BYTES], "digests", [5, digests.LIMIT_BYTES], id="all on request"),
        pytest.param([1, 2], "sizes", [], id="none on request"),
    ],
)
def test_what_is_hashed_costs_little_or_was_asked_for(sizes: list[int], verify: str | None, expected: list) -> None:
    assert [entry.bytes for entry in to_hash(entries(*sizes), verify)] == expected


@pytest.mark.parametrize("size", [0, 1, digests.CHUNK_BYTES - 1, digests.CHUNK_BYTES, digests.CHUNK_BYTES + 1])
def test_sha256_is_that_of_the_whole_file(tmp_path: Path, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    (tmp_path / "file").write_bytes(data)
    read: list[int] = []
    assert digests.sha256(tmp_path / "file", read.append) == hashlib.sha256(data).hexdigest()
    assert sum(read) == size


def test_the_command_line_takes_verify(runner: CliRunner, tiny_bundle: Path) -> None:
    titles = tiny_bundle / "titles.txt"
    titles.write_bytes(titles.read_bytes().replace(b"Rye", b"Bad"))
    command = ["recommend", str(tiny_bundle), *tiny.KEYS[:1], "-k", "3"]
    assert runner.invoke(main, command).exit_code == 1
    assert runner.invoke(main, [*command, "--verify", "sizes"]).exit_code == 0
