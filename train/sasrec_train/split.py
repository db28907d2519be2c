"""Leave-one-out: what a model may learn from, and the one item per user it is then asked for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.errors import DataError
from sasrec_train.interactions import Histories, Interactions

__all__ = ["MIN_INTERACTIONS", "HeldOut", "Split", "leave_one_out"]

MIN_INTERACTIONS = 3  # One to learn from, one for validation, one for the test.


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Users with one item each held back."""

    users: NDArray[np.int64]
    """(H,). Rows in the Interactions."""
    histories: Histories
    """What came before the held-out item, one history per entry of `users`."""
    targets: NDArray[np.int32]
    """(H,). The held-out item ids."""


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a log."""

    train: Histories
    """One history per user of the log, in its order, without the held-out items."""
    validation: HeldOut
    """The newest item but one of every user with at least three."""
    test: HeldOut
    """The newest item of every user with at least three; histories include the validation item."""


def leave_one_out(interactions: Interactions) -> Split:
    """Hold back the last item of each user for the test, and the one before for validation.

    Users with fewer than three interactions are trained on only.

    Raises:
        DataError: No user has three interactions, or there is a single item.
    """
    histories = interactions.histories
    if interactions.n_items < 2:
        raise DataError(
            f"{interactions.name} has {interactions.n_items} item, expected at least 2: "
            "there is nothing to rank. Check the item column."
        )
    users = np.flatnonzero(histories.lengths >= MIN_INTERACTIONS)
    if not users.size:
        raise DataError(
            f"{interactions.name}: the longest history has {histories.lengths.max(initial=0)} interactions, "
            f"expected a user with at least {MIN_INTERACTIONS}: training, validation and test need one each. "
            "Give a longer log, or check the user column."
        )
    everyone = np.arange(len(histories))
    last = histories.item_ids[histories.offsets[1:][users] - 1]
    second_last = histories.item_ids[histories.offsets[1:][users] - 2]
    without_two = histories.take(users, without_last=2)
    return Split(
        train=histories.take(everyone, without_last=np.where(histories.lengths >= MIN_INTERACTIONS, 2, 0)),
        validation=HeldOut(users, without_two, second_last),
        test=HeldOut(users, histories.take(users, without_last=1), last),
    )
