"""Other samples dealt out by lot, for protocols that put what is another's in the place of a sample's own."""

from __future__ import annotations

import numpy as np


def others(count: int, seed: int, *, further: int = 1) -> np.ndarray:
    """For each sample another one, each given once.

    Parameters
    ----------
    count, seed : int
    further : int
        Different numbers, below ``count``, give a sample different others.

    Examples
    --------
    >>> one, two = others(5, 0), others(5, 0, further=2)
    >>> bool((one != two).all() and (one != np.arange(5)).all() and (two != np.arange(5)).all())
    True
    """
    order = np.random.default_rng(seed).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, further)
    return found
