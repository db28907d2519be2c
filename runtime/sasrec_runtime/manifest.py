"""manifest.json as typed structs: what a bundle says of itself, and the strict way to read it."""

import json
from collections import Counter
from typing import Annotated, Any, Final, Literal

import msgspec

from sasrec_runtime.errors import FormatVersionError, ManifestError
from sasrec_runtime.signature import ENTRIES, OPTIONAL_ENTRIES

__all__ = [
    "FORMAT_VERSION",
    "FileEntry",
    "Manifest",
    "ModelCard",
    "Provenance",
    "Variant",
    "decode",
    "encode",
    "json_schema",
    "problems",
]

FORMAT_VERSION: Final = 2
"""The bundle layout this code writes, and the newest it reads."""

MANIFEST_LIMIT_BYTES: Final = 4 << 20
"""A manifest has some kilobytes; a far larger file is refused."""

MAX_ITEMS: Final = (1 << 31) - 2
"""Item ids are int32."""

MAX_COLUMNS: Final = 1 << 18
"""Largest number of columns that a variant may fix for excluded items or candidates."""

MAX_CELLS: Final = 1 << 25
"""Largest number of values in one input, rows times columns, that a variant may fix: 128 MiB of int32."""

# Every bound is far above what a model has, and keeps a damaged or hostile number from asking for gigabytes.
NO_CONTROL: Final = r"^(?![\s\S]*[\x00-\x1f\x7f-\x9f])"
"""No control character anywhere; means the same in ECMAScript."""

