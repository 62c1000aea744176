"""Intervals of shares that were counted: of trials that are alike, so many succeeded."""

from __future__ import annotations

import math

from pellucid.errors import DataError
from pellucid.statistics.bootstrap import LEVEL, Interval


def wilson(share: float, count: float, *, level: float = LEVEL) -> Interval:
    """Wilson's interval of a share of independent trials; it never leaves 0 to 1 and is no point where all or none succeed.

    Parameters
    ----------
    share : float
        0 to 1. As it was printed: a rounded share need not be a whole number of trials.
    count : float
        Trials, independent of each other: one a group.
    level : float

    Raises
    ------
    DataError
        If there is no trial, or the share is none.

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; without a correction for continuity.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(1.0, 10)]
    [1.0, 0.722, 1.0]
    """
    from scipy.special import ndtri

    if not count > 0:
        raise DataError(f"a share of {count:g} trials has no interval: give at least one trial")
    if not 0 <= share <= 1:
        raise DataError(f"{share:g} is no share: give a number from 0 to 1")
    z = float(ndtri((1 + level) / 2))
    square = z * z
    middle = share + square / (2 * count)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    whole = 1 + square / count
    # Where none or all succeed that end is exactly theirs, which rounding would miss.
    low = (middle - half) / whole if share > 0 else 0.0
    high = (middle + half) / whole if share < 1 else 1.0
    return Interval(share, low, high)
