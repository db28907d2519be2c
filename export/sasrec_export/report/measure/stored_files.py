"""The files of one variant as a report describes them: bytes of the item table and of the rest, operators, scales."""

from dataclasses import dataclass

from sasrec_export.report.measure import file_contents
from sasrec_export.report.measure.histogram import histogram
from sasrec_export.report.schema import Histogram
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant

__all__ = ["StoredFiles", "read"]


@dataclass(frozen=True, slots=True)
class StoredFiles:
    """The part of schema.VariantReport that tells of the files."""

    size_bytes: int
    """Size of all files of the variant, in bytes, the vocabulary not counted."""
    vocabulary_bytes: int
    """Size of items.txt and titles.txt, in bytes."""
    table_bytes: int | None
    """Bytes of the item table with its scales; None where the files cannot be read here."""
    encoder_bytes: int | None
    """Bytes of everything else; None where the files cannot be read here."""
    operators: dict[str, int]
    """Operator → how often it stands in `recommend`; empty where the files cannot be read here."""
    row_scales: Histogram | None
    """Scales of the item table's rows; None where it is float or cannot be read."""


def read(bundle: Bundle, variant: Variant) -> StoredFiles:
    """Return what the files of a variant hold, as far as the libraries that read them are installed."""
    size = sum(file.bytes for file in variant.files)
    vocabulary = bundle.manifest.vocabulary
    contents = file_contents.read(bundle, variant)
    table = None if contents is None or contents.table_bytes is None else min(contents.table_bytes, size)
    scales = None if contents is None else contents.row_scales
    return StoredFiles(
        size_bytes=size,
        vocabulary_bytes=vocabulary.items.bytes + (vocabulary.titles.bytes if vocabulary.titles else 0),
        table_bytes=table,
        encoder_bytes=None if table is None else size - table,
        operators={} if contents is None else contents.operators,
        row_scales=None if scales is None or not scales.size else histogram(scales, logarithmic=True),
    )
