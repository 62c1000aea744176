"""Rows that follow each other, so many at a time: what is too long to be read at once is read so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def index_blocks(count: int, size: int) -> Iterator[np.ndarray]:
    """Positions 0 to ``count``, at most ``size`` together.

    Yields
    ------
    ndarray of int64, shape (position,)

    Examples
    --------
    >>> [block.tolist() for block in index_blocks(5, 2)]
    [[0, 1], [2, 3], [4]]
    """
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
