"""A synthetic log of any size: popular items, and transitions between items that a sequence model can learn."""

import difflib
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_train import memory
from sasrec_train.errors import DataError
from sasrec_train.log.interactions import Histories, Interactions

__all__ = ["SyntheticConfig", "generate", "parse"]

SUCCESSOR_SHARES = (0.5, 0.25, 0.125)  # How often an item is followed by its first, second, third successor.
ZIPF_EXPONENT = 1.0
# At the peak, while repeated items are dropped. Measured: 0.56 GB for 10 million draws of 200,000 users, 0.97 GB for
# 11 million of 3 million users.
BYTES_PER_DRAW, BYTES_PER_USER, BYTES_PER_ITEM = 55, 110, 40
LENGTH_SIGMA = 0.7  # Of the log-normal history lengths: a few long histories, many short ones.


class SyntheticConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `--data synthetic:…` may say."""

    items: Annotated[int, msgspec.Meta(ge=2, le=2**31 - 2)] = 1000
    """Items that can be drawn. Those never drawn are not in the log."""
    users: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = 2000
    """Number of users."""
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    """Seed of everything drawn."""
    mean_length: Annotated[float, msgspec.Meta(ge=3, le=10**6)] = 20.0
    """Mean draws per user; a user's repeated draws of an item are then dropped, so histories are a little shorter."""


def parse(text: str) -> SyntheticConfig:
    """Return the configuration written as `items=1000,users=2000`, or as nothing.

    Raises:
        DataError: A name is unknown or a value is out of its range.
    """
    fields: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        name = name.strip()
        if name not in SyntheticConfig.__struct_fields__ or not equals:
            close = difflib.get_close_matches(name, SyntheticConfig.__struct_fields__, 1)
            hint = f" Did you mean {close[0]}=…?" if close else ""
            names = ", ".join(SyntheticConfig.__struct_fields__)
            raise DataError(f"--data synthetic: {part!r} is not understood, expected NAME=VALUE with {names}.{hint}")
        fields[name] = value.strip()
    try:
        return msgspec.convert(fields, SyntheticConfig, strict=False)
    except msgspec.ValidationError as error:
        raise DataError(
            f"--data synthetic:{text}: {error}. Write for example synthetic:items=1000,users=2000."
        ) from error


def generate(config: SyntheticConfig) -> Interactions:
    """Return the log of a configuration: the same for the same configuration.

    Each item has three successors. A user moves to a successor of the current item (SUCCESSOR_SHARES), else to an
    item drawn by popularity (Zipf). All users take a step at once; nobody has an item twice.

    Raises:
        DataError: The log would not fit in memory.
    """
    _refuse_too_large(config)
    rng = np.random.default_rng(config.seed)
    sigma = LENGTH_SIGMA
    lengths = rng.lognormal(np.log(config.mean_length) - sigma**2 / 2, sigma, config.users).round().astype(np.int64)
    lengths = np.sort(np.clip(lengths, 3, None))[::-1]  # the longest first: those still active are a prefix
    popularity = np.cumsum(rng.permutation(1 / np.arange(1, config.items + 1) ** ZIPF_EXPONENT))
    popularity /= popularity[-1]
    successors = rng.integers(1, config.items + 1, (config.items + 1, len(SUCCESSOR_SHARES)), np.int32)
    drawn = _walk(rng, lengths, popularity, successors)
    return _without_repeats(drawn, config)


def _refuse_too_large(config: SyntheticConfig) -> None:
    per_user = BYTES_PER_DRAW * config.mean_length + BYTES_PER_USER
    needed, limit = config.users * per_user + config.items * BYTES_PER_ITEM, memory.limit_bytes()
    if needed > limit:
        raise DataError(
            f"--data synthetic: users={config.users}, items={config.items}, mean_length={config.mean_length:g} need "
            f"about {memory.readable(needed)} of memory, and there are {memory.readable(limit)}. Choose smaller ones."
        )


def _walk(
    rng: np.random.Generator,
    lengths: NDArray[np.int64],
    popularity: NDArray[np.float64],
    successors: NDArray[np.int32],
) -> Histories:
    histories = Histories.from_lengths(lengths, np.empty(int(lengths.sum()), np.int32))
    thresholds = np.cumsum(SUCCESSOR_SHARES)
    current = np.zeros(lengths.size, np.int32)
    for step in range(int(lengths[0])):
        active = int(np.searchsorted(-lengths, -step, side="left"))
        choice = np.searchsorted(thresholds, rng.random(active), side="right")
        if step == 0:
            choice[:] = len(SUCCESSOR_SHARES)
        free = choice == len(SUCCESSOR_SHARES)
        after = successors[current[:active], np.where(free, 0, choice)]
        after[free] = np.minimum(np.searchsorted(popularity, rng.random(int(free.sum()))), popularity.size - 1) + 1
        current = after
        histories.item_ids[histories.offsets[:active] + step] = after
    return histories


def _without_repeats(drawn: Histories, config: SyntheticConfig) -> Interactions:
    """Keep the first time a user had an item; number the items that are left; shuffle the users."""
    pairs = drawn.rows() * (config.items + 1) + drawn.item_ids
    order = np.argsort(pairs, kind="stable")
    first = np.ones(pairs.size, bool)
    first[order[1:]] = pairs[order[1:]] != pairs[order[:-1]]
    lengths = np.add.reduceat(first, drawn.offsets[:-1], dtype=np.int64)
    present, item_ids = np.unique(drawn.item_ids[first], return_inverse=True)
    histories = Histories.from_lengths(lengths, (item_ids + 1).astype(np.int32))
    shuffled = np.random.default_rng([config.seed, 1]).permutation(len(histories))
    return Interactions(
        name=f"synthetic:items={config.items},users={config.users},seed={config.seed},mean_length={config.mean_length:g}",
        user_keys=[str(user) for user in range(1, config.users + 1)],
        item_keys=present.astype(str).tolist(),
        titles=None,
        histories=histories.take(shuffled),
    )
