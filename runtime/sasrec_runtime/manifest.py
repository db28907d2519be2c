"""manifest.json as typed structs: what a bundle says of itself, and the strict way to read it."""

from typing import Annotated, Any, Final, Literal

import msgspec

from sasrec_runtime.errors import FormatVersionError, ManifestError

__all__ = ["FORMAT_VERSION", "FileEntry", "Manifest", "ModelCard", "Provenance", "Variant", "decode", "encode"]

FORMAT_VERSION: Final = 1
"""The bundle layout this code writes, and the newest it reads."""

MANIFEST_LIMIT_BYTES: Final = 4 << 20
"""A manifest is some kilobytes; what is far larger is none."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the bundle."""

    path: str
    """POSIX path relative to the bundle, inside it."""
    bytes: Count
    """Size of the file."""
    sha256: Sha256
    """Digest of the file, lower-case hex."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network behind the variants."""

    n_items: Positive
    """Catalogue size; item ids are 1…n_items."""
    max_len: Positive
    """Items of a history that the network sees."""
    hidden_dim: Positive
    """Width of the item table."""
    num_blocks: Positive
    """Self-attention blocks."""
    num_heads: Positive
    """Attention heads."""
    hyper_parameters: dict[str, Any] = {}
    """Everything else that made the network and its training; for people, not for readers."""


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to run the model: a runtime, a recipe, and the files of both."""

    name: str
    """`<runtime>-<recipe>`, such as `onnx-wi8`."""
    runtime: Literal["onnx", "tflite"]
    """Which engine runs it."""
    recipe: str
    """What is quantized, such as `fp32` or `wi8`."""
    entries: dict[str, str]
    """Contract entry (`recommend`, `score`) → path of its model file; one of `files`."""
    files: list[FileEntry]
    """Every file the variant needs, external weights included."""
    min_runtime_version: str
    """Oldest version of the engine that has every operator used."""
    atol: Annotated[float, msgspec.Meta(ge=0.0)]
    """Largest difference between this variant's golden scores and a client's that still counts as equal."""
    fixed_k: Count = 0
    """TFLite: items the graph returns; a client takes its first k. 0: k is an input."""
    fixed_history: Count = 0
    """TFLite: columns `history` must have; a client pads on the left. 0: any length."""
    fixed_batch: Count = 0
    """TFLite: rows of a call. 0: any number."""
    parity: dict[str, float] = {}
    """Output → largest difference from Keras measured at export."""
    quality: dict[str, float] = {}
    """Metrics on held-out items at export: `hr@10`, `ndcg@10`, `overlap@10`."""


class Vocabulary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files that turn ids into the caller's keys and names."""

    items: FileEntry
    """items.txt: the key of id i on line i, UTF-8."""
    titles: FileEntry | None = None
    """titles.txt: the name of id i on line i; an empty line where it has none."""


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the model came from."""

    data: str
    """Name of the interaction log."""
    data_sha256: Sha256
    """Digest of the histories it was trained on, as read."""
    seed: int
    """Seed of the training run."""
    versions: dict[str, str] = {}
    """Package → version at export."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of manifest.json."""

    format_version: Positive
    """Version of the bundle layout."""
    model: ModelCard
    """The network."""
    signature: dict[str, dict[str, dict[str, str]]]
    """Entry → `inputs` / `outputs` → tensor name → "dtype (shape)"; documentation of the contract."""
    variants: list[Variant]
    """The ways to run it; the first is the default."""
    vocabulary: Vocabulary
    """Ids to keys and titles."""
    fallback_items: list[Positive]
    """The most popular ids, best first: the answer to an empty history."""
    golden: FileEntry
    """golden.json: histories with the answers each variant must give."""
    documents: list[FileEntry]
    """README.md, report.json, report.html: for people."""
    provenance: Provenance
    """Where it came from."""

    def variant(self, name: str) -> "Variant | None":
        """Return the variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def all_files(self) -> list[FileEntry]:
        """Return every file the bundle must hold, manifest.json aside, without repetition."""
        entries = [file for variant in self.variants for file in variant.files]
        entries += [self.vocabulary.items, *([self.vocabulary.titles] if self.vocabulary.titles else [])]
        entries += [self.golden, *self.documents]
        return list({entry.path: entry for entry in entries}.values())


class _Version(msgspec.Struct):
    """The one field that is read before the rest, so that a newer manifest is named as such."""

    format_version: Positive


def decode(data: bytes) -> Manifest:
    """Return the manifest in `data`, the content of manifest.json.

    Law: ``decode(encode(m)) == m``.

    Raises:
        FormatVersionError: It was written in a newer format.
        ManifestError: It is not JSON, misses a field, or has one of another type or name.
    """
    if len(data) > MANIFEST_LIMIT_BYTES:
        raise ManifestError(
            f"manifest.json is {len(data)} bytes, expected at most {MANIFEST_LIMIT_BYTES}. Export the bundle again."
        )
    try:
        version = msgspec.json.decode(data, type=_Version).format_version
        if version > FORMAT_VERSION:
            raise FormatVersionError(
                f"manifest.json: format_version is {version}, this reader knows up to {FORMAT_VERSION}. "
                "Upgrade sasrec-edge, or export the bundle with this version."
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ManifestError(f"manifest.json: {error}. Export the bundle again.") from error


def encode(manifest: Manifest) -> bytes:
    """Return manifest.json: UTF-8, two-space indented, keys in the order of the structs."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
