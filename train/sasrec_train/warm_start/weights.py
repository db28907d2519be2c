"""The weights and moments of a RUN in the ids and positions of another training."""

from typing import Any

import keras  # noqa: TID251 - a network is built here
import numpy as np
from numpy.typing import NDArray

from sasrec_train.config import ModelConfig
from sasrec_train.log.interactions import Histories
from sasrec_train.network.model import SASRec
from sasrec_train.training.start import Moments, Start
from sasrec_train.warm_start import new_items, positions
from sasrec_train.warm_start.matching import ItemMatch

__all__ = ["begin"]


def begin(
    network: SASRec,
    moments: Moments | None,
    match: ItemMatch,
    train: Histories,
    config: ModelConfig,
    *,
    stay_near: float = 0.0,
    seed: int = 0,
) -> tuple[Start, int]:
    """Return what a training begins with, and how many new items were placed.

    New items begin as new_items.place says. Their moments are 0, as those of a row that no step has read.

    Args:
        network: The network of the RUN, in its ids.
        moments: Its state of Adam; None where the RUN has none.
        match: The items of log and RUN.
        train: What may be learned from, in the ids of the log.
        config: The network to train; of the same architecture.
        stay_near: See Start.
        seed: Of the rows of new items that nobody took.
    """
    keras.utils.set_random_seed(seed)
    fresh = SASRec(config)  # what is new begins as the initialiser does
    weights = _mapped(network, _values(network), match, config)
    table = _index(network, network.item_embedding.embeddings)
    initial = fresh.trainable_variables[table].numpy()
    weights[table][match.new_ids] = initial[match.new_ids]
    placed = new_items.place(weights[table], train, match, network)
    if moments is not None:
        moments = Moments(
            moments.step,
            *(_mapped(network, each, match, config, older=0.0) for each in (moments.first, moments.second)),
        )
    near = np.asarray(network.item_table, np.float32) if stay_near else None
    start = Start(
        weights,
        moments,
        near=None if near is None else match.rows(near),
        is_near=match.old_ids > 0,
        stay_near=stay_near,
    )
    return start, placed


def _values(network: SASRec) -> list[NDArray[np.float32]]:
    return [weight.numpy() for weight in network.trainable_variables]


def _index(network: SASRec, wanted: Any) -> int:
    return next(i for i, weight in enumerate(network.trainable_variables) if weight is wanted)


def _mapped(
    network: SASRec,
    values: list[NDArray[np.float32]],
    match: ItemMatch,
    config: ModelConfig,
    *,
    older: float | None = None,
) -> list[NDArray[np.float32]]:
    """Return arrays of the weights' shapes with rows of items and of positions in those of the new network."""
    mapped = list(values)
    table = _index(network, network.item_embedding.embeddings)
    mapped[table] = match.rows(values[table])
    if config.positions == "learned":
        place = _index(network, network.position_embedding.embeddings)
        old = values[place]
        first = None if older is None else np.full(old.shape[1], older, np.float32)
        mapped[place] = positions.mapped(old, config.max_len, older=first)
    return mapped
