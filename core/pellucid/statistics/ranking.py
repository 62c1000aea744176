"""How well scores put samples in order: areas under curves and rank correlation, for many weights at once.

Every function but :func:`rank_correlation`, which is of many rows without weights, takes weights of shape (..., sample), as
:func:`pellucid.statistics.bootstrap.subject_weights` makes, and gives numbers of shape (...,). The samples are sorted once, whatever the
number of replicates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Formula = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Labels, scores and weights to numbers; NaN where the formula is not defined."""


def auroc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve: how often a yes has a higher score than a no; a tie counts half.

    Parameters
    ----------
    labels : ndarray, shape (sample,)
        0 and 1.
    scores : ndarray, shape (sample,)
    weights : ndarray, shape (..., sample)

    Returns
    -------
    ndarray, shape (...,)
        NaN where one class has no weight.

    References
    ----------
    Hanley and McNeil (1982), doi:10.1148/radiology.143.1.7063747.

    Examples
    --------
    >>> float(auroc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.9]), np.ones(4)))
    0.875
    """
    yes, no = _counts_by_score(labels, scores, weights)
    below = np.cumsum(no, axis=-1) - no
    return _ratio((yes * (below + no / 2)).sum(-1), yes.sum(-1) * no.sum(-1))


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve as average precision: a sum over steps, with no interpolation.

    Parameters and result as for :func:`auroc`, NaN where one class has no weight. Where all are a yes, every order of them has
    the value 1: it would say nothing of the scores, and scikit-learn's function says it.

    Examples
    --------
    >>> float(average_precision(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9]), np.ones(4)).round(4))
    0.8333
    """
    yes, no = _counts_by_score(labels, -np.asarray(scores, np.float64), weights)
    found = np.cumsum(yes, axis=-1)
    listed = found + np.cumsum(no, axis=-1)
    # Nothing is listed before the first sample with weight; there is nothing to find there either.
    precision = found / np.maximum(listed, np.finfo(float).tiny)
    return np.where(no.sum(-1) > 0, _ratio((yes * precision).sum(-1), yes.sum(-1)), np.nan)


