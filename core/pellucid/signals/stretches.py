"""Stretches of a signal where something holds: held values, plateaus, gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def stretches(true: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First sample and one after the last of each stretch of true values.

    Parameters
    ----------
    true : ndarray of bool, shape (time,)

    Examples
    --------
    >>> stretches(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(true, prepend=False, append=False))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
