"""Bundle: files present, whole, and inside the folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sasrec_runtime.bundle import Bundle
from sasrec_runtime.errors import BundleError, DigestError, ManifestError, VariantError

Rewrite = Callable[[bytes, bytes], Path]


def test_open_reads_manifest_and_vocabulary(bundle: Bundle) -> None:
    assert bundle.manifest.model.max_len == 4
    assert bundle.vocabulary.key(3) == "cheese"


def test_an_intact_bundle_has_its_digests_and_reports_progress(bundle: Bundle) -> None:
    read: list[int] = []
    bundle.verify_digests(read.append)
    assert sum(read) == sum(entry.bytes for entry in bundle.manifest.all_files())


def test_files_that_the_manifest_does_not_name_are_ignored(tiny_bundle: Path) -> None:
    (tiny_bundle / "note.txt").write_text("more")
    Bundle.open(tiny_bundle).verify_digests()


def test_a_moved_bundle_is_the_same_bundle(tiny_bundle: Path) -> None:
    moved = tiny_bundle.rename(tiny_bundle.with_name("elsewhere"))
    Bundle.open(moved).verify_digests()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda path: None, "does not exist, expected a bundle", id="nothing"),
        pytest.param(lambda path: path.mkdir(), "has no manifest.json", id="empty folder"),
        pytest.param(lambda path: path.write_text("x"), "is not a folder", id="a file"),
    ],
)
def test_open_refuses_what_is_no_bundle(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "bundle")
    with pytest.raises(BundleError, match=message):
        Bundle.open(tmp_path / "bundle")


@pytest.mark.parametrize(
    "path",
    [
        "../items.txt", "a/../../items.txt", "/etc/passwd", "C:/items.txt", "a\\\\items.txt", "./items.txt", "a//b", "",
        "a/..", "items.txt/", "a\\u0000b",
    ],
)  # fmt: skip
def test_open_refuses_paths_out_of_the_bundle(rewrite: Rewrite, path: str) -> None:
    with pytest.raises(ManifestError, match=r"not a plain relative POSIX path inside the bundle\. Export"):
        Bundle.open(rewrite(b'"path": "items.txt"', f'"path": "{path}"'.encode()))


def test_open_refuses_a_link_out_of_the_bundle(tiny_bundle: Path, tmp_path: Path) -> None:
    (tiny_bundle / "items.txt").rename(tmp_path / "outside.txt")
    (tiny_bundle / "items.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(ManifestError, match=r"'items.txt' leads out of the bundle through a link"):
        Bundle.open(tiny_bundle)


def test_open_refuses_a_linked_folder(tiny_bundle: Path, tmp_path: Path) -> None:
    (tiny_bundle / "onnx").rename(tmp_path / "onnx")
    (tiny_bundle / "onnx").symlink_to(tmp_path / "onnx")
    with pytest.raises(ManifestError, match=r"'onnx/recommend.onnx' leads out"):
        Bundle.open(tiny_bundle)


def test_open_refuses_a_link_that_leads_to_itself(tiny_bundle: Path) -> None:
    (tiny_bundle / "items.txt").unlink()
    (tiny_bundle / "items.txt").symlink_to("items.txt")
    with pytest.raises(BundleError, match=r"items.txt' leads out|items.txt is missing"):
        Bundle.open(tiny_bundle)


@pytest.mark.parametrize("path", ["x" * 5000, "onnx"], ids=["too long a name", "a folder"])
def test_what_is_no_file_is_missing(rewrite: Rewrite, path: str) -> None:
    with pytest.raises(BundleError, match=rf"{path[:80]}.* is missing, expected 10 bytes"):
        Bundle.open(rewrite(b'"path": "README.md"', f'"path": "{path}"'.encode()))


def test_a_link_within_the_bundle_is_fine(tiny_bundle: Path) -> None:
    (tiny_bundle / "items.txt").rename(tiny_bundle / "real.txt")
    (tiny_bundle / "items.txt").symlink_to("real.txt")
    Bundle.open(tiny_bundle).verify_digests()


def test_a_linked_bundle_opens(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tiny_bundle)
    Bundle.open(tmp_path / "link").verify_digests()


def test_file_refuses_a_path_out_of_the_bundle(bundle: Bundle) -> None:
    with pytest.raises(ManifestError, match="not a plain relative POSIX path"):
        bundle.file("../x")


def test_open_lists_all_missing_and_truncated_files(tiny_bundle: Path) -> None:
    (tiny_bundle / "README.md").unlink()
    (tiny_bundle / "onnx/weights.bin").write_bytes(b"short")
    with pytest.raises(BundleError, match=r"README.md is missing, expected 10 bytes") as caught:
        Bundle.open(tiny_bundle)
    assert "onnx/weights.bin is 5 bytes, expected 64. Copy those 2 files again" in str(caught.value)


def test_a_truncated_file_is_a_digest_error(tiny_bundle: Path) -> None:
    (tiny_bundle / "onnx/weights.bin").write_bytes(b"short")
    with pytest.raises(DigestError, match=r"weights.bin is 5 bytes, expected 64\. Copy that file again"):
        Bundle.open(tiny_bundle)


def test_verify_digests_lists_all_files_that_differ(tiny_bundle: Path) -> None:
    for name in ("items.txt", "onnx/weights.bin"):
        data = bytearray((tiny_bundle / name).read_bytes())
        data[0] ^= 1
        (tiny_bundle / name).write_bytes(data)
    bundle = Bundle.open(tiny_bundle)
    with pytest.raises(DigestError, match=r"onnx/weights.bin: sha256 is .*items.txt: sha256 is "):
        bundle.verify_digests()


def test_an_unknown_variant_is_told_the_choices(bundle: Bundle) -> None:
    with pytest.raises(VariantError, match=r"'onnx-f32', expected one of onnx-fp32, onnx-inline\. .*'onnx-fp32'\?"):
        bundle.variant("onnx-f32")
