"""report.json as typed structs: what a report says, in a form that stays readable over the years."""

from pathlib import Path
from typing import Any, Final

import msgspec

from sasrec_export.errors import ExportError
from sasrec_export.report.variant_schema import (
    METRICS,
    Bucket,
    Change,
    Count,
    Histogram,
    ListedItem,
    RowError,
    ScoreError,
    VariantReport,
    WorstUser,
)

__all__ = [
    "METRICS",
    "REPORT_VERSION",
    "Bucket",
    "Budget",
    "Change",
    "Histogram",
    "Layer",
    "ListedItem",
    "NotMeasured",
    "PassedOver",
    "Report",
    "RowError",
    "ScoreError",
    "Sensitivity",
    "VariantReport",
    "Verdict",
    "WorstUser",
    "decode",
    "encode",
    "json_schema",
    "plain",
]

REPORT_VERSION: Final = 2
"""The layout of report.json that this code writes, and the only one that it compares. Version 1 had no differences."""


class NotMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that cannot run here."""

    name: str
    """Name of the variant."""
    reason: str
    """Why, and what to do, for people."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant may cost; null stands for any cost."""

    max_ndcg_drop: float | None = None
    """Share of the reference's NDCG@10 that the variant's may be lower, in [0, 1]."""
    max_mb: float | None = None
    """Millions of bytes of the variant's files."""
    max_p99_ms: float | None = None
    """99th percentile of the latency, in milliseconds."""


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that was rejected."""

    name: str
    """Name of the variant."""
    fits: bool
    """Whether it is inside the budget all the same."""
    reason: str
    """Why it was rejected, for people."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Which variant to ship."""

    ship: str | None
    """The smallest variant inside the budget; null where none is."""
    sentence: str
    """The verdict for people."""
    budget: Budget
    """What a variant may cost."""
    passed_over: list[PassedOver]
    """The rejected variants, smallest first; those that were not measured come last."""


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer in int8, all others in float32."""

    name: str
    """Display name, unique in the report."""
    kind: str
    """What it computes, such as `softmax` or `linear 64×256`."""
    ndcg: float = msgspec.field(name="ndcg@10")
    """NDCG@10 of the graph with this layer in int8."""
    lost: Change
    """NDCG@10 of the float32 graph minus that of this one: above 0 for a loss."""
    overlap: float = msgspec.field(name="overlap@10")
    """Mean share of the float32 graph's top ten that this one returns too."""


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """What each layer loses when it alone is computed in int8; the layer that loses most first."""

    variant: str
    """Name of the variant whose graph was quantized."""
    users: Count
    """On how many users it was measured."""
    calibration: Count
    """On how many training histories the ranges were measured."""
    ndcg: float = msgspec.field(name="ndcg@10")
    """NDCG@10 of the float32 graph on these users."""
    layers: list[Layer]
    """The layers, and a last entry with all of them in int8, sorted by what they lose."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of report.json."""

    output_version: int
    """The same as report_version, under the name that every command's JSON begins with."""
    report_version: int
    """REPORT_VERSION of the code that wrote it."""
    verdict: Verdict
    """Which variant to ship."""
    data: str
    """Name of the log."""
    users: Count
    """Users that the variants were evaluated on."""
    users_total: Count
    """Users with a held-out item, of whom `users` may be a sample."""
    seed: int
    """Seed of the sample of users and of the bootstrap."""
    protocol: str
    """How items were held out, what they were ranked against, and whether seen items were excluded."""
    reference: str | None
    """The variant that all others are compared with; null without one."""
    n_items: Count
    """Size of the catalogue."""
    max_len: Count
    """Items of a history that the network sees."""
    hidden_dim: Count
    """Width D of an item vector."""
    threads: Count
    """Threads of one call."""
    machine: str
    """Operating system, processor architecture, and versions of Python and the engines."""
    variants: list[VariantReport]
    """What was measured, in the order of the bundle."""
    not_measured: list[NotMeasured]
    """Variants that cannot run here."""
    sensitivity: Sensitivity | None
    """Only where it was asked for, and an ONNX fp32 variant is there."""

    def variant(self, name: str) -> VariantReport | None:
        """Return the variant of that name, or None."""
        return next((variant for variant in self.variants if variant.name == name), None)


class _Version(msgspec.Struct):
    """The one field that is read before the rest."""

    report_version: int = 1


def encode(report: Report) -> bytes:
    """Return report.json: UTF-8, indented, keys in the order of the structs."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def plain(report: Report) -> dict[str, Any]:
    """Return report.json as an object of dicts and lists."""
    found: dict[str, Any] = msgspec.to_builtins(report)
    return found


def decode(path: Path) -> Report:
    """Return the report in a file.

    Raises:
        ExportError: It is not a report, or it has another version.
    """
    data = path.read_bytes()
    try:
        version = msgspec.json.decode(data, type=_Version).report_version
        if version != REPORT_VERSION:
            raise ExportError(
                f"{path}: report_version is {version}, expected {REPORT_VERSION}. Measure again with this sasrec-edge."
            )
        return msgspec.json.decode(data, type=Report)
    except msgspec.MsgspecError as error:
        raise ExportError(
            f"{path} is not a report.json: {error}. Give a file that `sasrec-edge report` wrote."
        ) from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of report.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Report)}
