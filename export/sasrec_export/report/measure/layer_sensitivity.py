"""Layer sensitivity: what the ranking loses when one layer alone is computed in int8, all others in float32.

One layer at a time is the usual sensitivity analysis of partial quantization (Wu et al. 2020, arXiv 2004.09602): it
tells which layers to leave in float. The losses of single layers need not add up to that of all, which is measured too.

It needs the ONNX fp32 variant and histories. Nothing of the training is needed: ranges are measured by running the
graph.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_export.encoder import calibration
from sasrec_export.encoder.int8_mask import masking_value
from sasrec_export.report.measure import agreement, graph_layers, paired_bootstrap, ranking
from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.settings import Settings
from sasrec_export.report.schema import Change, Layer, Sensitivity
from sasrec_runtime.bundle import Bundle
from sasrec_runtime.manifest import Variant
from sasrec_runtime.signature import RECOMMEND
from sasrec_train.evaluation import metrics

__all__ = ["ALL", "USERS", "activation_ranges", "graph_variant", "measure"]

USERS = 2000
"""Users at most: fifteen to twenty graphs are run on each."""

DEFAULTS = Settings()

ALL = "all of them"
"""Name of the entry with every layer in int8."""
MAX_TABLE_BYTES = 1 << 30
"""A larger graph cannot be handed over in memory."""

MASK = -1e3
"""Logits below this are masked keys; trained activations are far smaller in magnitude."""

BATCH_ROWS = 32
"""Histories of one run, all of whose activations are held."""
NDCG = "ndcg@10"


def graph_variant(bundle: Bundle) -> Variant | None:
    """Return the variant whose graph is quantized, None where there is none or it is too large."""
    chosen = next((v for v in bundle.manifest.variants if v.runtime == "onnx" and v.recipe == "fp32"), None)
    return chosen if chosen and sum(file.bytes for file in chosen.files) <= MAX_TABLE_BYTES else None


def measure(
    bundle: Bundle,
    variant: Variant,
    evaluation_set: EvaluationSet,
    settings: Settings = DEFAULTS,
) -> Sensitivity:
    """Return what each layer loses: NDCG@10 of the float32 graph minus that of the graph with the layer in int8.

    Args:
        bundle: The bundle.
        variant: From `graph_variant`.
        evaluation_set: Users to evaluate on, and training histories to measure ranges on.
        settings: How it is measured.

    Returns:
        The layers with paired 95 % intervals over the same users, the one that loses most first.
    """
    seed, threads = settings.seed, settings.threads
    manifest = bundle.manifest.model
    sample = evaluation_set.sample(USERS, seed)
    k = min(ranking.LIST_LENGTH, manifest.n_items)
    model = graph_layers.load(bundle.file(variant.entries[RECOMMEND]))
    found = graph_layers.find(model)
    histories = calibration.sample(evaluation_set.train, max_len=manifest.max_len, seed=seed)
    ranges = activation_ranges(model, found, histories, threads=threads)

    def run(graph: Any) -> ranking.Lists:
        return ranking.recommend_all(_Graph(graph, threads), sample.held_out, k=k, keep_seen=settings.keep_seen)

    # The same users and the same engine for every graph, so that differences are paired and come from int8 alone.
    reference = run(model)
    groups = [(layer.name, layer.kind, [layer]) for layer in found] + [(ALL, "all", found)]
    measured = []
    with settings.progress(
        f"{variant.name}: each layer in int8 alone, {len(sample.held_out.targets):,} users", len(groups)
    ) as done:
        for name, kind, group in groups:
            lists = run(graph_layers.quantized(model, group, ranges))
            measured.append(_layer(name, kind, lists, reference, sample.held_out.targets, seed))
            done(1)
    return Sensitivity(
        variant=variant.name,
        users=len(sample.held_out.targets),
        calibration=len(histories),
        ndcg=metrics.ranking_metrics(ranking.ranks(reference, sample.held_out.targets))[NDCG],
        # Equal losses are ordered by overlap@10, which also sees changes that move no held-out item.
        layers=sorted(measured, key=lambda row: (row.lost.value, -row.overlap), reverse=True),
    )


def _layer(
    name: str, kind: str, lists: ranking.Lists, reference: ranking.Lists, targets: NDArray[np.int32], seed: int
) -> Layer:
    ranks = ranking.ranks(lists, targets)
    change = paired_bootstrap.differences(ranks, ranking.ranks(reference, targets), names=(NDCG,), seed=seed)[NDCG]
    return Layer(
        name=name,
        kind=kind,
        ndcg=metrics.ranking_metrics(ranks)[NDCG],
        lost=Change(value=-change.value, low=-change.high, high=-change.low),  # a loss is the negative difference
        overlap=float(agreement.overlaps(agreement.agreement(lists, reference), k=10).mean()),
    )


def activation_ranges(
    model: Any,
    found: Iterable[graph_layers.GraphLayer],
    histories: NDArray[np.int32],
    *,
    masks: bool = False,
    threads: int = 1,
) -> dict[str, tuple[float, float]]:
    """Return the least and the greatest value of each float tensor of the layers, over the histories.

    The logit of a masked key does not count as a value. It is replaced by the value that static int8 gives it, see
    `int8_mask`: just low enough that the softmax gives the key no weight.

    Args:
        model: From `graph_layers.load`.
        found: The layers.
        histories: int32 (R, max_len), left-padded.
        masks: Count the logits of masked keys as values, as calibration without that care does.
        threads: Threads of a call.

    Returns:
        Tensor name → its range (MinMax calibration); tensors without a finite value are left out.
    """
    shown, names = graph_layers.watched(model, found)
    session = _Graph(shown, threads).session
    kinds = {output.name: output.type for output in session.get_outputs()}
    wanted = [name for name in names if kinds.get(name) == "tensor(float)"]
    seen = {name: _Range() for name in wanted}
    for start in range(0, len(histories), BATCH_ROWS):
        batch = histories[start : start + BATCH_ROWS]
        feed = {"history": batch, "exclude": np.zeros((len(batch), 0), np.int32), "k": np.array([1], np.int64)}
        for name, values in zip(wanted, session.run(wanted, feed), strict=True):
            seen[name].add(values, masks=masks)
    return {name: found.ends for name, found in seen.items() if found.low <= found.high}


@dataclass(slots=True)
class _Range:
    """The values of one tensor."""

    low: float = np.inf
    """The smallest value that is not the logit of a masked key."""
    high: float = -np.inf
    """The largest value."""
    masked: bool = False
    """Whether the tensor holds logits of masked keys."""

    def add(self, values: NDArray[np.float32], *, masks: bool) -> None:
        # A mask of -1e9 would leave all other logits one step, see `int8_mask`.
        masked = (values <= MASK) & (not masks)
        counted = values[np.isfinite(values) & ~masked]
        self.masked |= bool(masked.any())
        if counted.size:
            self.low, self.high = min(self.low, float(counted.min())), max(self.high, float(counted.max()))

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value, the logits of masked keys as static int8 has them."""
        floor = self.low + masking_value(self.low, self.high)
        return (floor if self.masked else self.low), self.high


class _Graph:
    """A graph in memory as a session of the contract."""

    def __init__(self, model: Any, threads: int) -> None:
        import onnx_ir as ir  # noqa: PLC0415 - an extra
        import onnxruntime  # noqa: PLC0415 - loads slowly

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            ir.save(model, path)
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def recommend(
        self, history: NDArray[np.int32], exclude: NDArray[np.int32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See sasrec_runtime.engines.contract.Session."""
        feed = {"history": history, "exclude": exclude, "k": np.array([k], np.int64)}
        items, scores = self.session.run(["items", "scores"], feed)
        return items, scores

    def score(self, history: NDArray[np.int32], candidates: NDArray[np.int32]) -> NDArray[np.float32]:
        """Nothing asks a recommend graph to score."""
        raise NotImplementedError
