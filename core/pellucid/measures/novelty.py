"""Is a sample unlike what a model was made on? Scores from codes, representations and logits, and how well they tell.

All scores are higher for what is newer. What is fitted, is fitted on known samples that are not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import logsumexp, softmax

from pellucid.errors import DataError
from pellucid.statistics.ranking import auroc, average_precision

ACCEPTED = 0.95
"""Share of known samples that pass at the threshold of :attr:`Detection.false_rate`."""

BRUTE_WIDTH = 20
"""Numbers a sample from which on a tree of places is slower than all distances."""


# --- scores that learn nothing ----------------------------------------------------------------------------------------


def reconstruction_error(x: np.ndarray, rebuilt: np.ndarray) -> np.ndarray:
    """Squared error of a reconstruction as a share of the sample's own square, shape (sample,).

    Blind to what is new but lies within the span of the dictionary.

    Parameters
    ----------
    x, rebuilt : ndarray, shape (sample, feature)
        In the units in which the dictionary was trained, its mean taken off.
    """
    x, rebuilt = np.asarray(x, np.float64), np.asarray(rebuilt, np.float64)
    if x.shape != rebuilt.shape:
        raise DataError(
            f"samples of shape {x.shape} and reconstructions of shape {rebuilt.shape} are not of each other"
        )
    return ((x - rebuilt) ** 2).sum(1) / np.maximum((x**2).sum(1), np.finfo(float).tiny)


def doubt(logits: np.ndarray) -> np.ndarray:
    """One less the largest probability, shape (sample,), of logits (sample, class).

    References
    ----------
    Hendrycks and Gimpel (2017), arXiv 1610.02136.
    """
    return 1 - softmax(np.asarray(logits, np.float64), axis=1).max(1)


def energy(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Minus the logarithm of summed exponentials of the logits, shape (sample,).

    References
    ----------
    Liu et al. (2020), arXiv 2010.03759.

    Examples
    --------
    >>> energy(np.array([[0.0, 0.0]])).round(4).tolist()
    [-0.6931]
    """
    return -temperature * logsumexp(np.asarray(logits, np.float64) / temperature, axis=1)


# --- scores that learn from known samples -----------------------------------------------------------------------------


@dataclass(frozen=True)
class ActiveSets:
    """Which latents are active, as independent coins.

    Parameters
    ----------
    rates : ndarray, shape (latent,)
    """

    rates: np.ndarray

    @staticmethod
    def fit(codes: np.ndarray) -> ActiveSets:
        """Rates of known samples, half a sample added to either side: what never happened is rare and not impossible."""
        active = np.asarray(codes) > 0
        return ActiveSets((active.sum(0) + 0.5) / (len(active) + 1))

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Minus the log likelihood of the set of active latents, shape (sample,), nats."""
        active = np.asarray(codes) > 0
        return -(active @ np.log(self.rates) + ~active @ np.log1p(-self.rates))


@dataclass(frozen=True)
class Mahalanobis:
    """Squared distance from the nearest mean, in deviations of the known samples.

    Parameters
    ----------
    means : ndarray, shape (class, feature)
    whitening : ndarray, shape (feature, direction)
        Takes the covariance to one; directions in which known samples do not vary are left out.
    """

    means: np.ndarray
    whitening: np.ndarray

    @staticmethod
    def fit(x: np.ndarray, labels: np.ndarray | None = None, *, shrinkage: float = 1e-3) -> Mahalanobis:
        """Means, one a class if labels are given, and one covariance within classes.

        Parameters
        ----------
        x : ndarray, shape (sample, feature)
        labels : ndarray, shape (sample,), optional
        shrinkage : float
            Share of the mean variance that takes the covariance's place: codes have directions of almost no variance.

        References
        ----------
        Lee et al. (2018), arXiv 1807.03888.
        """
        x = np.asarray(x, np.float64)
        kinds, of = (
            (np.zeros(1), np.zeros(len(x), np.int64)) if labels is None else np.unique(labels, return_inverse=True)
        )
        means = np.stack([x[of == kind].mean(0) for kind in range(len(kinds))])
        apart = x - means[of]
        covariance = apart.T @ apart / len(x)
        covariance = (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / len(covariance) * np.eye(
            x.shape[1]
        )
        size, direction = np.linalg.eigh(covariance)
        varies = size > 1e-12 * max(size.max(), np.finfo(float).tiny)
        return Mahalanobis(means, direction[:, varies] / np.sqrt(size[varies]))

    def score(self, x: np.ndarray) -> np.ndarray:
        """Shape (sample,)."""
        known, white = self.means @ self.whitening, np.asarray(x, np.float64) @ self.whitening
        return np.min([((white - mean) ** 2).sum(1) for mean in known], axis=0)


@dataclass(frozen=True)
class Neighbours:
    """Distance from known samples.

    Parameters
    ----------
    known : ndarray, shape (sample, feature)
    k : int
    """

    known: np.ndarray
    k: int = 10

    def score(self, x: np.ndarray) -> np.ndarray:
        """Distance from the ``k``-th nearest known sample, shape (sample,).

        References
        ----------
        Sun et al. (2022), arXiv 2204.06507, without their scaling to length one: scale before, if lengths mean nothing.
        """
        known, x = np.asarray(self.known, np.float64), np.asarray(x, np.float64)
        if not 1 <= self.k <= len(known):
            raise DataError(f"the {self.k}th nearest of {len(known)} known samples does not exist")
        if known.shape[1] < BRUTE_WIDTH:
            return cKDTree(known).query(x, [self.k])[0][:, 0]
        found = np.empty(len(x))
        squares = (known**2).sum(1)
        for start in range(0, len(x), 512):
            some = x[start : start + 512]
            apart = (some**2).sum(1)[:, None] + squares - 2 * some @ known.T
            found[start : start + 512] = np.sqrt(np.maximum(np.partition(apart, self.k - 1, axis=1)[:, self.k - 1], 0))
        return found


# --- how well a score tells -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Detection:
    """How well a score tells new samples from known ones.

    Parameters
    ----------
    auroc : float
        One half by chance.
    average_precision : float
        Of new samples; by chance their share, ``prevalence``.
    false_rate : float
        Share of new samples that pass where 95 % of the known ones pass ("FPR@95TPR", known ones being the positive
        class); 0.95 by chance.
    prevalence : float
    """

    auroc: float
    average_precision: float
    false_rate: float
    prevalence: float


def detection(known: np.ndarray, new: np.ndarray) -> Detection:
    """Judge a score by its values on known and on new samples.

    Parameters
    ----------
    known, new : ndarray, shape (sample,)
        Known ones not among those that anything was fitted on.

    Examples
    --------
    >>> detection(np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0]))
    Detection(auroc=0.75, average_precision=0.75, false_rate=0.5, prevalence=0.4)
    """
    known, new = np.asarray(known, np.float64), np.asarray(new, np.float64)
    if not len(known) or not len(new):
        raise DataError(f"detection compares known with new samples, got {len(known)} and {len(new)}")
    scores = np.concatenate([known, new])
    if np.isnan(scores).any():
        raise DataError(f"{int(np.isnan(scores).sum())} scores are not numbers")
    labels, ones = np.repeat([0, 1], [len(known), len(new)]), np.ones(len(scores))
    # The smallest threshold at or below which 95 % of the known ones lie.
    limit = np.sort(known)[int(np.ceil(ACCEPTED * len(known) - 1e-9)) - 1]
    return Detection(
        float(auroc(labels, scores, ones)),
        float(average_precision(labels, scores, ones)),
        float((new <= limit).mean()),
        len(new) / len(scores),
    )
