"""What features say of items: of their rows in the table, and of the mean states of their users."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.errors import DataError
from sasrec_train.new_items import feature_matrix, ridge
from sasrec_train.new_items.feature_matrix import FeatureMatrix
from sasrec_train.new_items.feature_table import FeatureTable
from sasrec_train.new_items.ridge import Ridge

__all__ = ["ItemPrior", "fit"]


@dataclass(frozen=True, slots=True)
class ItemPrior:
    """A regression from features to rows and mean states, fitted on trained items."""

    features: FeatureMatrix
    """Of every row of the file."""
    places: NDArray[np.int64]
    """(V,). Row of the file of each item id; -1 where it has none."""
    fitted: NDArray[np.int64]
    """(K,). Ids of the items that were fitted."""
    regression: Ridge
    """From features to rows (D), then states (D)."""

    @property
    def explained(self) -> float:
        """Share of the variance of trained rows that features explain, each item predicted from the others."""
        return self.regression.explained

    def errors(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the leave-one-out errors of rows and of states of the fitted items, (K, D) each."""
        rows, states = np.hsplit(self.regression.residuals, 2)
        return rows, states

    def has(self, item_ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which items the file has."""
        return self.places[item_ids] >= 0

    def predict(self, item_ids: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the rows and mean states of items that the file has, (I, D) each."""
        rows, states = np.hsplit(self.regression.predict(self.features, self.places[item_ids]), 2)
        return rows, states


def fit(
    table: FeatureTable,
    item_keys: list[str],
    fitted: NDArray[np.int64],
    rows: NDArray[np.float64],
    states: NDArray[np.float64],
) -> ItemPrior:
    """Return what features say, as trained items teach it.

    Args:
        table: The features.
        item_keys: The catalogue, new items included.
        fitted: (K,). Ids of trained items that have enough interactions.
        rows: (V, D). What to predict of rows of the table, by item id, of the fitted ones at least.
        states: (V, D). What to predict of mean states, likewise.

    Raises:
        DataError: The file has too few of these items.
    """
    row_of = {key: row for row, key in enumerate(table.keys)}
    places = np.array([-1, *(row_of.get(key, -1) for key in item_keys)], np.int64)
    fitted = fitted[places[fitted] >= 0]
    if fitted.size < 2:
        raise DataError(
            f"{table.path} has features of {fitted.size} trained items with enough interactions, expected at least 2. "
            "Give features of the items that the RUN has, too."
        )
    features = feature_matrix.matrix(table, places[fitted])
    targets = np.hstack([rows[fitted], states[fitted]])
    regression = ridge.fit(features, places[fitted], targets, np.ones(fitted.size), judged=rows.shape[1])
    return ItemPrior(features, places, fitted, regression)
