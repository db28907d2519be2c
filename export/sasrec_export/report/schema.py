"""report.json as typed structs: what a report says, in a form that stays readable over the years."""

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from sasrec_export.errors import ExportError

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

METRICS: Final = ("hr@1", "hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr@10")
"""What is reported of every variant, in this order."""

Count = Annotated[int, msgspec.Meta(ge=0)]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A paired difference, variant minus reference over the same users, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Users alike in one respect."""

    name: str
    """For people."""
    least: int
    """The smallest value of the bucket."""
    most: int | None
    """The largest; null without a limit."""
    users: Count
    """How many."""
    metrics: dict[str, float]
    """The variant's metrics on them."""
    overlap: float | None = msgspec.field(name="overlap@10")
    """Mean share of the reference's top ten that the variant returns too; null without a reference."""
    difference: dict[str, Change]
    """Metric → paired difference from the reference; empty without one."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts between edges."""

    edges: list[float]
    """One more than counts, ascending."""
    counts: list[int]
    """How many values lie between two neighbouring edges; the outer ones also hold what lies beyond."""


class ScoreError(msgspec.Struct, frozen=True, kw_only=True):
    """Variant's score minus the reference's, over the items that stand in both lists of a user."""

    mean: float
    """Mean of the absolute differences."""
    max: float
    """The largest absolute difference."""
    relative: float
    """`mean` as a share of `spread`."""
    spread: float
    """Mean distance between the best and the last listed score of a user, in the reference."""
    histogram: Histogram
    """The signed differences."""


class RowError(msgspec.Struct, frozen=True, kw_only=True):
    """An item whose scores moved more than others'."""

    item_id: int
    key: str
    title: str | None
    error: float
    """Root mean square, over sampled users, of variant's minus reference's score of the item."""
    relative: float
    """`error` as a share of the root mean square of the reference's scores of the item."""
    suspect: bool
    """Whether this is a damaged row rather than rounding."""


class ListedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item in a list."""

    key: str
    title: str | None
    score: float | None
    """null in a history."""
    held_out: bool = False
    """Whether it is the user's held-out item."""


class WorstUser(msgspec.Struct, frozen=True, kw_only=True):
    """One of the users who lost most."""

    user: str
    """"row" and the user's row, or the user's key in the log where that was asked for (`--name-users`)."""
    row: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The user's place in the log, from 1; null where `user` is the key."""
    history_length: int
    history: list[ListedItem]
    """The newest items, oldest of them first."""
    held_out: ListedItem
    ndcg_lost: float
    """The reference's NDCG@20 minus the variant's."""
    overlap: float = msgspec.field(name="overlap@10")
    variant: list[ListedItem]
    """Its top ten."""
    reference: list[ListedItem]
    """The reference's top ten."""


class VariantReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One variant. What could not be measured is left out."""

    name: str
    runtime: str
    recipe: str
    bytes: Count
    """Of the variant's files; the vocabulary comes on top, once for all variants."""
    bytes_table: Count | None = None
    """Of those: the item table with its scales."""
    bytes_encoder: Count | None = None
    """Of those: everything else."""
    bytes_vocabulary: Count = 0
    """items.txt and titles.txt."""
    load_ms: float
    """`Recommender.load` in a fresh process, imports done before."""
    first_call_ms: float | None = None
    """The first `recommend` there."""
    latency_p50_ms: float
    """`Recommender.recommend`, keys in, titles out; the variants take turns."""
    latency_p99_ms: float
    peak_memory_bytes: Count | None = None
    """Peak resident memory of a fresh process that loads the variant and recommends."""
    loaded_memory_bytes: Count | None = None
    """Of that: what came on top of Python and the imported runtime."""
    min_runtime_version: str
    operators: dict[str, int]
    """Operator → how often it stands in `recommend`; empty where the file could not be read here."""
    hr_1: float | None = msgspec.field(name="hr@1", default=None)
    hr_5: float | None = msgspec.field(name="hr@5", default=None)
    hr_10: float | None = msgspec.field(name="hr@10", default=None)
    hr_20: float | None = msgspec.field(name="hr@20", default=None)
    ndcg_5: float | None = msgspec.field(name="ndcg@5", default=None)
    ndcg_10: float | None = msgspec.field(name="ndcg@10", default=None)
    ndcg_20: float | None = msgspec.field(name="ndcg@20", default=None)
    mrr_10: float | None = msgspec.field(name="mrr@10", default=None)
    tied_top10: float
    """Share of users with two equal scores among the first ten."""
    difference: dict[str, Change]
    """Metric → paired difference from the reference; empty for the reference itself and without one."""
    hits_appeared: Count | None = None
    """Users whose held-out item is in this variant's top ten, and not in the reference's."""
    hits_vanished: Count | None = None
    """Users whose held-out item is in the reference's top ten, and not in this variant's."""
    overlap_5: float | None = msgspec.field(name="overlap@5", default=None)
    overlap_10: float | None = msgspec.field(name="overlap@10", default=None)
    overlap_20: float | None = msgspec.field(name="overlap@20", default=None)
    rbo: float | None = None
    """Rank-biased overlap with the reference, p = .9, extrapolated from the whole lists."""
    changed_top1: float | None = None
    """Share of users whose first item is another one than the reference's."""
    score_error: ScoreError | None = None
    row_scales: Histogram | None = None
    """Scales of the item table's rows; left out where it is float or cannot be read."""
    rows: list[RowError] = []
    """The items whose scores moved most."""
    suspect_rows: Count = 0
    """How many items look damaged."""
    by_target_count: list[Bucket]
    """By how often the held-out item was trained on, most popular first."""
    by_history_length: list[Bucket]
    worst_users: list[WorstUser] = []
    """Those who lost most; never in the report inside a bundle, for it shows what people took."""

    def metric(self, name: str) -> float | None:
        """Return one of METRICS or "overlap@10", None where it was not measured."""
        value: float | None = getattr(self, name.replace("@", "_"))
        return value


class NotMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that cannot run here."""

    name: str
    reason: str


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant may cost; null is no limit."""

    max_ndcg_drop: float | None = None
    """Share of the reference's NDCG@10."""
    max_mb: float | None = None
    """Millions of bytes of the variant's files."""
    max_p99_ms: float | None = None


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A variant that was not chosen."""

    name: str
    fits: bool
    """Whether it is inside the budget all the same."""
    reason: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Which variant to ship."""

    ship: str | None
    """The smallest variant inside the budget; null where none is."""
    sentence: str
    budget: Budget
    passed_over: list[PassedOver]


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer in int8, all others in float32."""

    name: str
    kind: str
    ndcg: float = msgspec.field(name="ndcg@10")
    lost: Change
    """NDCG@10 lost, float32 minus this."""
    overlap: float = msgspec.field(name="overlap@10")


class Sensitivity(msgspec.Struct, frozen=True, kw_only=True):
    """What each layer loses when it alone is computed in int8; the layer that loses most first."""

    variant: str
    """Whose graph was quantized."""
    users: Count
    """On how many users it was measured."""
    calibration: Count
    """On how many training histories the ranges were measured."""
    ndcg: float = msgspec.field(name="ndcg@10")
    """Of the float32 graph on these users."""
    layers: list[Layer]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of report.json."""

    output_version: int
    """The same as report_version, under the name that every command's JSON begins with."""
    report_version: int
    verdict: Verdict
    data: str
    """Name of the log."""
    users: Count
    """Users measured."""
    users_total: Count
    """Users who could have been."""
    seed: int
    """Of the sample of users and of the bootstrap."""
    protocol: str
    reference: str | None
    """The variant that all others are compared with."""
    n_items: Count
    max_len: Count
    hidden_dim: Count
    threads: Count
    machine: str
    variants: list[VariantReport]
    not_measured: list[NotMeasured]
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
        ExportError: It is no report, or one of another version.
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
        raise ExportError(f"{path} is no report.json: {error}. Give a file that `sasrec-edge report` wrote.") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of report.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(Report)}
