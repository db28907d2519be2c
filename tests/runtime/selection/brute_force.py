"""What an answer must be, found by trying everything: for the tiny bundle, whose scores are small whole numbers."""

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import combinations

from runtime import tiny
from sasrec_runtime.recommendations import Recommendations
from sasrec_runtime.recommender import Recommender


def pairs(answer: Recommendations) -> list[tuple[str, float | None]]:
    """Return the keys and scores of an answer."""
    return [(item.key, item.score) for item in answer]


def best(
    recommender: Recommender,
    history: list[str],
    k: int,
    *,
    among: Collection[str] | None = None,
    exclude: Collection[str] = (),
    exclude_seen: bool = True,
    groups: Mapping[str, str] | None = None,
    exclude_groups: Collection[str] = (),
    at_most_per_group: int | None = None,
) -> list[tuple[str, float]]:
    """Return keys and scores of the best list: of all that are allowed the longest, and of these the first in order.

    Lists are compared from their best item down, by score and then by id.
    """
    groups = groups or {}
    scores = recommender.score(history, tiny.KEYS).tolist()
    ranking = sorted(zip(tiny.KEYS, scores, strict=True), key=lambda pair: (-pair[1], tiny.KEYS.index(pair[0])))
    left_out = {*exclude, *(history if exclude_seen else ())}
    left_out |= {key for key, group in groups.items() if group in exclude_groups}
    able = [pair for pair in ranking if pair[0] not in left_out and (among is None or pair[0] in among)]
    for size in range(min(k, len(able)), 0, -1):
        for chosen in combinations(able, size):  # in the order of the ranking: the first that fits is the best
            counts = Counter(groups[key] for key, _ in chosen if key in groups)
            if at_most_per_group is None or all(count <= at_most_per_group for count in counts.values()):
                return list(chosen)
    return []
