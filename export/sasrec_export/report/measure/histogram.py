"""Histograms of a report: where the values of an array lie."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.schema import Histogram

__all__ = ["histogram"]

BINS = 41
"""An odd number, so that zero lies in the middle of a bin."""

MIDDLE = (0.001, 0.999)
"""Quantiles that the bins lie between; values beyond them are counted in the outer bins."""


def histogram(values: NDArray[np.floating[Any]], *, logarithmic: bool = False) -> Histogram:
    """Return the counts of `values` (any shape, at least one) in 41 bins over the middle 99.8 % of them.

    Bins have equal widths around zero, or equal ratios where `logarithmic`, which expects positive values.
    """
    low, high = (float(bound) for bound in np.quantile(values, MIDDLE))
    if logarithmic:
        edges = np.geomspace(low, high if high > low else low * 1.01, BINS + 1)
    else:
        bound = max(abs(low), abs(high)) or 1e-9
        edges = np.linspace(-bound, bound, BINS + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())
