"""Concept leakage: what predicted concepts tell of the target beyond what they say."""

from __future__ import annotations

import numpy as np

from pellucid.data.splits import subject_folds


def leakage_scores(
    soft: np.ndarray, hard: np.ndarray, labels: np.ndarray, sets: np.ndarray, *, folds: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Predict a yes or no from concepts as they are and from their whole steps, each sample by a probe that has not seen it.

    The probes are logistic regressions. The soft one reads the whole steps and the remainders side by side, each in its
    own standard deviations: what hides in the second decimal is as visible to it as a whole step.

    Parameters
    ----------
    soft, hard : ndarray, shape (sample, concept)
    labels : ndarray of 0 and 1, shape (sample,)
    sets : ndarray, shape (sample,)
        Samples of one set (a subject) never stand on both sides.
    folds, seed : int

    Returns
    -------
    soft, hard : ndarray, shape (sample,)
        Log odds; 0 throughout where a probe cannot be fitted.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _, coded = np.unique(sets, return_inverse=True)
    parts = min(folds, int(coded.max()) + 1)
    found = np.zeros((2, len(labels)))
    if parts < 2:
        return found[0], found[1]
    fold_of = subject_folds(coded, labels, parts, seed)
    for which, columns in enumerate((np.column_stack([hard, soft - hard]), hard)):
        for fold in range(parts):
            test = fold_of == fold
            if len(np.unique(labels[~test])) < 2:
                continue
            probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            found[which, test] = probe.fit(columns[~test], labels[~test]).decision_function(columns[test])
    return found[0], found[1]


def concept_leakage(
    soft: np.ndarray, hard: np.ndarray, labels: np.ndarray, sets: np.ndarray, *, folds: int = 5, seed: int = 0
) -> float:
    """Area under the ROC curve from soft concepts minus that from hard ones: 0 nothing leaks, at most 0.5 or so.

    References
    ----------
    Mahinpei et al. (2021), Promises and pitfalls of black-box concept learning models, arXiv 2106.13314, for the effect;
    the measure is the plain gain of soft over hard.
    """
    from sklearn.metrics import roc_auc_score

    with_decimals, whole = leakage_scores(soft, hard, labels, sets, folds=folds, seed=seed)
    return float(roc_auc_score(labels, with_decimals) - roc_auc_score(labels, whole))
