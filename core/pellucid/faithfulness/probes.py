"""Probes: simple models that ask what some numbers tell of a yes or no, each sample answered by one that has not seen it."""

from __future__ import annotations

import numpy as np

from pellucid.data.splits import subject_folds

PENALTY = 1.0
"""Weight of half the squared coefficients beside the summed loss, features in standard deviations."""

STEPS = 30
"""Newton steps at most; some eight are enough for features that do not separate the classes."""


def dealt(sets: np.ndarray, strata: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Fold of each sample, whole sets (subjects) in one, as many folds as there are sets if these are fewer."""
    _, coded = np.unique(np.asarray(sets).astype(str), return_inverse=True)
    parts = min(folds, int(coded.max()) + 1)
    return subject_folds(coded, strata, parts, seed) if parts > 1 else np.zeros(len(coded), np.int64)


def log_odds(features: np.ndarray, yes: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Log odds of a yes by penalised logistic regression, each fold by a probe fitted on the others.

    Parameters
    ----------
    features : ndarray, shape (..., sample, feature)
        Several sets of features are probed at once.
    yes : ndarray of 0 and 1, shape (sample,)
    fold_of : ndarray of int, shape (sample,)

    Returns
    -------
    ndarray, shape (..., sample)
        Where the other folds are all of one class, or there is no other fold, the log odds of their rate (half a sample
        added to each side), the features unread.
    """
    found = np.empty(features.shape[:-1])
    for fold in np.unique(fold_of):
        test, train = fold_of == fold, fold_of != fold
        if len(np.unique(yes[train])) < 2:
            rate = (yes[train].sum() + 0.5) / (train.sum() + 1)
            found[..., test] = np.log(rate / (1 - rate))
            continue
        mean, scale = _scaled(features[..., train, :])
        x = np.concatenate([np.ones((*features.shape[:-1], 1)), (features - mean) / scale], axis=-1)
        weights = _fitted(x[..., train, :], yes[train].astype(np.float64))
        found[..., test] = (x[..., test, :] @ weights[..., None])[..., 0]
    return found


def numbers(features: np.ndarray, values: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Numbers by penalised linear regression (:data:`PENALTY`), each fold by a probe fitted on the others.

    Parameters
    ----------
    features : ndarray, shape (sample, feature)
    values : ndarray, shape (sample, value)
    fold_of : ndarray of int, shape (sample,)
    """
    found = np.zeros(values.shape)
    for fold in np.unique(fold_of):
        test, train = fold_of == fold, fold_of != fold
        if not train.any():
            continue
        mean, scale = _scaled(features[train])
        x, middle = (features - mean) / scale, values[train].mean(0)
        slope = np.linalg.solve(
            x[train].T @ x[train] + PENALTY * np.eye(x.shape[1]), x[train].T @ (values[train] - middle)
        )
        found[test] = middle + x[test] @ slope
    return found


def bits(odds: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """What an answer costs under stated log odds: minus the binary logarithm of the probability of what is true."""
    return np.logaddexp(0, np.where(yes > 0, -odds, odds)) / np.log(2)


def _scaled(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, scale = features.mean(-2, keepdims=True), features.std(-2, keepdims=True)
    # What does not vary but for rounding is no feature: in its own deviations it would be noise as large as any.
    nothing = scale <= 1e-9 * np.maximum(np.abs(mean), 1e-3)
    return mean, np.where(nothing, np.inf, scale)


def _fitted(x: np.ndarray, yes: np.ndarray) -> np.ndarray:
    """Weights of shape (..., feature); the first feature is the constant and bears no penalty."""
    penalty = np.full(x.shape[-1], PENALTY)
    penalty[0] = 1e-9
    weights = np.zeros((*x.shape[:-2], x.shape[-1]))
    turned = np.swapaxes(x, -1, -2)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip((x @ weights[..., None])[..., 0], -30, 30)))
        slope = (turned @ (chance - yes)[..., None])[..., 0] + penalty * weights
        bend = (turned * (chance * (1 - chance))[..., None, :]) @ x + np.eye(x.shape[-1]) * penalty
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        # A long step of Newton's may overshoot where the probe is sure of itself already.
        weights = weights - step * np.minimum(1.0, 4.0 / np.maximum(np.abs(step).max(-1, keepdims=True), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return weights
