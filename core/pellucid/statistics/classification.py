"""How good decisions are: accuracy, sensitivity, specificity, agreement of ordered classes, choice of a threshold.

Decisions can be compared whatever model made them, so these are pooled over the folds of cross-validation. Weights have
shape (..., sample) and results (...,); a result is NaN where nothing that it is about has weight.
"""

from __future__ import annotations

import numpy as np

from pellucid.errors import DataError
from pellucid.statistics.bootstrap import weighted_mean


def accuracy(labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of samples whose decision is their label.

    Parameters
    ----------
    labels, decisions : ndarray, shape (sample,)
        Classes; for yes and no, 1 and 0.
    weights : ndarray, shape (..., sample)
    """
    return weighted_mean(labels == decisions, weights)


def sensitivity(labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the yes samples that are called yes."""
    return weighted_mean(decisions > 0, weights * (labels > 0))


def specificity(labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the no samples that are called no."""
    return weighted_mean(decisions <= 0, weights * (labels <= 0))


def quadratic_kappa(labels: np.ndarray, decisions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Agreement of ordered classes beyond chance, disagreement counted by its square: 1 perfect, 0 chance.

    The disagreement expected of two independent raters needs no table: it is the sum of both variances and of
    the squared difference of both means.

    References
    ----------
    Cohen (1968), doi:10.1037/h0026256.
    """
    labels, decisions = np.asarray(labels, np.float64), np.asarray(decisions, np.float64)
    one, other = weighted_mean(labels, weights), weighted_mean(decisions, weights)
    spread = weighted_mean(labels**2, weights) - one**2 + weighted_mean(decisions**2, weights) - other**2
    expected = spread + (one - other) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        agreement = 1 - weighted_mean((labels - decisions) ** 2, weights) / expected
    return np.where(expected > 1e-12, agreement, np.nan)


def choose_threshold(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """The threshold that maximises Youden's J (sensitivity + specificity - 1), which is also balanced accuracy.

    A probability at or above the threshold is a yes. Thresholds are tried half-way between neighbouring distinct
    probabilities; of several equally good ones, that nearest to one half is taken.

    Parameters
    ----------
    labels : ndarray, shape (sample,)
        0 and 1, of validation subjects: a threshold is learnt like any other part.
    probabilities : ndarray, shape (sample,)

    Returns
    -------
    float
        0.5 where no threshold does better than a coin.

    Raises
    ------
    DataError
        If there is only one class, or a probability is not a number.

    References
    ----------
    Youden (1950), doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.

    Examples
    --------
    >>> choose_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.4, 0.9])).__round__(3)
    0.3
    """
    labels, probabilities = np.asarray(labels) > 0, np.asarray(probabilities, np.float64)
    if not np.isfinite(probabilities).all():
        raise DataError(
            f"{int((~np.isfinite(probabilities)).sum())} probabilities are not numbers; a threshold needs all"
        )
    if labels.all() or not labels.any():
        raise DataError(
            f"a threshold needs samples of both classes, but all {len(labels)} are of one: validate on more"
        )
    distinct = np.unique(probabilities)
    candidates = (distinct[1:] + distinct[:-1]) / 2
    yes, no = np.sort(probabilities[labels]), np.sort(probabilities[~labels])
    j = np.searchsorted(no, candidates) / len(no) - np.searchsorted(yes, candidates) / len(yes)
    if not len(j) or j.max() <= 0:
        return 0.5
    # Rounded, so that J of equal counts is equal whatever the order of the divisions.
    best = candidates[j.round(12) == j.max().round(12)]
    return float(best[np.abs(best - 0.5).argmin()])
