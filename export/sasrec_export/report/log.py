"""The held-out items of an interaction log in the ids of a bundle."""

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

import msgspec
import numpy as np

from sasrec_export.errors import ExportError
from sasrec_runtime.bundle import Bundle
from sasrec_train.interactions import Histories, Interactions
from sasrec_train.run import Run
from sasrec_train.split import HeldOut, SplitConfig, split

__all__ = ["held_out_of", "making_of", "shown_name"]


def shown_name(log: Interactions) -> str:
    """Return what a bundle and a report call the log: a file by its name, never by where it lay on this machine."""
    return PurePath(log.name).name


def making_of(run: Run) -> dict[str, Any]:
    """Return what a bundle says of how its log was filtered and split."""
    split_config = run.config.split or SplitConfig()
    return {"filters": msgspec.to_builtins(run.config.filters), "split": msgspec.to_builtins(split_config)}


def held_out_of(
    log: Interactions,
    bundle: Bundle,
    *,
    split_config: SplitConfig | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> HeldOut:
    """Return the test items of `log` (leave-one-out by default), translated by item key into the bundle's ids.

    Items that the bundle does not know are left out of the histories; users whose held-out item it does not know
    cannot be judged and are left out too. Both are said, and where the bundle was trained on another split.

    Raises:
        ExportError: The log and the bundle have no item in common to judge by.
    """
    asked, trained = split_config or SplitConfig(), _split_of(bundle)
    if trained is not None and trained != asked:
        say(
            f"the model was trained with {_options(trained)}, this report judges with {_options(asked)}: "
            "it may have learned from the test items."
        )
    test = split(log, asked).apply(log.histories).test
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


def _split_of(bundle: Bundle) -> SplitConfig | None:
    """Return the split that making_of recorded; None where the bundle does not say."""
    try:
        return msgspec.convert(bundle.manifest.model.hyper_parameters["data"]["split"], SplitConfig)
    except (KeyError, TypeError, msgspec.ValidationError):
        return None


def _options(config: SplitConfig) -> str:
    if config.kind != "temporal":
        return f"--split {config.kind}"
    return f"--split temporal --validation-share {config.validation_share:g} --test-share {config.test_share:g}"
