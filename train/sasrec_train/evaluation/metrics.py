"""Ranking metrics of one held-out item per user."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["KS", "gains", "ranking_metrics"]

KS = (1, 5, 10, 20)


def gains(ranks: NDArray[np.integer], ks: Sequence[int] = KS) -> dict[str, NDArray[np.float64]]:
    """Return what each user adds to HR@k, NDCG@k and MRR@k.

    Args:
        ranks: (H,). How many items stand before each user's target; 0 is best. Ties are counted by whoever
            made the ranks: here, against the target.
        ks: Cut-offs, each at least 1.

    Returns:
        (H,) under "hr@1", …, "ndcg@1", …, "mrr@1", …: 1, 1 / log2(rank + 2) and 1 / (rank + 1) where rank < k, else 0.
    """
    rank = np.asarray(ranks, np.float64)
    gain = {"hr": np.ones_like(rank), "ndcg": 1 / np.log2(rank + 2), "mrr": 1 / (rank + 1)}
    return {f"{name}@{k}": np.where(rank < k, values, 0.0) for name, values in gain.items() for k in ks}


def ranking_metrics(ranks: NDArray[np.integer], ks: Sequence[int] = KS) -> dict[str, float]:
    """Return HR@k, NDCG@k and MRR@k: the means over users of their gains, 0 for no users."""
    users = max(1, len(ranks))
    return {name: float(gain.sum() / users) for name, gain in gains(ranks, ks).items()}
