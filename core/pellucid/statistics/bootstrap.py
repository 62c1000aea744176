"""Intervals over subjects: whole subjects are resampled, never their samples one by one.

Samples of one subject resemble each other, so an interval over samples would be too narrow. Each replicate draws as
many subjects as there are, with replacement, and gives a sample the count of its subject as a weight. A statistic is a
function of weights, computed for many replicates at once, with no loop over them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pellucid.errors import DataError

REPLICATES = 1000
"""Enough for the ends of a 95 % interval to be stable in the second digit of its width."""

LEVEL = 0.95

SMALLEST_STRATUM = 10
"""Resampling ``m`` subjects among themselves understates a variance by ``(m - 1) / m``; below ten that is over 10 %."""

BLOCK = 1 << 18
"""Weights handled at once: two megabytes of float64, which stay in a processor's cache."""

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights, shape (..., sample) to numbers, shape (...,); NaN where the statistic is not defined."""


class Interval(NamedTuple):
    """A value and its interval, of 95 % unless another level was asked for."""

    value: float
    low: float
    high: float

    @classmethod
    def fixed(cls, value: float) -> Interval:
        """A value without an interval: the same whoever is tested, or of what cannot be resampled."""
        return cls(value, np.nan, np.nan)


def subject_weights(
    subjects: np.ndarray, strata: np.ndarray | None = None, *, replicates: int = REPLICATES, seed: int = 0
) -> np.ndarray:
    """How often each sample's subject is drawn in each replicate.

    Parameters
    ----------
    subjects : ndarray, shape (sample,)
        Subject of each sample.
    strata : ndarray, optional, shape (sample,)
        Subjects are drawn among those of their own stratum: pass the fold of cross-validation, as each fold has a model
        of its own. Strata of fewer than :data:`SMALLEST_STRATUM` subjects are drawn from together.
    replicates, seed : int
        The same seed gives the same weights, in whatever order the samples stand.

    Returns
    -------
    ndarray of float32, shape (replicate, sample)
        Whole numbers from 0. The samples of a subject have equal weights.

    Raises
    ------
    DataError
        If there is no sample, or a subject stands in two strata.

    Examples
    --------
    >>> weights = subject_weights(np.array(["a", "a", "b", "c"]), replicates=3)
    >>> weights.shape, bool((weights[:, 0] == weights[:, 1]).all())
    ((3, 4), True)
    """
    if len(subjects) == 0:
        raise DataError("no samples to resample: an interval needs at least one subject")
    names, first, of = np.unique(np.asarray(subjects).astype(str), return_index=True, return_inverse=True)
    counts = np.zeros((replicates, len(names)), np.float32)
    rng = np.random.default_rng(seed)
    for members in _pools(names, first, of, strata):
        size = len(members)
        drawn = rng.integers(size, size=(replicates, size)) + size * np.arange(replicates)[:, None]
        counts[:, members] = np.bincount(drawn.ravel(), minlength=replicates * size).reshape(replicates, size)
    return counts[:, of]


def _pools(names: np.ndarray, first: np.ndarray, of: np.ndarray, strata: np.ndarray | None) -> list[np.ndarray]:
    """Positions of the subjects that are drawn from together."""
    if strata is None:
        return [np.arange(len(names))]
    strata = np.asarray(strata)
    astray = strata != strata[first][of]
    if astray.any():
        at = int(np.flatnonzero(astray)[0])
        raise DataError(
            f"subject '{names[of[at]]}' stands in strata {strata[first][of][at]} and {strata[at]}: each subject must "
            "be tested in one fold"
        )
    pools = [np.flatnonzero(strata[first] == stratum) for stratum in np.unique(strata)]
    small = [pool for pool in pools if len(pool) < SMALLEST_STRATUM]
    large = [pool for pool in pools if len(pool) >= SMALLEST_STRATUM]
    return [*large, np.concatenate(small)] if small else large


def replicated(statistic: Statistic, weights: np.ndarray) -> np.ndarray:
    """A statistic in every replicate, some replicates at a time so that memory stays small; shape (replicate,)."""
    rows = max(1, BLOCK // max(1, weights.shape[1]))
    parts = [statistic(weights[start : start + rows].astype(np.float64)) for start in range(0, len(weights), rows)]
    return np.concatenate(parts)


def interval(statistic: Statistic, weights: np.ndarray, *, centred: bool = False, level: float = LEVEL) -> Interval:
    """A statistic of all samples and its percentile interval over subjects, of 95 % unless another level is asked for.

    Parameters
    ----------
    statistic : callable
        Takes weights of shape (..., sample), gives numbers of shape (...,). It is called with ones for the value.
    weights : ndarray, shape (replicate, sample)
        From :func:`subject_weights`. For a difference of two models give both the same weights: it is paired then.
    centred : bool
        Move the interval so that the median replicate falls on the value: for statistics such as calibration errors,
        whose replicates are biased upwards because resampling adds noise of its own.
    level : float
        Share of replicates inside: 0.9 where a published interval to compare with is one of 90 %.

    Returns
    -------
    Interval
        Replicates in which the statistic is not defined are left out. The bounds are NaN where less than half of them
        are defined, and where nothing varies because there is one subject only.
    """
    value, replicates = estimate(statistic, weights)
    return percentiles(value, replicates, centred=centred, level=level)


def estimate(statistic: Statistic, weights: np.ndarray) -> tuple[float, np.ndarray]:
    """A statistic of all samples, and of every replicate, shape (replicate,): NaN where it says nothing.

    Two estimates from the same weights are paired: the replicates of their difference are the differences.
    """
    value = float(statistic(np.ones(weights.shape[1])))
    if (weights == weights[0]).all():
        return value, np.full(len(weights), np.nan)
    return value, replicated(statistic, weights)


def percentiles(value: float, replicates: np.ndarray, *, centred: bool = False, level: float = LEVEL) -> Interval:
    """The interval of a value from its replicates; see :func:`interval`."""
    found = replicates[np.isfinite(replicates)]
    if len(found) * 2 < len(replicates):
        return Interval.fixed(value)
    tail = (1 - level) / 2
    low, middle, high = np.quantile(found, [tail, 0.5, 1 - tail])
    shift = value - middle if centred else 0.0
    return Interval(value, float(low + shift), float(high + shift))


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of numbers, shape (sample,), under weights of shape (..., sample); NaN where all weights are zero."""
    mass = weights.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(weights @ np.asarray(values, np.float64) / mass)


def subject_interval(
    values: np.ndarray,
    subjects: np.ndarray,
    strata: np.ndarray | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Mean of per-sample numbers and its 95 % interval over subjects.

    Parameters
    ----------
    values : ndarray, shape (sample,)
        NaN where a sample has no number; such samples are left out.
    subjects, strata, replicates, seed
        See :func:`subject_weights`.

    Examples
    --------
    >>> subject_interval(np.array([1.0, 1.0, 1.0]), np.array(["a", "b", "c"]))
    Interval(value=1.0, low=1.0, high=1.0)
    """
    values = np.asarray(values, np.float64)
    known = ~np.isnan(values)
    if not known.any():
        return Interval(np.nan, np.nan, np.nan)
    chosen = None if strata is None else np.asarray(strata)[known]
    weights = subject_weights(np.asarray(subjects)[known], chosen, replicates=replicates, seed=seed)
    return interval(lambda w: weighted_mean(values[known], w), weights)
