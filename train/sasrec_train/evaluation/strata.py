"""Users in strata: by popularity of the held-out item, and by length of the history."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sasrec_train.evaluation import bootstrap, metrics

__all__ = ["Stratum", "by_history_length", "by_target_count", "measure"]

KS = (10,)  # Cut-offs of a stratum's metrics.
LENGTHS = (1, 3, 6, 11, 21, 51)  # The least of each stratum.
FIFTHS = ("head", "second fifth", "third fifth", "fourth fifth", "tail")
UNTRAINED = "never trained on"


@dataclass(frozen=True, slots=True)
class Stratum:
    """A stratum: at least one user, all within the same bounds."""

    name: str
    """Display name."""
    least: int
    """The smallest value of the stratum."""
    most: int | None
    """The largest, None without a limit."""
    rows: NDArray[np.int64]
    """(users,). Positions of its users among all that were evaluated."""


def by_target_count(counts: NDArray[np.integer], targets: NDArray[np.integer]) -> list[Stratum]:
    """Return the users by how often their held-out item was trained on, most popular first.

    The edges cut the training interactions, items sorted by count, into fifths: the head are the fewest items with a
    fifth of all interactions, and so on. Items of one count are never separated, so a fifth may be larger, and the next
    smaller or missing.

    Args:
        counts: (V,). Interactions of each item id in the training histories.
        targets: (H,). The held-out item ids.
    """
    trained = np.sort(counts[counts > 0])[::-1]
    reached = np.cumsum(trained)
    starts = [int(trained[np.searchsorted(reached * 5, reached[-1] * fifth)]) for fifth in range(1, 5) if trained.size]
    edges: list[tuple[str, int, int | None]] = []
    most = None
    for name, least in zip(FIFTHS, [*starts, 1], strict=bool(starts)):
        if most is None or least <= most:
            edges.append((name, least, most))
            most = least - 1
    return _filled(counts[targets], [*edges, (UNTRAINED, 0, 0)])


def by_history_length(lengths: NDArray[np.integer]) -> list[Stratum]:
    """Return the users by how many interactions came before their held-out item, shortest first."""
    edges: list[tuple[str, int, int | None]] = [
        (f"{least} to {following - 1}", least, following - 1) for least, following in itertools.pairwise(LENGTHS)
    ]
    return _filled(lengths, [*edges, (f"more than {LENGTHS[-1] - 1}", LENGTHS[-1], None)])


def _filled(values: NDArray[np.integer], edges: list[tuple[str, int, int | None]]) -> list[Stratum]:
    """Return the strata that hold a user."""
    strata = []
    for name, least, most in edges:
        rows = np.flatnonzero((values >= least) & (values <= (np.inf if most is None else most)))
        if rows.size:
            strata.append(Stratum(name, least, most, rows))
    return strata


def measure(stratum: Stratum, ranks: dict[str, NDArray[np.int64]], *, rng: np.random.Generator) -> dict[str, Any]:
    """Return the entry of a stratum in metrics.json. Its intervals resample the users of the stratum.

    Args:
        stratum: The users.
        ranks: (H,) of every user of the evaluation, under the name of the protocol.
        rng: Source of the resamples.
    """
    chosen = {protocol: everyone[stratum.rows] for protocol, everyone in ranks.items()}
    resampled = {protocol: bootstrap.resample(ranked, rng=rng, ks=KS)[0] for protocol, ranked in chosen.items()}
    return {
        "name": stratum.name,
        "least": stratum.least,
        "most": stratum.most,
        "users": int(stratum.rows.size),
        **{protocol: metrics.ranking_metrics(ranked, KS) for protocol, ranked in chosen.items()},
        "intervals": {protocol: bootstrap.intervals(values) for protocol, values in resampled.items()},
    }
