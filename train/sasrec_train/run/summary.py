"""split.json of a RUN: how the log was split, in numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np

from sasrec_train import split
from sasrec_train.log.interactions import Interactions
from sasrec_train.split import Split, SplitConfig

if TYPE_CHECKING:
    from sasrec_train.training.loop import Trained

__all__ = ["describe"]


def describe(interactions: Interactions, config: SplitConfig, parts: Split, trained: "Trained") -> dict[str, Any]:
    """Return what split.json holds."""
    protocol: dict[str, Any] = {"protocol": config.kind}
    if config.kind == "temporal" and interactions.times is not None:
        first, second = split.boundaries(interactions.times, config)
        protocol |= {"validation_from": first, "test_from": second}
    trained_on = np.bincount(parts.train.item_ids, minlength=interactions.n_items + 1) > 0
    return {
        **protocol,
        "users": len(interactions.user_keys),
        "items": interactions.n_items,
        "interactions": int(interactions.histories.item_ids.size),
        "train_interactions": int(parts.train.item_ids.size),
        "validation_users": int(parts.validation.users.size),
        "test_users": int(parts.test.users.size),
        "test_items_not_trained_on": int(np.count_nonzero(~trained_on[parts.test.targets])),
        "chosen_on": "validation, whole catalogue, seen items excluded, ndcg@10",
        "best_epoch": trained.best_epoch,
    }
