"""Ridge regression with PRESS, compared with what it abbreviates."""

import numpy as np

from sasrec_train.new_items import ridge
from sasrec_train.new_items.feature_matrix import FeatureMatrix


def sparse(dense: np.ndarray) -> FeatureMatrix:
    rows, columns = np.nonzero(dense)
    return FeatureMatrix(rows, columns, dense[rows, columns], dense.shape)


def problem(noise: float):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 12)) * (rng.random((40, 12)) < 0.5)
    targets = features @ rng.normal(size=(12, 3)) + noise * rng.normal(size=(40, 3)) + 2
    return features, targets, rng.uniform(0.5, 2, 40)


def solved(features, targets, weights, penalty):
    """The textbook's weighted ridge regression with a free intercept."""
    weights = weights / weights.sum()
    mean, intercept = weights @ features, weights @ targets
    centred = (features - mean) * weights[:, None]
    left = centred.T @ (features - mean) + penalty * np.eye(features.shape[1])
    return mean, np.linalg.solve(left, centred.T @ (targets - intercept)), intercept


def test_it_is_the_ridge_regression_of_the_textbook() -> None:
    features, targets, weights = problem(0.3)
    found = ridge.fit(sparse(features), np.arange(40), targets, weights, judged=3)
    fits = [solved(features, targets, weights, penalty)[1] for penalty in _penalties(features, weights)]
    assert min(np.abs(fit - found.coefficients).max() for fit in fits) < 1e-8


def _penalties(features, weights):
    weights = weights / weights.sum()
    centred = (features - weights @ features) * np.sqrt(weights)[:, None]
    return ridge.PENALTIES * np.linalg.eigvalsh(centred.T @ centred)[-1]


def test_the_errors_are_those_of_fits_without_each_row() -> None:
    features, targets, _ = problem(0.3)
    weights = np.ones(40)
    found = ridge.fit(sparse(features), np.arange(40), targets, weights, judged=3)
    penalties = _penalties(features, weights)
    full = [solved(features, targets, weights, penalty)[1] for penalty in penalties]
    penalty = penalties[int(np.argmin([np.abs(fit - found.coefficients).max() for fit in full]))]
    for row in (0, 7, 39):
        rest = np.delete(np.arange(40), row)
        # The penalty counts against the sum of the weights, which is smaller without the row.
        mean, fit, intercept = solved(features[rest], targets[rest], weights[rest], penalty * 40 / 39)
        np.testing.assert_allclose(
            targets[row] - (features[row] - mean) @ fit - intercept, found.residuals[row], rtol=1e-6, atol=1e-9
        )


def test_features_that_say_all_explain_all_and_noise_explains_nothing() -> None:
    features, targets, weights = problem(0.0)
    assert ridge.fit(sparse(features), np.arange(40), targets, weights, judged=3).explained > 0.999
    noise = np.random.default_rng(1).normal(size=targets.shape)
    assert ridge.fit(sparse(features), np.arange(40), noise, weights, judged=3).explained < 0.1


def test_predictions_do_not_depend_on_the_chunk_they_are_made_in(monkeypatch) -> None:
    features, targets, weights = problem(0.3)
    matrix = sparse(features)
    one = ridge.fit(matrix, np.arange(40), targets, weights, judged=3).predict(matrix, np.arange(40))
    monkeypatch.setattr("sasrec_train.new_items.feature_matrix.CHUNK_ROWS", 7)
    other = ridge.fit(matrix, np.arange(40), targets, weights, judged=3).predict(matrix, np.arange(40))
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
