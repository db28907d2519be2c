"""Splits: the items a model learns from, and one held-out item per user. Leave-one-out, or by time."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_train.errors import ConfigError, DataError
from sasrec_train.log.interactions import Histories, Interactions, Times

__all__ = [
    "MIN_INTERACTIONS",
    "NOBODY",
    "HeldOut",
    "Split",
    "SplitConfig",
    "SplitPoints",
    "boundaries",
    "leave_one_out",
    "split",
]

MIN_INTERACTIONS = 3  # One to learn from, one for validation, one for the test.
NOBODY = -1

Share = Annotated[float, msgspec.Meta(gt=0, lt=1)]


class SplitConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a log is split."""

    kind: Literal["leave-one-out", "temporal"] = "leave-one-out"
    """`leave-one-out`: the two newest items of each user are held out. `temporal`: the first ones after two times."""
    validation_share: Share = 0.1
    """Share of all interactions between the two points in time; of `temporal` only."""
    test_share: Share = 0.1
    """Share of all interactions after the second; of `temporal` only."""

    def __post_init__(self) -> None:
        for option, share in (("--validation-share", self.validation_share), ("--test-share", self.test_share)):
            if not 0 < share < 1:
                raise ConfigError(f"{option} is {share:g}, expected a share between 0 and 1, such as 0.1.")
        if self.validation_share + self.test_share >= 1:
            raise ConfigError(
                f"--validation-share {self.validation_share:g} and --test-share {self.test_share:g} leave nothing to "
                "learn from. Choose them to add up to less than 1."
            )


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Users with one item each held back."""

    users: NDArray[np.int64]
    """(H,). Rows in the Interactions."""
    histories: Histories
    """What came before the held-out item, one history per entry of `users`."""
    targets: NDArray[np.int32]
    """(H,). The held-out item ids."""

    def sample(self, most: int, seed: int) -> "HeldOut":
        """Return at most that many of the users, drawn from the seed, in their order."""
        if self.users.size <= most:
            return self
        chosen = np.sort(np.random.default_rng(seed).choice(self.users.size, most, replace=False))
        return HeldOut(self.users[chosen], self.histories.take(chosen), self.targets[chosen])


@dataclass(frozen=True, slots=True)
class Split:
    """The three parts of a log."""

    train: Histories
    """One history per user of the log, in its order, without the held-out items."""
    validation: HeldOut
    """An item of every user who is asked for one, given all earlier ones."""
    test: HeldOut
    """A newer one; histories include the validation item."""


@dataclass(frozen=True, slots=True)
class SplitPoints:
    """A split as positions in the histories: what a RUN remembers."""

    train_ends: NDArray[np.int64]
    """(U,). The first so many items of each history are trained on."""
    validation: NDArray[np.int64]
    """(U,). Position of the validation item in each history; NOBODY (-1) where the user is not asked."""
    test: NDArray[np.int64]
    """(U,). The same of the test item."""

    def apply(self, histories: Histories) -> Split:
        """Return the three parts of the histories these points were made for."""
        everyone = np.arange(len(histories))
        return Split(
            train=histories.take(everyone, without_last=histories.lengths - self.train_ends),
            validation=_held_out(histories, self.validation),
            test=_held_out(histories, self.test),
        )


def _held_out(histories: Histories, positions: NDArray[np.int64]) -> HeldOut:
    users = np.flatnonzero(positions != NOBODY)
    before = positions[users]
    targets = histories.item_ids[histories.offsets[:-1][users] + before]
    return HeldOut(users, histories.take(users, without_last=histories.lengths[users] - before), targets)


def split(interactions: Interactions, config: SplitConfig | None = None) -> SplitPoints:
    """Return where a log is split; SplitPoints.apply makes the parts.

    Raises:
        DataError: Nobody can be asked for an item, there is a single item, or a log without times is to be split by
            time.
    """
    config = config or SplitConfig()
    if interactions.n_items < 2:
        raise DataError(
            f"{interactions.name} has {interactions.n_items} item, expected at least 2: "
            "there is nothing to rank. Check the item column."
        )
    return _temporal(interactions, config) if config.kind == "temporal" else _leave_one_out(interactions)


def leave_one_out(interactions: Interactions) -> Split:
    """Hold back the last item of each user for the test, and the one before for validation.

    Users with fewer than three interactions are trained on only.

    Raises:
        DataError: No user has three interactions, or there is a single item.
    """
    return split(interactions).apply(interactions.histories)


def _leave_one_out(interactions: Interactions) -> SplitPoints:
    lengths = interactions.histories.lengths
    asked = lengths >= MIN_INTERACTIONS
    if not asked.any():
        raise DataError(
            f"{interactions.name}: the longest history has {lengths.max(initial=0)} interactions, "
            f"expected a user with at least {MIN_INTERACTIONS}: training, validation and test need one each. "
            "Give a longer log, or check the user column."
        )
    return SplitPoints(
        train_ends=np.where(asked, lengths - 2, lengths),
        validation=np.where(asked, lengths - 2, NOBODY),
        test=np.where(asked, lengths - 1, NOBODY),
    )


def _temporal(interactions: Interactions, config: SplitConfig) -> SplitPoints:
    """Split everybody at the same two points in time."""
    if interactions.times is None:
        raise DataError(
            f"{interactions.name} has no times, which --split temporal needs. Give a log with a time column "
            "(--time-column), or leave the option out."
        )
    first, second = boundaries(interactions.times, config)
    histories = interactions.histories
    train_ends, seen_ends = (_count_before(histories, interactions.times, boundary) for boundary in (first, second))
    points = SplitPoints(
        train_ends=train_ends,
        validation=np.where((train_ends > 0) & (train_ends < seen_ends), train_ends, NOBODY),
        test=np.where((seen_ends > 0) & (seen_ends < histories.lengths), seen_ends, NOBODY),
    )
    for name, positions in (("validation", points.validation), ("test", points.test)):
        if (positions == NOBODY).all():
            raise DataError(
                f"{interactions.name}: nobody has an interaction in the {name} span with an earlier one before it "
                f"(validation from time {first}, test from {second}). Choose other shares, or --split leave-one-out."
            )
    return points


def boundaries(times: Times, config: SplitConfig) -> tuple[int | float, int | float]:
    """Return the two points in time: validation begins at the first, the test at the second.

    Both are times of interactions, so that those at one moment are on one side.
    """
    held_out = (config.validation_share + config.test_share, config.test_share)
    indices = [min(round(times.size * (1 - share)), times.size - 1) for share in held_out]
    first, second = np.partition(times, indices)[indices].tolist()
    return first, second


def _count_before(histories: Histories, times: Times, boundary: float) -> NDArray[np.int64]:
    """Return how many interactions of each history are before a point in time, (U,)."""
    before = np.concatenate([[0], np.cumsum(times < boundary)])
    counts: NDArray[np.int64] = np.diff(before[histories.offsets])
    return counts
