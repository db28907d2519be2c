"""The held-out items of an interaction log in the ids of a bundle."""

from collections.abc import Callable
from pathlib import PurePath

import numpy as np

from sasrec_export.errors import ExportError
from sasrec_runtime.bundle import Bundle
from sasrec_train.interactions import Histories, Interactions
from sasrec_train.split import HeldOut, leave_one_out

__all__ = ["held_out_of", "shown_name"]


def shown_name(log: Interactions) -> str:
    """Return what a bundle and a report call the log: a file by its name, never by where it lay on this machine."""
    return PurePath(log.name).name


def held_out_of(log: Interactions, bundle: Bundle, *, say: Callable[[str], None] = lambda _: None) -> HeldOut:
    """Return the test items of `log` (leave-one-out), translated by item key into the bundle's ids.

    Items that the bundle does not know are left out of the histories; users whose held-out item it does not know
    cannot be judged and are left out too. Both are said.

    Raises:
        ExportError: The log and the bundle have no item in common to judge by.
    """
    test = leave_one_out(log).test
    keys = {bundle.vocabulary.key(item_id): item_id for item_id in range(1, bundle.manifest.model.n_items + 1)}
    translation = np.array([0, *(keys.get(key, 0) for key in log.item_keys)], np.int32)
    targets = translation[test.targets]
    rows = np.flatnonzero(targets)
    if not rows.size:
        raise ExportError(
            f"{log.name}: none of its {len(targets)} held-out items is in the bundle's vocabulary "
            f"(its first key is {log.item_keys[0]!r:.40}, the bundle's is {bundle.vocabulary.key(1)!r:.40}). "
            "Give the log that the bundle was trained on, or check --item-column."
        )
    kept = test.histories.take(rows)
    ids = translation[kept.item_ids]
    known = np.bincount(kept.rows()[ids > 0], minlength=len(kept))
    histories = Histories.from_lengths(known, ids[ids > 0])
    unknown_items = len(ids) - len(histories.item_ids)
    if unknown_items or rows.size < len(targets):
        say(
            f"{unknown_items} history items and {len(targets) - rows.size} held-out items of {log.name} are not in the "
            "bundle's vocabulary and were left out."
        )
    return HeldOut(users=test.users[rows], histories=histories, targets=targets[rows])
