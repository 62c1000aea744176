"""Stacks of masked slices to grids of one spacing: the largest slice, three planes, or a cube."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_fill_holes

Floats = npt.NDArray[np.float64]

INSIDE = 0.5
"""Coverage from which a voxel shows tissue; below, it shows nothing, as in the slices outside the contour."""

SAME_MM = 1e-3
"""Slices nearer than this are one slice, drawn in parts."""


@dataclass(frozen=True)
class Stack:
    """Slices of one nodule from the feet to the head.

    Parameters
    ----------
    pixels : ndarray, shape (slice, row, column)
        0 outside the contour.
    mask : ndarray of bool, same shape
        Inside the contour; what lies inside may be 0 too.
    z_mm : ndarray, shape (slice,)
        Increasing.
    pixel_mm : float
    step_mm : float
        How far the first and last slice reach beyond themselves, counted from slice to slice.
    """

    pixels: Floats
    mask: npt.NDArray[np.bool_]
    z_mm: Floats
    pixel_mm: float
    step_mm: float

    @classmethod
    def of(cls, pixels: npt.NDArray[np.uint8], z_mm: Floats, pixel_mm: float, thickness_mm: float) -> Stack:
        """From crops sorted by z; parts of a nodule that stand in crops of their own at one z are put together."""
        begins = np.flatnonzero(np.diff(z_mm, prepend=-np.inf) > SAME_MM)
        drawn = np.maximum.reduceat(pixels, begins)
        mask = np.stack([binary_fill_holes(one) for one in drawn > 0])
        heights = z_mm[begins]
        step = float(np.median(np.diff(heights))) if len(heights) > 1 else thickness_mm
        return cls(drawn.astype(np.float64), mask, heights, pixel_mm, step)

    @property
    def axes_mm(self) -> tuple[Floats, Floats, Floats]:
        """Positions of slices, rows and columns."""
        rows, columns = (np.arange(n, dtype=np.float64) * self.pixel_mm for n in self.mask.shape[1:])
        return self.z_mm, rows, columns

    @property
    def centre_mm(self) -> Floats:
        """Centre of mass of the mask, each slice weighing as much as the space to its neighbours; shape (3,)."""
        padded = np.concatenate([[self.z_mm[0] - self.step_mm], self.z_mm, [self.z_mm[-1] + self.step_mm]])
        weight = self.mask * ((padded[2:] - padded[:-2]) / 2)[:, None, None]
        total = weight.sum()
        return np.array(
            [(weight.sum(tuple(o for o in range(3) if o != axis)) @ at) / total for axis, at in enumerate(self.axes_mm)]
        )

    @property
    def largest(self) -> int:
        """The slice with most of the mask; of equal ones the nearest to the middle."""
        area = self.mask.sum((1, 2))
        away = np.abs(np.arange(len(area)) - (len(area) - 1) / 2)
        return int(np.lexsort((away, -area))[0])


def cube(stack: Stack, size: int, spacing_mm: float) -> tuple[Floats, Floats]:
    """Pixels and coverage on a cube around the centre, shape (size, size, size) each."""
    around = _around(size, spacing_mm)
    return _resampled(stack, [c + around for c in stack.centre_mm], spacing_mm)


def planes(stack: Stack, size: int, spacing_mm: float) -> tuple[Floats, Floats]:
    """The axial, coronal and sagittal plane through the centre, shape (3, size, size) each; rows of the last two are z."""
    around = _around(size, spacing_mm)
    found = []
    for axis in range(3):
        reach = [np.array([c]) if other == axis else c + around for other, c in enumerate(stack.centre_mm)]
        found.append([values.squeeze(axis) for values in _resampled(stack, reach, spacing_mm)])
    pixels, coverage = zip(*found, strict=True)
    return np.stack(pixels), np.stack(coverage)


def mid_slice(stack: Stack, size: int, spacing_mm: float) -> tuple[Floats, Floats]:
    """The largest slice around its own centre, shape (1, size, size) each."""
    at = stack.largest
    alone = replace(stack, pixels=stack.pixels[at : at + 1], mask=stack.mask[at : at + 1], z_mm=stack.z_mm[at : at + 1])
    _, row, column = alone.centre_mm
    around = _around(size, spacing_mm)
    # A slice that is as thick as its neighbours are apart is asked for its middle alone.
    return _resampled(alone, [alone.z_mm, row + around, column + around], spacing_mm, slab_mm=0.0)


def _around(size: int, spacing_mm: float) -> Floats:
    return (np.arange(size, dtype=np.float64) - (size - 1) / 2) * spacing_mm


def mid_slice_as_it_is(stack: Stack, size: int) -> tuple[Floats, Floats]:
    """The largest slice in its own pixels, cut or padded about the centre of the crop, shape (1, size, size) each."""
    at = stack.largest
    found = []
    for values in (stack.pixels[at], stack.mask[at].astype(np.float64)):
        out = np.zeros((size, size))
        into, cut = zip(*(_overlap(size, side) for side in values.shape), strict=True)
        out[into] = values[cut]
        found.append(out[None])
    return found[0], found[1]


def _overlap(size: int, side: int) -> tuple[slice, slice]:
    """Where a row of one length stands in one of another, middle on middle: slices of the second and of the first."""
    length, shift = min(size, side), (size - side) // 2
    return slice(max(shift, 0), max(shift, 0) + length), slice(max(-shift, 0), max(-shift, 0) + length)


def _resampled(
    stack: Stack, at_mm: list[Floats], spacing_mm: float, slab_mm: float | None = None
) -> tuple[Floats, Floats]:
    """Means over voxels: of the coverage over all of each, of pixels over its inside alone, as outside there is nothing.

    Voxels are as thick as ``spacing_mm``, slices of them as ``slab_mm``.
    """
    steps = (stack.step_mm, stack.pixel_mm, stack.pixel_mm)
    widths = (spacing_mm if slab_mm is None else slab_mm, spacing_mm, spacing_mm)
    z, rows, columns = (
        voxel_weights(at, own, step, width)
        for at, own, step, width in zip(at_mm, stack.axes_mm, steps, widths, strict=True)
    )
    coverage, pixels = (
        np.einsum("zs,src,yr,xc->zyx", z, values, rows, columns, optimize=True)
        for values in (stack.mask.astype(np.float64), stack.pixels)
    )
    inside = coverage >= INSIDE
    return np.where(inside, pixels / np.where(inside, coverage, 1.0), 0.0), coverage


def voxel_weights(at_mm: Floats, positions_mm: Floats, step_mm: float, width_mm: float) -> Floats:
    """Weights of samples in the means over voxels; between samples values lie on a line.

    A step before the first sample and after the last there is nothing. As means, and not values at points, they keep
    volumes: what is lost in one voxel stands in its neighbour.

    Parameters
    ----------
    at_mm : ndarray, shape (voxel,)
        Centres.
    positions_mm : ndarray, shape (sample,)
        Increasing; need not be evenly spaced.
    step_mm : float
    width_mm : float
        Of a voxel; 0 for values at points.

    Returns
    -------
    ndarray, shape (voxel, sample)

    Examples
    --------
    >>> voxel_weights(np.array([-0.5, 0.5, 9.0]), np.array([0.0, 2.0]), 1.0, 0.0).tolist()
    [[0.5, 0.0], [0.75, 0.25], [0.0, 0.0]]
    >>> voxel_weights(np.array([0.0, 1.0]), np.array([0.0, 2.0]), 1.0, 2.0).tolist()
    [[0.625, 0.125], [0.5, 0.5]]
    """
    padded = np.concatenate([[positions_mm[0] - step_mm], positions_mm, [positions_mm[-1] + step_mm]])
    left, share = _segment(at_mm, padded)
    rows = np.arange(len(at_mm))
    weights = np.zeros((len(at_mm), len(padded)))
    if width_mm == 0:
        weights[rows, left], weights[rows, left + 1] = 1 - share, share
    else:
        weights = (_area_before(at_mm + width_mm / 2, padded) - _area_before(at_mm - width_mm / 2, padded)) / width_mm
    return weights[:, 1:-1]


def _segment(at_mm: Floats, padded: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Between which two samples each place lies, and how far along; places outside lie at the ends."""
    at = np.clip(at_mm, padded[0], padded[-1])
    left = np.clip(np.searchsorted(padded, at, side="right") - 1, 0, len(padded) - 2)
    return left, (at - padded[left]) / (padded[left + 1] - padded[left])


def _area_before(at_mm: Floats, padded: Floats) -> Floats:
    """How much of each sample's tent lies before each place, in mm; shape (place, sample)."""
    left, share = _segment(at_mm, padded)
    length = np.diff(padded)
    # Each segment is the right half of one tent and the left half of the next.
    passed = np.arange(len(length)) < left[:, None]
    along = np.where(passed, 1.0, 0.0)
    along[np.arange(len(at_mm)), left] = share
    area = np.zeros((len(at_mm), len(padded)))
    area[:, :-1] += length * (along - along**2 / 2)
    area[:, 1:] += length * along**2 / 2
    return area
