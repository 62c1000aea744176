"""When a control on noise is where it should be: one rule, whatever is measured on noise."""

from __future__ import annotations

import numpy as np

from pellucid.statistics.bootstrap import Interval

__all__ = ["at_chance"]


def at_chance(found: Interval, chance: float, *, error: float | None = None, one_sided: bool = False) -> bool | None:
    """Whether chance lies in the interval of a score on noise; None where there is no interval.

    Parameters
    ----------
    found : Interval
        Of a level that the protocol chooses: how often an honest control may fail by accident is for it to say.
    chance : float
    error : float, optional
        The interval reaches at least so far to both sides, and stands alone where resampling gives none.
    one_sided : bool
        A score below chance is as it should be too.

    Examples
    --------
    >>> at_chance(Interval(0.6, 0.45, 0.7), 0.5), at_chance(Interval(0.6, 0.55, 0.7), 0.5)
    (True, False)
    >>> at_chance(Interval(0.6, 0.55, 0.7), 0.5, error=0.2), at_chance(Interval.fixed(0.6), 0.5)
    (True, None)
    """
    low, high = found.low, found.high
    if error is not None:
        low, high = np.fmin(low, found.value - error), np.fmax(high, found.value + error)
    if not np.isfinite([low, high]).all():
        return None
    return bool(low <= chance and (one_sided or chance <= high))
