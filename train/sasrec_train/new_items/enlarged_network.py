"""A network with more rows in its item table, and all other weights as they are."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sasrec_train.network.model import SASRec

__all__ = ["enlarged"]


def enlarged(model: SASRec, rows: NDArray[np.float32]) -> SASRec:
    """Return a network like `model` with rows appended to its item table, (I, D).

    Law: every weight that both have is equal, bit for bit.
    """
    config = msgspec.structs.replace(model.config, n_items=model.config.n_items + len(rows))
    larger = SASRec(config, name=model.name)
    for old, new in zip(model.weights, larger.weights, strict=True):
        values: Any = np.asarray(old)
        new.assign(np.concatenate([values, rows]) if new is larger.item_embedding.embeddings else values)
    return larger
