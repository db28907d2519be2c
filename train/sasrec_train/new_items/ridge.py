"""Weighted ridge regression with an intercept; its penalty is chosen by leave-one-out errors in closed form (PRESS)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sasrec_train.new_items.feature_matrix import FeatureMatrix

__all__ = ["Ridge", "fit"]

PENALTIES = np.logspace(-6, 1, 29)  # Relative to the largest eigenvalue of the features' second moment.
MAX_LEVERAGE = 0.999  # A row that alone decides its own fit says nothing about others.


@dataclass(frozen=True, slots=True)
class Ridge:
    """A linear map from features to M numbers."""

    mean: NDArray[np.float64]
    """(F,). What is taken off the features."""
    coefficients: NDArray[np.float64]
    """(F, M)."""
    intercept: NDArray[np.float64]
    """(M,). What a row of mean features has."""
    residuals: NDArray[np.float64]
    """(R, M). Errors of the fitted rows, each predicted from all other rows."""
    explained: float
    """Share of the variance of the targets that those predictions explain; 0 or less: the features tell nothing."""

    def predict(self, features: FeatureMatrix, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the predictions for some rows, (rows, M)."""
        result = np.empty((rows.size, self.intercept.size))
        for part, chunk in features.dense(rows):
            result[part] = (chunk - self.mean) @ self.coefficients + self.intercept
        return result


def fit(
    features: FeatureMatrix,
    rows: NDArray[np.int64],
    targets: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    judged: int,
) -> Ridge:
    """Return the regression of targets on features.

    Args:
        features: (·, F).
        rows: (R,). Rows of the features to fit.
        targets: (R, M).
        weights: (R,), above 0.
        judged: The penalty is chosen by the errors of the first so many targets.

    Source: Golub, Heath & Wahba 1979; a row's leave-one-out error is its residual over 1 - its leverage.
    """
    weights = weights / weights.sum()
    roots = np.sqrt(weights)[:, None]
    mean = np.zeros(features.shape[1])
    for part, chunk in features.dense(rows):
        mean += weights[part] @ chunk
    intercept = weights @ targets
    centred = (targets - intercept) * roots
    moment, cross = np.zeros((mean.size, mean.size)), np.zeros((mean.size, targets.shape[1]))
    for part, chunk in features.dense(rows):
        scaled = (chunk - mean) * roots[part]
        moment += scaled.T @ scaled
        cross += scaled.T @ centred[part]
    eigenvalues, basis = np.linalg.eigh(moment)
    eigenvalues = np.maximum(eigenvalues, 0)
    cross = basis.T @ cross
    penalties = PENALTIES * max(float(eigenvalues[-1]), np.finfo(float).tiny)
    errors = np.zeros(penalties.size)
    for part, chunk in features.dense(rows):
        scaled = (chunk - mean) * roots[part] @ basis
        for number, penalty in enumerate(penalties):
            left = _left_out(scaled, centred[part][:, :judged], cross[:, :judged], eigenvalues + penalty, weights[part])
            errors[number] += np.square(left).sum()
    best = eigenvalues + penalties[int(np.argmin(errors))]
    residuals = np.empty_like(targets)
    for part, chunk in features.dense(rows):
        scaled = (chunk - mean) * roots[part] @ basis
        residuals[part] = _left_out(scaled, centred[part], cross, best, weights[part]) / roots[part]
    total = np.square(centred[:, :judged]).sum()
    explained = 1 - float(errors.min() / total) if total else 0.0
    return Ridge(mean, basis @ (cross / best[:, None]), intercept, residuals, explained)


def _left_out(
    scaled: NDArray[np.float64],
    targets: NDArray[np.float64],
    cross: NDArray[np.float64],
    damped: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the leave-one-out errors of weighted rows, times the roots of their weights."""
    leverage = np.minimum((np.square(scaled) / damped).sum(axis=1) + weights, MAX_LEVERAGE)
    left_out: NDArray[np.float64] = (targets - scaled @ (cross / damped[:, None])) / (1 - leverage)[:, None]
    return left_out
