"""Paired differences between a variant and the reference: the same users, drawn again together.

The paired bootstrap with percentile intervals (Efron & Tibshirani 1993): users are drawn with replacement, and a user
brings both ranks along, so that how much users differ from each other cancels in the difference. It is computed as a
multinomial draw of how often each pair of ranks occurs, see `sasrec_train.evaluation.bootstrap`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.schema import METRICS, Bucket, Change
from sasrec_train.evaluation import bootstrap, metrics, strata

__all__ = ["bucket", "differences"]

KS = metrics.KS


def differences(
    ranks: NDArray[np.int64], reference: NDArray[np.int64], *, names: Sequence[str] = METRICS, seed: int = 0
) -> dict[str, Change]:
    """Return metric → variant minus reference with the 95 % percentile interval of the paired bootstrap.

    Args:
        ranks: (H,), rank of each user's held-out item in the variant, from 0.
        reference: (H,), the same in the reference; H is at least 1.
        names: Metrics among METRICS.
        seed: Seed of the resamples.
    """
    rng = np.random.default_rng(seed)
    ours, theirs = bootstrap.resample(ranks, reference, rng=rng, ks=KS)
    # Percentiles of the differences, and not differences of percentiles: these would forget the pairing.
    drawn = {name: ours[name] - theirs[name] for name in names}
    intervals = bootstrap.intervals(drawn)
    mine, others = metrics.ranking_metrics(ranks, KS), metrics.ranking_metrics(reference, KS)
    return {
        name: Change(value=mine[name] - others[name], low=intervals[name][0], high=intervals[name][1]) for name in names
    }


def bucket(
    found: strata.Stratum,
    ranks: NDArray[np.int64],
    reference: NDArray[np.int64] | None,
    overlap: NDArray[np.float64] | None,
    *,
    names: Sequence[str] = METRICS,
    seed: int = 0,
) -> Bucket:
    """Return what the report says of the users of a stratum.

    Args:
        found: The stratum.
        ranks: (H,), ranks from 0 of all users.
        reference: (H,), the reference's ranks of all users; None without a reference.
        overlap: (H,), overlap@10 of all users, in [0, 1]; None without a reference.
        names: Metrics among METRICS.
        seed: Seed of the resamples.
    """
    mine = metrics.ranking_metrics(ranks[found.rows], KS)
    return Bucket(
        name=found.name,
        least=found.least,
        most=found.most,
        users=int(found.rows.size),
        metrics={name: mine[name] for name in names},
        overlap=None if overlap is None else float(overlap[found.rows].mean()),
        difference={}
        if reference is None
        else differences(ranks[found.rows], reference[found.rows], names=names, seed=seed),
    )
