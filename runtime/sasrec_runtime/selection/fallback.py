"""What newcomers get: the most popular items, within what a request allows."""

from collections import Counter
from collections.abc import Sequence

from sasrec_runtime.selection.allowed_set import AllowedSet
from sasrec_runtime.selection.limits import Limits

__all__ = ["popular"]


def popular(
    fallback_items: Sequence[int], k: int, excluded: Sequence[int], among: AllowedSet | None, limits: Limits
) -> list[int]:
    """Return at most k items for a request without a history.

    They come in the order of `fallback_items`. Items of an allowed set that are not among these follow in the order of
    their ids, for a bundle does not say how popular they are: the allowed set of a small shelf holds few or none of the
    most popular items of the whole catalogue, and an empty answer would help nobody.

    Args:
        fallback_items: Ids, the most popular first.
        k: Items at most.
        excluded: Ids not to return.
        among: Items that may be returned; None: those of `fallback_items`.
        limits: What else holds.
    """
    left_out = {*excluded, *limits.left_out.tolist()}
    if among is None:
        ranking = [item_id for item_id in fallback_items if item_id not in left_out]
    else:
        allowed = dict.fromkeys(among.item_ids.tolist())
        first = dict.fromkeys(item_id for item_id in fallback_items if item_id in allowed)
        ranking = [item_id for item_id in (first | allowed) if item_id not in left_out]
    return [ranking[place] for place in limits.taken(ranking, k, Counter())]
