"""How far clusters agree with classes, and what labels dealt anew to subjects would reach."""

from __future__ import annotations

import numpy as np


def within_folds(
    folds: np.ndarray, clusters: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Adjusted mutual information of clusters and labels in each fold, averaged over samples.

    Clusters of two folds have nothing to do with each other.

    Parameters
    ----------
    folds, clusters, labels : ndarray, shape (sample,)
    weights : ndarray of int, shape (sample,), optional
        How often each sample counts.

    Returns
    -------
    float
        NaN where no fold has labels of two kinds.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    total, mass = 0.0, 0
    for fold in np.unique(folds):
        at = np.flatnonzero(folds == fold)
        if weights is not None:
            at = np.repeat(at, weights[at])
        if len(np.unique(labels[at])) < 2:
            continue
        total += len(at) * adjusted_mutual_info_score(labels[at], clusters[at])
        mass += len(at)
    return total / mass if mass else float("nan")


def redealt(labels: np.ndarray, subjects: np.ndarray, folds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Labels dealt anew within folds: each subject gets the labels of one subject, nobody's twice.

    Subjects have different numbers of samples. One that has more than the giver's labels gets these again from the start,
    one that has fewer gets as many drawn from them: labels of one subject stay together, and the share of a class among
    samples may change a little.

    Parameters
    ----------
    labels, subjects, folds : ndarray, shape (sample,)
    rng : Generator

    Returns
    -------
    ndarray, shape (sample,)
    """
    dealt = labels.copy()
    for fold in np.unique(folds):
        at = np.flatnonzero(folds == fold)
        _, of, sizes = np.unique(subjects[at], return_inverse=True, return_counts=True)
        starts = np.cumsum(sizes) - sizes
        # A subject's samples stand next to each other here, in an order by lot.
        order = at[np.lexsort((rng.random(len(at)), of))]
        giver = np.repeat(rng.permutation(len(sizes)), sizes)
        place = np.arange(len(at)) - np.repeat(starts, sizes)
        dealt[order] = labels[order][starts[giver] + place % sizes[giver]]
    return dealt
