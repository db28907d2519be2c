"""Ranking metrics of one held-out item per user."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["KS", "ranking_metrics"]

KS = (1, 5, 10, 20)


def ranking_metrics(ranks: NDArray[np.integer], ks: Sequence[int] = KS) -> dict[str, float]:
    """Return HR@k, NDCG@k and MRR@k.

    Args:
        ranks: (H,). How many items stand before each user's target; 0 is best. Ties are counted by whoever
            made the ranks: here, against the target.
        ks: Cut-offs, each at least 1.

    Returns:
        Means over users under "hr@1", …, "ndcg@1", …, "mrr@1", …: of 1, 1 / log2(rank + 2) and 1 / (rank + 1)
        where rank < k, else 0. All are 0 for no users.
    """
    rank = np.asarray(ranks, np.float64)
    gains = {"hr": np.ones_like(rank), "ndcg": 1 / np.log2(rank + 2), "mrr": 1 / (rank + 1)}
    users = max(1, rank.size)
    return {f"{name}@{k}": float(gain[rank < k].sum() / users) for name, gain in gains.items() for k in ks}
