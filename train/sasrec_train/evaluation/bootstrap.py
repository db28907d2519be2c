"""How far a metric would move with other users: percentile intervals of the bootstrap."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import metrics

__all__ = ["LEVEL", "RESAMPLES", "intervals", "resample"]

LEVEL = 0.95
RESAMPLES = 1000

Interval = list[float]
"""Lower and upper end."""


def resample(
    *ranks: NDArray[np.integer],
    rng: np.random.Generator,
    ks: Sequence[int] = metrics.KS,
    resamples: int = RESAMPLES,
) -> list[dict[str, NDArray[np.float64]]]:
    """Return the metrics of as many users, drawn with replacement, again and again.

    Users of equal outcome are interchangeable, and beyond the largest k all ranks are alike. So it is enough to draw
    how often each outcome occurs: a few hundred numbers per resample, whatever the number of users.

    Args:
        ranks: (H,) each, H at least 1: the ranks that different scorers gave to the targets of the same users. All are
            resampled together, so that differences between them are paired.
        rng: Source of the draws.
        ks: Cut-offs.
        resamples: How many.

    Returns:
        For each of `ranks`, (resamples,) under every name of metrics.ranking_metrics.
    """
    worst = max(ks)
    outcomes, counts = np.unique(
        np.ravel_multi_index([np.minimum(rank, worst) for rank in ranks], (worst + 1,) * len(ranks)),
        return_counts=True,
    )
    users = int(counts.sum())
    drawn = rng.multinomial(users, counts / users, size=resamples)  # (resamples, outcomes)
    return [
        {name: drawn @ gain / users for name, gain in metrics.gains(rank, ks).items()}
        for rank in np.unravel_index(outcomes, (worst + 1,) * len(ranks))
    ]


def intervals(resampled: dict[str, NDArray[np.float64]], level: float = LEVEL) -> dict[str, Interval]:
    """Return the interval of every metric: what is left when (1 - level) / 2 are cut off either end."""
    tail = (1 - level) / 2
    return {name: np.quantile(values, (tail, 1 - tail)).tolist() for name, values in resampled.items()}
