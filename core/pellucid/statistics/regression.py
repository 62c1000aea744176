"""How near predicted numbers are: pooled over folds, with weights of shape (..., sample)."""

from __future__ import annotations

import numpy as np

from pellucid.statistics.bootstrap import weighted_mean


def mean_absolute_error(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean absolute difference, in the units of the target."""
    return weighted_mean(np.abs(np.asarray(truth, np.float64) - predicted), weights)


def root_mean_squared_error(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Root of the mean squared difference, in the units of the target.

    Examples
    --------
    >>> float(root_mean_squared_error(np.array([0.0, 0.0]), np.array([1.0, 7.0]), np.ones(2)))
    5.0
    """
    return np.sqrt(weighted_mean((np.asarray(truth, np.float64) - predicted) ** 2, weights))


def explained_variance_share(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Coefficient of determination R2: 1 perfect, 0 the mean of the samples judged, negative below that.

    NaN where the truth does not vary.
    """
    # Centred first: the variance as a difference of squares would lose digits for numbers far from zero.
    truth = np.asarray(truth, np.float64)
    around, predicted = truth - truth.mean(), np.asarray(predicted, np.float64) - truth.mean()
    variance = weighted_mean(around**2, weights) - weighted_mean(around, weights) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 - weighted_mean((around - predicted) ** 2, weights) / variance
    return np.where(variance > 1e-12 * max(float((around**2).mean()), np.finfo(float).tiny), share, np.nan)