Name = Annotated[str, msgspec.Meta(max_length=200, pattern=NO_CONTROL)]
Version = Annotated[str, msgspec.Meta(max_length=40, pattern=NO_CONTROL)]
Items = Annotated[int, msgspec.Meta(ge=1, le=MAX_ITEMS)]
Bytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Length = Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]
FixedColumns = Annotated[int, msgspec.Meta(ge=0, le=MAX_COLUMNS)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
"""The length refuses the line feed that `$` lets through."""


class FileEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of the bundle."""

    path: str
    """POSIX path relative to the bundle, inside it."""
    bytes: Bytes
    """Size of the file, in bytes."""
    sha256: Sha256
    """Digest of the file, lower-case hex."""


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The network behind the variants."""

    n_items: Items
    """Catalogue size; item ids are 1…n_items."""
    max_len: Length
    """Items of a history that the network sees."""
    hidden_dim: Length
    """Width D of an item vector."""
    num_blocks: Annotated[int, msgspec.Meta(ge=1, le=1 << 10)]
    """Self-attention blocks."""
    num_heads: Length
    """Attention heads; they divide hidden_dim."""
    hyper_parameters: dict[str, Any] = {}
    """Everything else that made the network and its training; for people, not for readers."""


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to run the model: a runtime, a recipe, and the files of both."""

    name: Name
    """`<runtime>-<recipe>`, such as `onnx-wi8`."""
    runtime: Literal["onnx", "tflite"]
    """Which engine runs it."""
    recipe: Name
    """What is quantized, such as `fp32` or `wi8`."""
    entries: Annotated[dict[str, str], msgspec.Meta(max_length=16)]
    """Contract entry (`recommend`, `score`, perhaps `recommend_batch`) → path of its model file; one of `files`."""
    files: Annotated[list[FileEntry], msgspec.Meta(max_length=256)]
    """Every file the variant needs, external weights included."""
    min_runtime_version: Version
    """Oldest version of the engine that has every operator used."""
    atol: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)]
    """Largest difference between this variant's golden scores and a client's that still counts as equal."""
    fixed_k: Annotated[int, msgspec.Meta(ge=0, le=MAX_ITEMS)] = 0
    """Items the graph returns; a client takes its first k. 0: k is an input."""
    fixed_history: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)] = 0
    """Columns `history` must have; a client pads on the left. 0: any length."""
    fixed_batch: Annotated[int, msgspec.Meta(ge=0, le=1 << 16)] = 0
    """Rows of a call; a client fills up with rows of padding. 0: any number."""
    fixed_exclude: FixedColumns = 0
    """Columns `exclude` must have; a client fills up with padding, and refuses more. 0: any number. Since format 2."""
    fixed_candidates: FixedColumns = 0
    """Columns `candidates` must have; a client fills up with padding, and takes several calls for more. 0: any number.
    Since format 2."""
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

    format_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of the bundle layout."""
    model: ModelCard
    """The network."""
    signature: dict[str, dict[str, dict[str, str]]]
    """Entry → `inputs` / `outputs` → tensor name → "dtype (shape)"; documentation of the contract."""
    variants: Annotated[list[Variant], msgspec.Meta(max_length=256)]
    """The ways to run it; the first is the default."""
    vocabulary: Vocabulary
    """Ids to keys and titles."""
    fallback_items: list[Items]
    """The most popular ids, best first: the answer to an empty history."""
    golden: FileEntry
    """golden.json: histories with the answers each variant must give."""
    documents: Annotated[list[FileEntry], msgspec.Meta(max_length=256)]
    """README.md, report.json, report.html: for people."""
    provenance: Provenance
    """Where it came from."""

    def variant(self, name: str) -> "Variant | None":
        """Return the variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)

    def all_entries(self) -> list[FileEntry]:
        """Return every description of a file; a file that two variants share is described by both."""
        entries = [file for variant in self.variants for file in variant.files]
        entries += [self.vocabulary.items, *([self.vocabulary.titles] if self.vocabulary.titles else [])]
        return [*entries, self.golden, *self.documents]

    def all_files(self) -> list[FileEntry]:
        """Return every file the bundle must hold, manifest.json aside, without repetition."""
        return list({entry.path: entry for entry in self.all_entries()}.values())


class _Version(msgspec.Struct):
    """The one field that is read before the rest, so that a newer manifest is named as such."""

    format_version: Annotated[int, msgspec.Meta(ge=1)]
    """Version of the bundle layout."""


def decode(data: bytes) -> Manifest:
    """Return the manifest in `data`, the content of manifest.json.

    Law: ``decode(encode(m)) == m``.

    Raises:
        FormatVersionError: It was written in a newer format.
        ManifestError: It is not JSON, names a key twice, misses a field, or has one of another type or name.
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
        # msgspec keeps the last of two equal keys, other readers the first: a second look refuses both.
        json.loads(data, object_pairs_hook=_refuse_duplicate_keys)
        return msgspec.json.decode(data, type=Manifest)
    except ManifestError:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ManifestError(f"manifest.json: {error}. Export the bundle again.") from error


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ManifestError(
                f"manifest.json: the key {key!r:.80} stands twice in one object. Export the bundle again."
            )
        seen.add(key)


def encode(manifest: Manifest) -> bytes:
    """Return manifest.json: UTF-8, two-space indented, keys in the order of the structs."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def problems(manifest: Manifest) -> list[str]:
    """Return what the fields, each valid by itself, contradict in one another; empty if nothing."""
    found = _file_problems(manifest)
    if not manifest.variants:
        found.append("variants is empty, expected at least one")
    names = Counter(variant.name for variant in manifest.variants)
    found += [f"variant {name!r:.80} stands {times} times" for name, times in sorted(names.items()) if times > 1]
    for variant in manifest.variants:
        found += [f"variant {variant.name!r:.80}: {problem}" for problem in _variant_problems(variant)]
    model, n_items = manifest.model, manifest.model.n_items
    if model.hidden_dim % model.num_heads:
        found.append(f"hidden_dim is {model.hidden_dim}, expected a multiple of num_heads = {model.num_heads}")
    outside = [item_id for item_id in manifest.fallback_items if item_id > n_items]
    if outside:
        found.append(f"fallback_items holds {outside[0]}, expected item ids in 1…{n_items}")
    if len(set(manifest.fallback_items)) < len(manifest.fallback_items):
        found.append("fallback_items holds an item id twice")
    return found


def _file_problems(manifest: Manifest) -> list[str]:
    """Two descriptions of one path that differ: only one of them could be true."""
    described: dict[str, FileEntry] = {}
    for entry in manifest.all_entries():
        if described.setdefault(entry.path, entry) != entry:
            return [f"{entry.path!r:.80} has two sizes or digests"]
    return []


def _variant_problems(variant: Variant) -> list[str]:
    found = []
    if set(variant.entries) - set(OPTIONAL_ENTRIES) != set(ENTRIES):
        found.append(f"entries is {sorted(variant.entries)!r:.80}, expected {', '.join(ENTRIES)}")
    paths = {file.path for file in variant.files}
    found += [f"entry {path!r:.80} is not among its files" for path in variant.entries.values() if path not in paths]
    if variant.runtime == "tflite" and not variant.fixed_k:
        found.append("fixed_k is 0, expected the number of items its graph returns")
    columns = max(variant.fixed_history, variant.fixed_exclude, variant.fixed_candidates, 1)
    if variant.fixed_batch * columns > MAX_CELLS:
        found.append(
            f"fixed_batch is {variant.fixed_batch}, expected at most {MAX_CELLS // columns} with {columns} columns"
        )
    return found


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of manifest.json, for readers in other languages."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Manifest)}
