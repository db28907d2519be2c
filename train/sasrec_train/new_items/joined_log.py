"""The log of a RUN and a new one as one: old ids stay, new items and new users come after them."""

from dataclasses import dataclass, replace
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from sasrec_train.log.interactions import Histories, Interactions
from sasrec_train.split import NOBODY, SplitPoints

__all__ = ["Joined", "join"]


@dataclass(frozen=True, slots=True)
class Joined:
    """A log with new items, and where it is split."""

    interactions: Interactions
    """The joined log. Ids up to n_known are those of the RUN."""
    points: SplitPoints
    """The split of the RUN: the same held-out items of the same users, and the same training part. New rows are in no
    part, but for items that the new log puts between trained ones."""
    n_known: int
    """Items that the RUN has."""
    continued_users: int
    """Users of the RUN who have rows in the new log."""
    new_users: int
    """Users whom the RUN does not have."""


def join(known: Interactions, points: SplitPoints, new: Interactions | None, *, more_items: list[str]) -> Joined:
    """Return one log of two.

    A user's new rows come after the old ones. Where they hold the old ones in their order, the new log repeats the old
    one, and takes its place.

    Args:
        known: The log of a RUN.
        points: Its split.
        new: A newer log, or one that holds the older one too; None where there are only items to add.
        more_items: Keys of items that may occur in neither, in the order of their ids.
    """
    n_known = known.n_items
    if new is None:
        new = replace(known, user_keys=[], item_keys=[], titles=None, histories=Histories.from_lists([]))
    ids = {key: number for number, key in enumerate(known.item_keys, 1)}
    keys = [*known.item_keys, *(key for key in _in_order([*new.item_keys, *more_items]) if key not in ids)]
    ids.update({key: number for number, key in enumerate(keys[n_known:], n_known + 1)})
    translated = np.array([ids[key] for key in new.item_keys], np.int32)[new.histories.item_ids - 1]
    rows = {key: row for row, key in enumerate(known.user_keys)}
    theirs = [rows.get(key, -1) for key in new.user_keys]

    histories: list[NDArray[np.int32]] = list(known.histories)
    ends, validation, test = (np.array(each) for each in (points.train_ends, points.validation, points.test))
    for number, row in enumerate(theirs):
        rest = translated[new.histories.offsets[number] : new.histories.offsets[number + 1]]
        if row < 0:
            histories.append(rest)
            continue
        old = histories[row]
        places = _embedding(old, rest)
        if places is None:
            histories[row] = np.concatenate([old, rest])
        else:
            histories[row] = rest
            for positions in (validation, test):
                if positions[row] != NOBODY:
                    positions[row] = places[positions[row]]
            if ends[row]:
                ends[row] = places[ends[row] - 1] + 1
    new_users = len(histories) - len(known.user_keys)
    nobody = np.full(new_users, NOBODY)
    return Joined(
        interactions=replace(
            known,
            name=known.name if not new.user_keys else f"{known.name} + {PurePath(new.name).name}",
            user_keys=[*known.user_keys, *(key for key, row in zip(new.user_keys, theirs, strict=True) if row < 0)],
            item_keys=keys,
            titles=_titles(known, new, keys),
            histories=Histories.from_lists(histories),
            times=None,
        ),
        points=SplitPoints(
            train_ends=np.concatenate([ends, np.zeros(new_users, np.int64)]),
            validation=np.concatenate([validation, nobody]),
            test=np.concatenate([test, nobody]),
        ),
        n_known=n_known,
        continued_users=sum(row >= 0 for row in theirs),
        new_users=new_users,
    )


def _in_order(keys: list[str]) -> list[str]:
    """Return the different keys, shorter ones first, as a log's keys are ordered."""
    return sorted(set(keys), key=lambda key: (len(key.encode()), key))


def _embedding(old: NDArray[np.int32], new: NDArray[np.int32]) -> list[int] | None:
    """Return a place of each old item in the new history, in the same order; None where it does not hold them all."""
    if new.size < old.size:
        return None
    places, place = [], 0
    items = new.tolist()
    for item in old.tolist():
        try:
            place = items.index(item, place)
        except ValueError:
            return None
        places.append(place)
        place += 1
    return places


def _titles(known: Interactions, new: Interactions, keys: list[str]) -> list[str] | None:
    """Return the titles of the RUN, then those that the new log gives to new items; "" where there is none."""
    if known.titles is None and new.titles is None:
        return None
    given = dict(zip(new.item_keys, new.titles, strict=True)) if new.titles else {}
    old = known.titles or [""] * known.n_items
    return [*old, *(given.get(key, "") for key in keys[known.n_items :])]
