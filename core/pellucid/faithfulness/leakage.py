"""Concept leakage: what predicted concepts tell of the target beyond what they say, or beyond what people said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.data.splits import subject_folds
from pellucid.faithfulness.probes import dealt, log_odds

LIKE = 20
"""Samples of like ratings among which residuals are dealt anew: the nearest in what the ratings alone say."""


@dataclass(frozen=True)
class BeyondRatings:
    """Log odds of a yes from people's ratings, alone and with what predicted concepts hold beside them.

    Parameters
    ----------
    ratings, soft, whole : ndarray, shape (repeat, sample)
        From ratings alone; with the predicted concepts as they are handed on; with their whole steps.
    soft_control, whole_control : ndarray, shape (control, sample)
        As ``soft`` and ``whole``, but what predicted concepts hold beside the ratings is another sample's.
    """

    ratings: np.ndarray
    soft: np.ndarray
    whole: np.ndarray
    soft_control: np.ndarray
    whole_control: np.ndarray


def beyond_ratings(
    soft: np.ndarray,
    whole: np.ndarray,
    ratings: np.ndarray,
    yes: np.ndarray,
    sets: np.ndarray,
    *,
    folds: int = 5,
    repeats: int = 4,
    controls: int = 12,
    seed: int = 0,
) -> BeyondRatings:
    """Predict a yes or no from people's ratings and from predicted concepts beside them, on samples that neither the model
    nor the probe has learnt from.

    The probes are logistic regressions. They read the ratings and their squares, and of predicted concepts (whole steps and
    remainders apart) what these do not share with the ratings: the residuals of a linear regression on both. Among the
    training samples a model's ratings are nearer to people's than among others, and probes fitted there would expect
    smaller residuals than they meet; so they are fitted and scored by cross-validation over the sets (subjects) of the
    samples given, which are test samples.

    Reading more numbers costs a probe even where they tell nothing. What it costs is what the controls measure: the
    residuals of all concepts dealt anew among :data:`LIKE` samples of like ratings.

    Parameters
    ----------
    soft, whole, ratings : ndarray, shape (sample, concept)
        Without NaN.
    yes : ndarray of 0 and 1, shape (sample,)
    sets : ndarray, shape (sample,)
    folds, repeats, controls, seed : int
        Of cross-validation; how often samples are dealt into folds; how often residuals are dealt anew.

    References
    ----------
    The quantity is I(target; predicted concepts | concepts) as a difference of two probes' log losses: Makonnen et al.
    (2025), Measuring leakage in concept-based methods, arXiv 2504.09459; the effect: Mahinpei et al. (2021), arXiv
    2106.13314, Havasi et al. (2022), Addressing leakage in concept bottleneck models. Deviations: probes are linear in
    ratings, squares and residuals instead of boosted trees, for some hundred test samples; they are fitted among test
    samples; the cost of reading more numbers is taken off by controls; leakage between concepts (impurity, Espinosa Zarlenga
    et al. 2023) is not measured.
    """
    rng = np.random.default_rng(seed)
    known = np.concatenate([ratings, ratings**2], axis=1)
    fold_of = [dealt(sets, yes, folds, seed + at) for at in range(repeats)]
    alone = np.stack([log_odds(known, yes, one) for one in fold_of])
    order = np.argsort(alone.mean(0) + 1e-9 * rng.random(len(yes)), kind="stable")
    blocks = np.array_split(order, max(1, len(order) // LIKE))
    places = [_dealt_anew(blocks, rng) for _ in range(controls)]
    found = []
    # Whole steps and remainders side by side: a probe of the sum would not see what hides in the second decimal.
    for concepts in (np.concatenate([whole, soft - whole], axis=1), whole):
        rest = _residuals(concepts, known)
        own = np.stack([log_odds(np.concatenate([known, rest], axis=1), yes, one) for one in fold_of])
        control = np.empty((controls, len(yes)))
        for at, one in enumerate(fold_of):
            turn = range(at, controls, repeats)
            if turn:
                read = np.stack([np.concatenate([known, rest[places[c]]], axis=1) for c in turn])
                control[turn] = log_odds(read, yes, one)
        found.append((own, control))
    (of_soft, soft_control), (of_whole, whole_control) = found
    return BeyondRatings(alone, of_soft, of_whole, soft_control, whole_control)


def _residuals(concepts: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What a linear function of known numbers does not say of concepts; zero where only rounding is left."""
    x = np.concatenate([np.ones((len(known), 1)), known - known.mean(0)], axis=1)
    rest = concepts - x @ np.linalg.lstsq(x, concepts, rcond=None)[0]
    spread = np.maximum(np.abs(concepts).max(0), 1e-12)
    return np.where(rest.std(0) > 1e-6 * spread, rest, 0.0)


def _dealt_anew(blocks: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """For each sample, whose residuals it is given: another one's of its block, each once."""
    place = np.empty(sum(map(len, blocks)), np.int64)
    for block in blocks:
        circle = rng.permutation(block)
        place[circle] = np.roll(circle, 1)
    return place


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
