"""What a person would measure on a picture of a lesion: area, perimeter, and how ragged its outline is.

The contract of a measure is ``measure(values, spec) -> one number a sample``. These read masks, coverages or
probabilities, and measure what is at least 0.5, along an outline that runs between pixels. On soft edges they are
right to 3 % from a radius of three pixels on; on hard 0/1 masks the staircase makes perimeters about 5 % too long.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.data.spec import Image, Volume
from pellucid.errors import DataError
from pellucid_ct.outlines import Floats, Outlines, outlines

THRESHOLD = 0.5

DISC = 4 * np.pi
"""Spiculation of a disc, the least there is."""


def area(values: npt.NDArray[np.number], spec: Image | Volume | None = None, *, threshold: float = THRESHOLD) -> Floats:
    """Area inside the outline.

    Parameters
    ----------
    values : ndarray, shape (sample, row, column), (sample, 1, row, column) or (sample, 1, slice, row, column)
        Of volumes, the slice in the middle is measured. Outside of the frame counts as 0.
    spec : Image or Volume, optional
        Gives the size of a pixel; without it, or where it has none, pixels are the unit.
    threshold : float
        What is inside.

    Returns
    -------
    ndarray, shape (sample,), mm2 or pixels
        0 where nothing reaches the threshold.

    Raises
    ------
    DataError
        If an image holds NaN, or the shape is another one.

    Examples
    --------
    >>> area(np.zeros((2, 8, 8)))
    array([0., 0.])
    """
    return _outlines(values, spec, threshold).areas()


def perimeter(
    values: npt.NDArray[np.number], spec: Image | Volume | None = None, *, threshold: float = THRESHOLD
) -> Floats:
    """Length of the outline, holes and separate pieces included.

    Parameters
    ----------
    values, spec, threshold
        See :func:`area`.

    Returns
    -------
    ndarray, shape (sample,), mm or pixels
        0 where nothing reaches the threshold.
    """
    return _outlines(values, spec, threshold).perimeters()


def spiculation(
    values: npt.NDArray[np.number], spec: Image | Volume | None = None, *, threshold: float = THRESHOLD
) -> Floats:
    """Perimeter squared by area: 4 pi (12.6) for a disc of any size, more the more ragged the outline.

    Parameters
    ----------
    values, spec, threshold
        See :func:`area`.

    Returns
    -------
    ndarray, shape (sample,)
        :data:`DISC` where nothing reaches the threshold: what cannot be seen has no spikes.
    """
    traced = _outlines(values, spec, threshold)
    size = traced.areas()
    return np.divide(traced.perimeters() ** 2, size, out=np.full_like(size, DISC), where=size > 0)


def _outlines(values: npt.NDArray[np.number], spec: Image | Volume | None, threshold: float) -> Outlines:
    images = np.asarray(values)
    if images.ndim == 5:
        images = images[:, :, images.shape[2] // 2]
    if images.ndim == 4:
        if images.shape[1] != 1:
            raise DataError(
                f"outlines are measured on one channel, got {images.shape[1]}: pass the channel of the mask alone"
            )
        images = images[:, 0]
    traced = outlines(images, threshold)
    spacing = None if spec is None or spec.spacing_mm is None else spec.spacing_mm[-2:]
    if spacing is None:
        return traced
    return traced.stretched(*spacing)
