"""What report.json says of one variant, as typed structs; `schema` holds the rest and is the public place of all.

Metrics lie in [0, 1]. A difference is variant minus reference. Item ids lie in 1…n_items.
"""

from typing import Annotated, Final

import msgspec

__all__ = [
    "METRICS",
    "Bucket",
    "Change",
    "Count",
    "Histogram",
    "ListedItem",
    "RowError",
    "ScoreError",
    "VariantReport",
    "WorstUser",
]

METRICS: Final = ("hr@1", "hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr@10")
"""What is reported of every variant, in this order."""

Count = Annotated[int, msgspec.Meta(ge=0)]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A paired difference over the same users with its 95 % bootstrap interval."""

    value: float
    """The measured difference."""
    low: float
    """Lower end of the interval: the 2.5th percentile of the resamples."""
    high: float
    """Upper end of the interval: the 97.5th percentile of the resamples."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """A stratum: users that are alike in the popularity of their held-out item, or in the length of their history."""

    name: str
    """Display name."""
    least: int
    """The smallest value of the stratum: interactions of the item, or items of the history."""
    most: int | None
    """The largest value; null without a limit."""
    users: Count
    """How many users."""
    metrics: dict[str, float]
    """Metric → the variant's value on them."""
    overlap: float | None = msgspec.field(name="overlap@10")
    """Mean share of the reference's top ten that the variant returns too; null without a reference."""
    difference: dict[str, Change]
    """Metric → paired difference from the reference; empty without one."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """Counts between edges."""

    edges: list[float]
    """One more than counts, ascending, in the unit of the values."""
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
    """Item id, which is the row of the item table."""
    key: str
    """The caller's key of the item."""
    title: str | None
    """Title of the item; null without one."""
    error: float
    """Root mean square, over sampled users, of variant's minus reference's score of the item."""
    relative: float
    """`error` as a share of the root mean square of the reference's scores of the item."""
    suspect: bool
    """Whether this is an outlier: a corrupted row rather than rounding."""


class ListedItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item in a list."""

    key: str
    """The caller's key of the item."""
    title: str | None
    """Title of the item; null without one."""
    score: float | None
    """Score, higher is better; null in a history."""
    held_out: bool = False
    """Whether it is the user's held-out item."""


class WorstUser(msgspec.Struct, frozen=True, kw_only=True):
    """One of the users who lost most."""

    user: str
    """"row" and the user's row, or the user's key in the log where that was asked for (`--name-users`)."""
    row: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """The user's position in the log, from 1; null where `user` is the key."""
    history_length: int
    """Items of the history."""
    history: list[ListedItem]
    """The newest items, oldest of them first."""
    held_out: ListedItem
    """The item that was to be recommended."""
    ndcg_lost: float
    """The reference's NDCG@20 of this user minus the variant's; above 0 for a loss."""
    overlap: float = msgspec.field(name="overlap@10")
    """Share of the reference's top ten that the variant returns too."""
    variant: list[ListedItem]
    """The variant's top ten."""
    reference: list[ListedItem]
    """The reference's top ten."""


class VariantReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One variant. What could not be measured is left out."""

    name: str
    """`<runtime>-<recipe>`."""
    runtime: str
    """`onnx` or `tflite`."""
    recipe: str
    """Name of the recipe."""
    bytes: Count
    """Size of the variant's files, in bytes; the vocabulary comes on top, once for all variants."""
    bytes_table: Count | None = None
    """The part of `bytes` that is the item table with its scales."""
    bytes_encoder: Count | None = None
    """The part of `bytes` that is everything else."""
    bytes_vocabulary: Count = 0
    """Size of items.txt and titles.txt, in bytes."""
    load_ms: float
    """`Recommender.load` in a fresh process, imports done before, in milliseconds."""
    first_call_ms: float | None = None
    """The first `recommend` there, in milliseconds."""
    latency_p50_ms: float
    """Median of `Recommender.recommend`, keys in, titles out, in milliseconds; the variants take turns."""
    latency_p99_ms: float
    """Its 99th percentile, in milliseconds."""
    peak_memory_bytes: Count | None = None
    """Peak resident memory of a fresh process that loads the variant and recommends, in bytes."""
    loaded_memory_bytes: Count | None = None
    """The part of the peak that came on top of Python and the imported runtime, in bytes."""
    min_runtime_version: str
    """Oldest version of onnxruntime or LiteRT that runs the variant."""
    operators: dict[str, int]
    """Operator → how often it stands in `recommend`; empty where the file could not be read here."""
    hr_1: float | None = msgspec.field(name="hr@1", default=None)
    """HR@1: share of users whose held-out item is the first of their list."""
    hr_5: float | None = msgspec.field(name="hr@5", default=None)
    """HR@5: share of users whose held-out item is in their first five."""
    hr_10: float | None = msgspec.field(name="hr@10", default=None)
    """HR@10, likewise for ten."""
    hr_20: float | None = msgspec.field(name="hr@20", default=None)
    """HR@20, likewise for twenty."""
    ndcg_5: float | None = msgspec.field(name="ndcg@5", default=None)
    """NDCG@5: mean of 1 / log2(rank + 2), rank from 0; 0 for users whose held-out item is not in their first five."""
    ndcg_10: float | None = msgspec.field(name="ndcg@10", default=None)
    """NDCG@10, likewise for ten."""
    ndcg_20: float | None = msgspec.field(name="ndcg@20", default=None)
    """NDCG@20, likewise for twenty."""
    mrr_10: float | None = msgspec.field(name="mrr@10", default=None)
    """MRR@10: mean of 1 / (rank + 1), rank from 0; 0 for users whose held-out item is not in their first ten."""
    tied_top10: float
    """Share of users with two equal scores among the first ten."""
    difference: dict[str, Change]
    """Metric → paired difference from the reference; empty for the reference itself and without one."""
    hits_appeared: Count | None = None
    """Users whose held-out item is in this variant's top ten, and not in the reference's."""
    hits_vanished: Count | None = None
    """Users whose held-out item is in the reference's top ten, and not in this variant's."""
    overlap_5: float | None = msgspec.field(name="overlap@5", default=None)
    """Mean share of the reference's first five items that the variant's first five hold too."""
    overlap_10: float | None = msgspec.field(name="overlap@10", default=None)
    """Likewise for ten."""
    overlap_20: float | None = msgspec.field(name="overlap@20", default=None)
    """Likewise for twenty."""
    rbo: float | None = None
    """Rank-biased overlap with the reference, p = 0.9, extrapolated from the whole lists; 1 for equal lists."""
    changed_top1: float | None = None
    """Share of users whose first item differs from the reference's."""
    score_error: ScoreError | None = None
    """Variant's score minus the reference's; left out for the reference and without one."""
    row_scales: Histogram | None = None
    """Scales of the item table's rows; left out where it is float or cannot be read."""
    rows: list[RowError] = []
    """The items whose scores moved most."""
    suspect_rows: Count = 0
    """How many items have an outlier, so a corrupted row."""
    by_target_count: list[Bucket]
    """Strata by how often the held-out item was trained on, most popular first."""
    by_history_length: list[Bucket]
    """Strata by the number of items in the history, shortest first."""
    worst_users: list[WorstUser] = []
    """Those who lost most; never in the report inside a bundle, because it shows what people took."""

    def metric(self, name: str) -> float | None:
        """Return one of METRICS or "overlap@10", None where it was not measured."""
        value: float | None = getattr(self, name.replace("@", "_"))
        return value
