"""A log whose catalogue also holds the items of a RUN that vanished from it."""

from dataclasses import replace

import numpy as np

from sasrec_train.log.interactions import Histories, Interactions

__all__ = ["keep_vanished"]


def keep_vanished(log: Interactions, earlier: Interactions) -> Interactions:
    """Return the log with the items that only an earlier log has, in the same order of keys: shorter ones first.

    Nobody has taken them here, so no history changes but for its ids. They keep their titles. Where the log has no
    titles, all items that the earlier log knows have those of it.

    Args:
        log: The log.
        earlier: The log of a RUN.
    """
    known = set(log.item_keys)
    vanished = [i for i, key in enumerate(earlier.item_keys) if key not in known]
    if not vanished:
        return log
    keys = sorted([*log.item_keys, *(earlier.item_keys[i] for i in vanished)], key=_order)
    place = {key: i for i, key in enumerate(keys, 1)}
    ids = np.array([0, *(place[key] for key in log.item_keys)], np.int32)
    histories = Histories(log.histories.offsets, ids[log.histories.item_ids])
    return replace(log, item_keys=keys, titles=_titles(keys, log, earlier), histories=histories)


def _order(key: str) -> tuple[int, str]:
    return len(key.encode()), key  # as the log's own keys are ordered


def _titles(keys: list[str], log: Interactions, earlier: Interactions) -> list[str] | None:
    if log.titles is None and earlier.titles is None:
        return None
    titles = dict(zip(earlier.item_keys, earlier.titles or (), strict=False))
    if log.titles is not None:
        titles |= dict(zip(log.item_keys, log.titles, strict=True))
    return [titles.get(key, "") for key in keys]
