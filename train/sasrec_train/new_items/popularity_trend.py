"""How rows and mean states change with an item's count: popular items lie elsewhere than rare ones."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PopularityTrend", "fit"]


@dataclass(frozen=True, slots=True)
class PopularityTrend:
    """A straight line in log(1 + count)."""

    start: NDArray[np.float64]
    """(M,). At count 0."""
    slope: NDArray[np.float64]
    """(M,). Per unit of log(1 + count)."""

    def at(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the line at the counts, (I, M)."""
        return self.start + np.log1p(counts)[:, None] * self.slope


def fit(counts: NDArray[np.float64], values: NDArray[np.float64]) -> PopularityTrend:
    """Return the line of least squares through values (I, M) at counts (I,); a level one where all counts are equal."""
    logs = np.log1p(counts)
    centred = logs - logs.mean()
    spread = float(centred @ centred)
    slope = centred @ (values - values.mean(axis=0)) / spread if spread > 0 else np.zeros(values.shape[1])
    return PopularityTrend(values.mean(axis=0) - logs.mean() * slope, slope)
