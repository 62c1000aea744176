"""What can be measured of one bright thing on a darker ground, without knowing where it is."""

from __future__ import annotations

from typing import Any

import numpy as np


def area(values: np.ndarray, spec: Any) -> np.ndarray:
    """Area of the bright thing in pixels.

    Parameters
    ----------
    values : ndarray, shape (sample, channel, row, column)
        The first channel is measured; a decoded image will do.
    spec : Image
        Not needed here.

    Returns
    -------
    ndarray, shape (sample,)
        Pixels at the edge count in part, so that a change of less than a pixel is seen.
    """
    return _inside(values).sum((1, 2))


def spiculation(values: np.ndarray, spec: Any) -> np.ndarray:
    """How ragged the bright thing's outline is: squared perimeter over 4 pi times its area, 1 for a disc.

    On soft edges it is about 4 % too large.

    Parameters
    ----------
    values, spec
        See :func:`area`.

    Returns
    -------
    ndarray, shape (sample,)
        NaN where nothing is bright.
    """
    inside = _inside(values)
    # The length of the edge of a set is the integral of the gradient of its indicator (co-area formula); the gradient is
    # taken in the middle of four pixels, where it is nearest to the same in all directions.
    one, two, three, four = inside[:, :-1, :-1], inside[:, :-1, 1:], inside[:, 1:, :-1], inside[:, 1:, 1:]
    perimeter = np.hypot(two - one + four - three, three - one + four - two).sum((1, 2)) / 2
    size = inside.sum((1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(size > 0, perimeter**2 / (4 * np.pi * size), np.nan)


def _inside(values: np.ndarray) -> np.ndarray:
    """How far each pixel lies inside, 0 to 1, shape (sample, row, column).

    The threshold lies half-way between the ground (median of the border) and the thing (98th percentile), and is soft
    over half of their difference.
    """
    plane = np.asarray(values, np.float64)[:, 0]
    border = np.concatenate([plane[:, 0], plane[:, -1], plane[:, :, 0], plane[:, :, -1]], axis=1)
    ground = np.median(border, axis=1)
    step = np.quantile(plane.reshape(len(plane), -1), 0.98, axis=1) - ground
    middle = (ground + 0.5 * step)[:, None, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        soft = np.clip((plane - middle) / (0.5 * step[:, None, None]) + 0.5, 0, 1)
    return np.where(step[:, None, None] > 0, soft, 0.0)
