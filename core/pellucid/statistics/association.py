"""Whether many numbers go with a label or a rating: rank tests of all columns at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pellucid.statistics.ranking import rank_correlation

FEW = 10.0
"""Samples expected in the rarest cell of a table, below which the normal approximation is not trusted."""


class Associations(NamedTuple):
    """Of each column with one attribute.

    Parameters
    ----------
    strength : ndarray, shape (column,)
        Area under the ROC curve for a label (0.5: none), rank correlation for a rating (0: none); NaN where the column or the
        attribute does not vary.
    p : ndarray, shape (column,)
        Two-sided; 1 where the strength is not defined.
    """

    strength: np.ndarray
    p: np.ndarray


def with_label(columns: np.ndarray, label: np.ndarray) -> Associations:
    """Mann-Whitney tests of columns between yes and no, ties corrected, by the normal approximation.

    A column that is the same (zero, mostly) in more than half of the samples, with few of the others expected among yes or
    no, is tested exactly instead, by whether it is that (Fisher): two of a thousand samples that share a rare label by chance
    are no wonder, but twenty deviations from the mean.

    Parameters
    ----------
    columns : ndarray, shape (sample, column)
        Samples are taken as independent: give one of each subject.
    label : ndarray, shape (sample,)
        0 or 1.

    Examples
    --------
    >>> found = with_label(np.arange(20.0)[:, None], (np.arange(20) > 9).astype(float))
    >>> float(found.strength[0]), bool(found.p[0] < 0.001)
    (1.0, True)
    """
    ranks, ties = _ranks(columns)
    yes = np.asarray(label) > 0
    one, other, count = int(yes.sum()), int((~yes).sum()), len(yes)
    if not one or not other:
        return _undefined(columns.shape[1])
    area = (ranks[yes].sum(0) - one * (one + 1) / 2) / (one * other)
    # Variance of the rank sum, less what ties take away.
    variance = one * other / 12 * (count + 1 - ties / (count * (count - 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (area - 0.5) * one * other / np.sqrt(variance)
    rare = yes if one <= other else ~yes
    return _exact_where_few(_two_sided(np.where(variance > 0, area, np.nan), z), columns, rare)


def with_rating(columns: np.ndarray, rating: np.ndarray) -> Associations:
    """Rank correlations of columns with a rating, tested by the normal approximation.

    Where column and rating are the same in more than half of the samples each, as in :func:`with_label`.

    Parameters
    ----------
    columns : ndarray, shape (sample, column)
        Samples are taken as independent: give one of each subject.
    rating : ndarray, shape (sample,)
        No NaN.
    """
    rating = np.asarray(rating, float)
    rare = _unusual(rating[:, None])[:, 0]
    found = rank_correlation(columns.T, rating)
    tested = _two_sided(found, found * np.sqrt(max(len(rating) - 1, 0)))
    return _exact_where_few(tested, columns, rare) if 2 * rare.sum() < len(rare) else tested


def _ranks(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks from 1 in each column, ties sharing theirs, and the sum of t^3 - t over groups of ties."""
    from scipy.stats import rankdata

    ranks = rankdata(columns, axis=0)
    count = len(columns)
    # A group of t ties shares one rank; the squared deviations of ranks fall short of those without ties by its share.
    spread = ((ranks - (count + 1) / 2) ** 2).sum(0)
    return ranks, np.maximum(count**3 - count - 12 * spread, 0.0)


def _two_sided(strength: np.ndarray, z: np.ndarray) -> Associations:
    from scipy.special import ndtr

    p = 2 * ndtr(-np.abs(z))
    known = np.isfinite(strength) & np.isfinite(p)
    return Associations(np.where(known, strength, np.nan), np.where(known, p, 1.0))


def _unusual(columns: np.ndarray) -> np.ndarray:
    """Which values are not the one that more than half of a column has, if there is such a one."""
    middle = len(columns) // 2
    return np.asarray(columns != np.partition(columns, middle, axis=0)[middle])


def _exact_where_few(tested: Associations, columns: np.ndarray, rare: np.ndarray) -> Associations:
    """Exact p, two-sided, of columns of which few unusual values are expected among rare samples.

    Which columns these are follows from how often values and labels occur, not from how they go together.
    """
    from scipy.stats import hypergeom

    unusual = _unusual(columns)
    on, count, few = unusual.sum(0), len(rare), int(rare.sum())
    at = np.flatnonzero((on > 0) & (2 * on < count) & (on * few < FEW * count))
    if not len(at):
        return tested
    both = unusual[rare][:, at].sum(0)
    least = np.minimum(hypergeom.sf(both - 1, count, on[at], few), hypergeom.cdf(both, count, on[at], few))
    p = tested.p.copy()
    p[at] = np.where(np.isfinite(tested.strength[at]), np.minimum(1.0, 2 * least), 1.0)
    return Associations(tested.strength, p)


def _undefined(count: int) -> Associations:
    return Associations(np.full(count, np.nan), np.ones(count))
