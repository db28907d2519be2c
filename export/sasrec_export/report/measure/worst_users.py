"""The users who lost most: their histories, and what the variant and the reference recommend to them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sasrec_export.report.measure.evaluation_set import EvaluationSet
from sasrec_export.report.measure.ranking import Lists
from sasrec_export.report.schema import ListedItem, WorstUser
from sasrec_runtime.signature import PAD_ID
from sasrec_runtime.vocabulary.vocabulary import Vocabulary
from sasrec_train.evaluation import metrics

__all__ = ["worst_users"]

USERS = 10
"""Users shown."""
NEWEST = 10
"""Items shown of a history."""
TOP = 10


def worst_users(
    evaluation_set: EvaluationSet,
    vocabulary: Vocabulary,
    lists: Lists,
    reference: Lists,
    *,
    ranks: NDArray[np.int64],
    reference_ranks: NDArray[np.int64],
    overlap: NDArray[np.float64],
) -> list[WorstUser]:
    """Return the users who lost most NDCG@20; for equal losses, those whose lists have least in common come first.

    Args:
        evaluation_set: The users.
        vocabulary: Keys and titles.
        lists: What the variant recommends.
        reference: What the reference recommends.
        ranks: (H,), rank of the held-out item in the variant.
        reference_ranks: (H,), the same in the reference.
        overlap: (H,), overlap@10.
    """
    gain, before = (metrics.gains(found, (20,))["ndcg@20"] for found in (ranks, reference_ranks))
    lost = before - gain
    chosen = [row for row in np.lexsort((overlap, -lost))[:USERS].tolist() if lost[row] > 0 or overlap[row] < 1]
    found = []
    for row in chosen:
        target = int(evaluation_set.held_out.targets[row])
        history = evaluation_set.held_out.histories[row]
        user, position = _name(evaluation_set, row)
        found.append(
            WorstUser(
                user=user,
                row=position,
                history_length=len(history),
                history=[_item(vocabulary, int(item_id), None, target) for item_id in history[-NEWEST:]],
                held_out=_item(vocabulary, target, None, target),
                ndcg_lost=float(lost[row]),
                overlap=float(overlap[row]),
                variant=_top(vocabulary, lists.items[row], lists.scores[row], target),
                reference=_top(vocabulary, reference.items[row], reference.scores[row], target),
            )
        )
    return found


def _name(evaluation_set: EvaluationSet, row: int) -> tuple[str, int | None]:
    """Return the user's name in the report and the row in the log: the key where keys are given, else the row."""
    if evaluation_set.user_keys is not None:
        return evaluation_set.user_keys[row], None
    position = 1 + int(evaluation_set.held_out.users[row])
    return f"row {position}", position


def _top(vocabulary: Vocabulary, items: Sequence[int], scores: Sequence[float], target: int) -> list[ListedItem]:
    pairs = zip(items[:TOP], scores[:TOP], strict=True)
    return [_item(vocabulary, int(i), float(score), target) for i, score in pairs if i != PAD_ID]


def _item(vocabulary: Vocabulary, item_id: int, score: float | None, target: int) -> ListedItem:
    return ListedItem(
        key=vocabulary.key(item_id), title=vocabulary.title(item_id), score=score, held_out=item_id == target
    )
