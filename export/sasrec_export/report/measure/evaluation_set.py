"""The held-out items of an interaction log in the ids of a bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_export import markdown
from sasrec_export.errors import ExportError
from sasrec_runtime.bundle import Bundle
from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.run import Run
from sasrec_train.split import HeldOut, Split, SplitConfig, split

__all__ = ["EvaluationSet", "evaluation_set_of_log", "evaluation_set_of_run", "log_settings", "shown_name"]


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What a bundle is evaluated on, in its own item ids."""

    data: str
    """Name of the log, without its folder."""
    split: str
    """How the items were held out, a kind of SplitConfig."""
    held_out: HeldOut
    """H users with one held-out item each."""
    train: Histories
    """What the model may have learned from: item counts, and histories to measure ranges on."""
    user_keys: Sequence[str] | None = None
    """(H,). Keys of the held-out users; None where the report must not name them."""

    def sample(self, most: int, seed: int) -> "EvaluationSet":
        """Return at most `most` of the users, drawn with `seed`, in their order."""
        if self.held_out.users.size <= most:
            return self
        numbered = replace(self.held_out, users=np.arange(self.held_out.users.size))
        rows = numbered.sample(most, seed).users
        held_out = HeldOut(self.held_out.users[rows], self.held_out.histories.take(rows), self.held_out.targets[rows])
        keys = None if self.user_keys is None else [self.user_keys[row] for row in rows]
        return replace(self, held_out=held_out, user_keys=keys)


def shown_name(log: Interactions) -> str:
    """Return the name of the log in a bundle and a report: of a file its name, without the folders of this machine."""
    return PurePath(log.name).name


def log_settings(run: Run) -> dict[str, Any]:
    """Return how the log was filtered and split, as the manifest records it."""
    split_config = run.config.split or SplitConfig()
    return {"filters": msgspec.to_builtins(run.config.filters), "split": msgspec.to_builtins(split_config)}


def evaluation_set_of_run(run: Run, parts: Split) -> EvaluationSet:
    """Return what the bundle of a run is evaluated on: the test items of its split."""
    kind = (run.config.split or SplitConfig()).kind
    return EvaluationSet(shown_name(run.interactions), kind, parts.test, parts.train)


def evaluation_set_of_log(
    log: Interactions,
    bundle: Bundle,
    *,
    split_config: SplitConfig | None = None,
    name_users: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> EvaluationSet:
    """Return the test items of `log` (leave-one-out by default), translated by item key into the bundle's ids.

    Items that are not in the bundle are filtered out of the histories. Users whose held-out item is not in it are
    filtered out too. `say` is told both, and whether the bundle was trained on another split.

    Args:
        log: The interactions to evaluate on.
        bundle: The bundle to evaluate.
        split_config: How the log is split; None: leave-one-out.
        name_users: Keep the users' keys, for the list of those who lost most.
        say: Told what was filtered out.

    Raises:
        ExportError: The log and the bundle have no held-out item in common.
    """
    asked, trained = split_config or SplitConfig(), _split_of(bundle)
    if trained is not None and trained != asked:
        say(
            f"the model was trained with {_options(trained)}, this report evaluates with {_options(asked)}: "
            "it may have learned from the test items."
        )
    parts = split(log, asked).apply(log.histories)
    test = parts.test
    keys = {bundle.vocabulary.key(item_id): item_id for item_id in range(1, bundle.manifest.model.n_items + 1)}
    translation = np.array([0, *(keys.get(key, 0) for key in log.item_keys)], np.int32)
    targets = translation[test.targets]
    rows = np.flatnonzero(targets)
    if not rows.size:
        raise ExportError(
            f"{markdown.visible(log.name)}: none of its {len(targets)} held-out items is in the bundle's vocabulary "
            f"(its first key is {log.item_keys[0]!r:.40}, the bundle's is {bundle.vocabulary.key(1)!r:.40}). "
            "Give the log that the bundle was trained on, or check --item-column."
        )
    histories, unknown_items = _translated(test.histories.take(rows), translation)
    if unknown_items or rows.size < len(targets):
        say(
            f"{unknown_items} history items and {len(targets) - rows.size} held-out items of "
            f"{markdown.visible(log.name)} are not in the bundle's vocabulary and were filtered out."
        )
    users = test.users[rows]
    return EvaluationSet(
        data=shown_name(log),
        split=asked.kind,
        held_out=HeldOut(users=users, histories=histories, targets=targets[rows]),
        train=_translated(parts.train, translation)[0],
        user_keys=[log.user_keys[user] for user in users] if name_users else None,
    )


def _translated(histories: Histories, translation: NDArray[np.int32]) -> tuple[Histories, int]:
    """Return the histories in other ids, and how many items have no id there and were filtered out."""
    ids = translation[histories.item_ids]
    known = ids > 0
    lengths = np.bincount(histories.rows()[known], minlength=len(histories))
    return Histories.from_lengths(lengths, ids[known]), int(ids.size - known.sum())


def _split_of(bundle: Bundle) -> SplitConfig | None:
    """Return the split that log_settings recorded; None where the bundle does not say."""
    try:
        return msgspec.convert(bundle.manifest.model.hyper_parameters["data"]["split"], SplitConfig)
    except (KeyError, TypeError, msgspec.ValidationError):
        return None


def _options(config: SplitConfig) -> str:
    if config.kind != "temporal":
        return f"--split {config.kind}"
    return f"--split temporal --validation-share {config.validation_share:g} --test-share {config.test_share:g}"