def share_of_yes(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What :func:`average_precision` is of scores in no order; NaN where that is not defined.

    Examples
    --------
    >>> [float(share_of_yes(np.array(labels), np.zeros(4), np.ones(4))) for labels in ([0, 1, 0, 0], [1, 1, 1, 1])]
    [0.25, nan]
    """
    share = _ratio((weights * (np.asarray(labels) > 0)).sum(-1), weights.sum(-1))
    return np.where((share > 0) & (share < 1), share, np.nan)


def macro(formula: Formula, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of a formula over columns, those left out in which it is not defined.

    Parameters
    ----------
    labels, scores : ndarray, shape (sample, column)
        One column for each label, class against the rest, or step of an ordinal target. Labels that are NaN are left out.
    """
    every = []
    for label, score in zip(labels.T, scores.T, strict=True):
        known = ~np.isnan(label)
        every.append(formula(label[known], score[known], weights[..., known]))
    return _mean_of_known(np.stack(every))


def over_folds(
    formula: Formula, labels: np.ndarray, scores: np.ndarray, folds: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """A formula within each fold of cross-validation, averaged over folds by their weight of test samples.

    Each fold has a model of its own, and the scores of two models cannot be ordered against each other. Pooling them is
    not only loose, it is biased: a fold that happens to hold many positive samples leaves few to learn from, so its
    model gives lower scores throughout, and the pooled area for labels without any signal falls below one half.

    Parameters
    ----------
    formula : callable
    labels, scores : ndarray, shape (sample,) or (sample, column)
    folds : ndarray, shape (sample,)
    weights : ndarray, shape (..., sample)

    Returns
    -------
    ndarray, shape (...,)
        Where a fold's value is not defined under some weights (it has one class in that replicate), the fold is left
        out of that replicate. NaN where no fold is defined.

    References
    ----------
    Forman and Scholz (2010), doi:10.1145/1882471.1882479; the bias: Parker, Guenter and Bedo (2007),
    doi:10.1186/1471-2105-8-326.
    """
    members = [folds == fold for fold in np.unique(folds)]
    inside = [weights[..., m] for m in members]
    values = np.stack([formula(labels[m], scores[m], w) for m, w in zip(members, inside, strict=True)])
    return _mean_of_known(values, np.stack([w.sum(-1) for w in inside]))


def spearman(truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """:func:`rank_correlation` of one pair of numbers a sample, under weights.

    Ties share the mean of their ranks, as do the copies of a sample that is drawn twice; NaN where one of the two is constant.
    """
    x, y = _ranks(truth, weights), _ranks(predicted, weights)
    mass = weights.sum(-1, keepdims=True)
    x = x - _ratio((weights * x).sum(-1, keepdims=True), mass)
    y = y - _ratio((weights * y).sum(-1, keepdims=True), mass)
    return _ratio((weights * x * y).sum(-1), np.sqrt((weights * x**2).sum(-1) * (weights * y**2).sum(-1)))


def rank_correlation(first: np.ndarray, second: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Spearman's correlation along the last axis, ties sharing the mean of their ranks.

    Parameters
    ----------
    first, second : ndarray, shape (..., place)
        Each row of the one beside that of the other; a single row stands beside all.
    known : ndarray of bool, optional, shape (..., place)
        Which places count; by default all.

    Returns
    -------
    ndarray, shape (...,)
        NaN where one of the two does not vary.

    References
    ----------
    Spearman (1904), doi:10.2307/1412159.

    Examples
    --------
    >>> rank_correlation(np.array([[1.0, 2.0, 30.0], [4.0, 4.0, 4.0]]), np.array([5.0, 6.0, 6.5])).tolist()
    [1.0, nan]
    """
    from scipy.stats import rankdata

    there = np.ones(np.shape(first)[-1], bool) if known is None else known
    middle = (there.sum(-1, keepdims=True) + 1) / 2
    # What is not known ranks last here, and is then left out.
    one, other = (
        np.where(there, rankdata(np.where(there, values, np.inf), axis=-1) - middle, 0.0) for values in (first, second)
    )
    return _ratio((one * other).sum(-1), np.sqrt((one**2).sum(-1) * (other**2).sum(-1)))


def roc_curve(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False-positive and true-positive rates from (0, 0) to (1, 1), one point a distinct score."""
    yes, no = _counts_by_score(labels, -np.asarray(scores, np.float64), np.ones(len(labels)))
    false_rate = np.concatenate([[0.0], np.cumsum(no) / no.sum()])
    return false_rate, np.concatenate([[0.0], np.cumsum(yes) / yes.sum()])


def _counts_by_score(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of yes and of no at each distinct score, increasing; shape (..., distinct score)."""
    order, starts, _ = _ties(scores)
    yes_here = np.asarray(labels)[order] > 0
    sorted_weights = weights[..., order]
    yes = sorted_weights * yes_here
    if len(starts) < len(order):
        yes, total = np.add.reduceat(yes, starts, axis=-1), np.add.reduceat(sorted_weights, starts, axis=-1)
        return yes, total - yes
    return yes, sorted_weights - yes


def _ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    order, starts, group = _ties(values)
    total = np.add.reduceat(weights[..., order], starts, axis=-1)
    middle = np.cumsum(total, axis=-1) - total / 2
    ranks = np.empty(weights.shape)
    ranks[..., order] = middle[..., group]
    return ranks


def _ties(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Order of the values, where each distinct value starts in it, and its number at every place."""
    order = np.argsort(values, kind="stable")
    new = np.concatenate([[True], np.diff(np.asarray(values)[order]) != 0])
    return order, np.flatnonzero(new), np.cumsum(new) - 1


def _mean_of_known(values: np.ndarray, mass: np.ndarray | float = 1.0) -> np.ndarray:
    """Weighted mean over the first axis of what is not NaN."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values * mass, 0.0).sum(0), np.where(known, mass, 0.0).sum(0))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, np.divide(numerator, denominator), np.nan)
