"""Whether probabilities can be taken at their word: Brier score, calibration error, reliability curve.

Bins are of equal mass: each holds about the same number of samples, so none is judged on a handful. They are laid once
over all samples and kept in every replicate. Equal probabilities share a bin, so there may be fewer than asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pellucid.statistics.bootstrap import replicated, weighted_mean

BINS = 10


def brier(labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean squared difference between probability and truth: 0 perfect, 0.25 for always saying one half.

    Parameters
    ----------
    labels, probabilities : ndarray, shape (sample,) or (sample, class)
        With several classes the squares are added up over them, as Brier did; 2 is the worst then.
    weights : ndarray, shape (..., sample)

    References
    ----------
    Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    squares = (np.asarray(labels, np.float64) - probabilities) ** 2
    return weighted_mean(squares if squares.ndim == 1 else squares.sum(1), weights)


def equal_mass_bins(probabilities: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Number of the bin of each sample, from 0, without empty bins; shape (sample,)."""
    # The last sample of every bin but the highest, in whole numbers: a quantile's rounding would move some edges.
    last = (len(probabilities) * np.arange(1, bins) + bins - 1) // bins - 1
    edges = np.sort(probabilities)[last]
    # A sample on an edge goes below it: all copies of a probability stay together.
    return np.unique(np.searchsorted(np.unique(edges), probabilities, side="left"), return_inverse=True)[1]


def calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, *, bins: int = BINS
) -> np.ndarray:
    """Expected calibration error (ECE): mean distance of the mean probability from the observed rate, over bins.

    The error of a finite sample is above zero even if every probability is true: see :func:`error_if_calibrated`.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), doi:10.1609/aaai.v29i1.9602; bins of equal mass in place of equal width, as in
    Nixon et al. (2019), arXiv:1904.01685.
    """
    member = _membership(probabilities, bins)
    surplus = (np.asarray(probabilities, np.float64) - labels)[:, None] * member
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(weights @ surplus).sum(-1) / weights.sum(-1))


def error_if_calibrated(probabilities: np.ndarray, *, bins: int = BINS, draws: int = 200, seed: int = 0) -> float:
    """Mean calibration error of this many samples if every probability were true: the floor of what can be seen."""
    probabilities = np.asarray(probabilities, np.float64)
    labels = np.random.default_rng(seed).random((draws, len(probabilities))) < probabilities
    surplus = np.abs((probabilities - labels) @ _membership(probabilities, bins))
    return float(surplus.sum(1).mean() / len(probabilities))


def error_if_shuffled(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> float:
    """Calibration error of the same probabilities dealt to the samples at random, in the limit of many samples.

    Every bin would see the overall rate of yes. A model that always says that rate has no error at all, so a small
    calibration error alone is no sign of knowledge.
    """
    rate = np.full(len(probabilities), np.mean(labels))
    return float(calibration_error(rate, probabilities, np.ones(len(rate)), bins=bins))


@dataclass(frozen=True)
class ReliabilityCurve:
    """Points of a reliability curve, one a bin, by increasing probability.

    Parameters
    ----------
    predicted : ndarray, shape (bin,)
        Mean probability.
    observed, low, high : ndarray, shape (bin,)
        Rate of yes and its 95 % interval over subjects. The bounds are NaN where few replicates reach the bin, and
        where all its labels are one class: resampling such a bin would show a certainty that nobody has.
    samples : ndarray of int, shape (bin,)
    """

    predicted: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    samples: np.ndarray


def reliability_curve(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, *, bins: int = BINS
) -> ReliabilityCurve:
    """What was said against what was seen, in bins of equal mass.

    Parameters
    ----------
    labels, probabilities : ndarray, shape (sample,)
    weights : ndarray, shape (replicate, sample)
        For the intervals.
    """
    labels, probabilities = np.asarray(labels, np.float64), np.asarray(probabilities, np.float64)
    member = _membership(probabilities, bins)
    count = member.sum(0)

    def rates(w: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore", divide="ignore"):
            return (w @ (labels[:, None] * member)) / (w @ member)

    found = replicated(rates, weights)
    low, high = np.full(len(count), np.nan), np.full(len(count), np.nan)
    for at, column in enumerate(found.T):
        known = column[np.isfinite(column)]
        if len(known) * 2 >= len(column) and known.min() < known.max():
            low[at], high[at] = np.quantile(known, [0.025, 0.975])
    predicted = (probabilities @ member) / count
    return ReliabilityCurve(predicted, rates(np.ones(len(labels))), low, high, count.astype(int))


def _membership(probabilities: np.ndarray, bins: int) -> np.ndarray:
    """One column a bin, 1 where the sample is in it; shape (sample, bin)."""
    number = equal_mass_bins(probabilities, bins)
    return (number[:, None] == np.arange(number.max() + 1)).astype(np.float64)
