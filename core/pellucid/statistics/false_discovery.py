"""Many tests at once: which of them may be believed."""

from __future__ import annotations

import numpy as np


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values: calling all with ``q <= 0.05`` true, a twentieth of them is expected to be false.

    Parameters
    ----------
    p : ndarray, any shape
        All are one family of tests. NaN is a test that was not made: it stays NaN and counts for nothing.

    Returns
    -------
    ndarray, shape of ``p``

    References
    ----------
    Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Holds for independent tests and for those that
    depend on each other positively.

    Examples
    --------
    >>> benjamini_hochberg(np.array([0.01, 0.04, np.nan, 0.02])).tolist()
    [0.03, 0.04, nan, 0.03]
    """
    p = np.asarray(p, np.float64)
    known = ~np.isnan(p)
    values = p[known]
    order = np.argsort(values, kind="stable")
    raised = values[order] * len(values) / np.arange(1, len(values) + 1)
    lowest = np.minimum.accumulate(raised[::-1])[::-1]
    adjusted, found = np.empty_like(values), np.full(p.shape, np.nan)
    adjusted[order] = np.minimum(lowest, 1.0)
    found[known] = adjusted
    return found
