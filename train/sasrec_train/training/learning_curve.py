"""The learning curve as a picture: loss and validation metrics by epoch, and which epoch was kept."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sasrec_train.training.state import Epoch

__all__ = ["draw"]

WIDTH_IN, HEIGHT_IN = 9.0, 3.6
LINES = {"hr@10": "#1f5fa8", "ndcg@10": "#b3541e"}


def draw(path: Path, epochs: list[Epoch], best_epoch: int) -> None:
    """Write an SVG: the training loss on the left, HR@10 and NDCG@10 of the validation on the right."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    loss_axes, metric_axes = figure.subplots(1, 2)
    numbers = [epoch.epoch for epoch in epochs]
    marker = "o" if len(epochs) == 1 else ""  # one point makes no line
    loss_axes.plot(numbers, [epoch.loss for epoch in epochs], color="#444444", marker=marker)
    loss_axes.set(title="Training loss", xlabel="epoch")
    for name, colour in LINES.items():
        values = [epoch.validation[name] for epoch in epochs]
        metric_axes.plot(numbers, values, color=colour, label=name.upper(), marker=marker)
        metric_axes.plot(best_epoch, values[best_epoch - 1], "o", color=colour)
    metric_axes.axvline(best_epoch, color="#999999", linewidth=0.8, linestyle=":", label=f"kept: epoch {best_epoch}")
    metric_axes.set(title="Validation, whole catalogue", xlabel="epoch")
    metric_axes.set_ylim(bottom=0)
    metric_axes.legend(frameon=False, loc="lower right")
    for axes in (loss_axes, metric_axes):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    # Text stays text, and equal runs give equal files.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sasrec-edge"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
