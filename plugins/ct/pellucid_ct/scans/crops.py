"""Crops around a lesion: pixels as they were scanned, or resampled so that a millimetre is the same in every scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator

from pellucid.errors import DataError
from pellucid_ct.scans.geometry import Vector3
from pellucid_ct.scans.lesions import Lesion
from pellucid_ct.scans.volume import CtVolume, LesionMask


def _as_text(value: object) -> object:
    return f"{value:g}" if isinstance(value, int | float) else value


Dimensions = Annotated[Literal["2", "2.5", "3"], BeforeValidator(_as_text)]
"""Ways to see a lesion: a plane, three planes at right angles, or a cube. A number does as well in a study."""

PLANES = ("axial", "coronal", "sagittal")
"""Channels of a crop in "2.5" dimensions."""

PADDING_HU = -1024.0
"""What stands where a crop leaves the scan: air, the lowest value of most scanners."""


@dataclass(frozen=True, eq=False)
class NativeCrops:
    """Crops of a lesion's slices, on the pixels of the scan.

    Parameters
    ----------
    hu : ndarray of float32, shape (crop, row, column)
    mask : ndarray of float32, shape (crop, row, column)
        1 inside the lesion, 0 outside.
    slices : ndarray of int, shape (crop,)
        Slice of the canonical grid that each was cut from.
    spacing_mm : (float, float)
        Between rows and between columns. It differs from scan to scan, so the same lesion fills more pixels in one.
    small : int
        Slices that hold a part of the lesion but too few pixels of it.
    dropped : int
        Slices whose crop would leave the image.
    """

    hu: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    slices: npt.NDArray[np.int64]
    spacing_mm: tuple[float, float]
    small: int
    dropped: int


@dataclass(frozen=True, eq=False)
class IsotropicCrop:
    """A crop around a lesion, resampled to one spacing in all directions.

    Parameters
    ----------
    hu : ndarray of float32
        Shape (1, row, column) for "2", (plane, row, column) for "2.5", (1, slice, row, column) for "3".
    mask : ndarray of float32
        Of the same shape: the share of each pixel or voxel that the lesion covers, 0 to 1.
    spacing_mm : float
    centre_mm : (float, float, float)
        x, y, z of the crop's centre, in the patient's frame.
    padded : float
        Share of ``hu`` that lies outside the scan.
    """

    hu: npt.NDArray[np.float32]
    mask: npt.NDArray[np.float32]
    spacing_mm: float
    centre_mm: Vector3
    padded: float


def native_crops(
    volume: CtVolume, mask: LesionMask, lesion: Lesion, *, size: int = 64, least_pixels: int = 8
) -> NativeCrops:
    """Cut every slice of a lesion as it was scanned.

    Each axial slice where the lesion covers at least ``least_pixels`` gives one crop of ``size`` x ``size`` pixels. Its
    pixel ``size // 2`` lies in the middle of the box around the lesion in that slice; of a box of even width, just after
    the middle. Nothing is resampled or padded: a crop that would leave the image is dropped and counted.

    Parameters
    ----------
    volume : CtVolume
    mask : LesionMask
    lesion : Lesion
        From :func:`~pellucid_ct.scans.lesions.find_lesions` of the same two.
    size : int
        Side of a crop, in pixels.
    least_pixels : int

    References
    ----------
    The preparation described by Keel et al., "Variational autoencoders for feature exploration and malignancy
    prediction of lung lesions" (BMVC 2023).
    """
    volume, mask = _canonical(volume, mask)
    inside = mask.labels[lesion.box] == lesion.label
    slices, corner, small, dropped = native_places(
        inside, tuple(s.start for s in lesion.box), volume.hu.shape[1:], size=size, least_pixels=least_pixels
    )
    hu, shown = np.empty((2, len(slices), size, size), np.float32)
    for i, (at, (row, column)) in enumerate(zip(slices.tolist(), corner.tolist(), strict=True)):
        window = (at, slice(row, row + size), slice(column, column + size))
        hu[i], shown[i] = volume.hu[window], mask.labels[window] == lesion.label
    return NativeCrops(
        hu,
        shown,
        slices.astype(np.int64),
        volume.geometry.spacing_mm[1:],
        small=small,
        dropped=dropped,
    )


def native_places(
    inside: npt.NDArray[np.bool_],
    corner: tuple[int, ...],
    image: tuple[int, ...],
    *,
    size: int = 64,
    least_pixels: int = 8,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int, int]:
    """Where :func:`native_crops` cuts, known from the mask alone.

    Parameters
    ----------
    inside : ndarray of bool, shape (slice, row, column)
        The lesion in a box around it, on the canonical grid.
    corner : (int, int, int)
        First slice, row and column of the box in the scan.
    image : (int, int)
        Rows and columns of the scan.
    size, least_pixels : int

    Returns
    -------
    slices : ndarray of int, shape (crop,)
        Of the scan.
    corners : ndarray of int, shape (crop, 2)
        First row and column of each crop.
    small, dropped : int
        See :class:`NativeCrops`.
    """
    area = inside.sum((1, 2))
    large = np.flatnonzero(area >= least_pixels)
    rows, columns = (_ends(np.asarray(inside[large].any(axis))) for axis in (2, 1))
    middle = np.stack([rows.sum(0), columns.sum(0)], axis=1).astype(np.int64) // 2 + corner[1:]
    corners = middle - size // 2
    fits = ((corners >= 0) & (corners + size <= image)).all(1)
    slices = large[fits].astype(np.int64) + corner[0]
    return slices, corners[fits], int(((area > 0) & (area < least_pixels)).sum()), int((~fits).sum())


def isotropic_crop(
    volume: CtVolume,
    mask: LesionMask,
    lesion: Lesion,
    *,
    dimensions: Dimensions = "3",
    size: int = 64,
    spacing_mm: float = 1.0,
    padding_hu: float = PADDING_HU,
) -> IsotropicCrop:
    """Cut a lesion out, centred on its centroid, with the same millimetres a pixel in every scan and direction.

    Hounsfield units are interpolated linearly between the centres of voxels; up to half a voxel beyond the outermost
    centres they keep the outermost value, and farther out stands ``padding_hu``. The mask is not interpolated: each
    pixel gets the share of it that voxels of the lesion cover, so that a crop around the whole lesion keeps its volume
    exactly. A plane is taken as thick as its pixels are wide, for the mask; Hounsfield units are those in its middle.

    Parameters
    ----------
    volume : CtVolume
    mask : LesionMask
    lesion : Lesion
        From :func:`~pellucid_ct.scans.lesions.find_lesions` of the same two.
    dimensions : "2", "2.5" or "3"
        The axial plane through the centroid; the axial, coronal and sagittal plane; or a cube. Axial rows go from front
        to back and columns from the patient's right to left; rows of the other planes go from head to feet, as pictures
        are hung, columns from right to left (coronal) and from front to back (sagittal); slices of a cube go from feet to
        head.
    size : int
        Pixels along each side.
    spacing_mm : float
        Between pixels.
    padding_hu : float

    Raises
    ------
    DataError
        If the mask was not drawn on this scan, or the grid is oblique.
    """
    if dimensions not in ("2", "2.5", "3"):
        raise DataError(f"dimensions is {dimensions!r}, expected '2', '2.5' or '3'")
    if not (size > 0 and 0 < spacing_mm < np.inf):
        raise DataError(f"size is {size} and spacing_mm is {spacing_mm}, expected both above 0")
    volume, mask = _canonical(volume, mask)
    centre = volume.geometry.indices(lesion.centroid_mm)
    line, plane = (np.arange(size) - (size - 1) / 2) * spacing_mm, np.zeros(1)
    if dimensions == "3":
        cut = [(line, line, line)]
    else:
        cut = [(plane, line, line), (line[::-1], plane, line), (line[::-1], line, plane)]
        cut = cut[: 1 if dimensions == "2" else 3]
    channels, shares, outside = [], [], []
    for offsets_mm in cut:
        at = [c + o / s for c, o, s in zip(centre, offsets_mm, volume.geometry.spacing_mm, strict=True)]
        out = _outside(at, volume.hu.shape)
        hu = _weighed(volume.hu, [_linear(p, n) for p, n in zip(at, volume.hu.shape, strict=True)], lesion=None)
        hu[out] = padding_hu
        wide = [spacing_mm / s for s in volume.geometry.spacing_mm]
        shown = [_covered(p, w, n) for p, w, n in zip(at, wide, volume.hu.shape, strict=True)]
        channels.append(hu)
        shares.append(_weighed(mask.labels, shown, lesion=lesion.label))
        outside.append(out)
    shape = (1, size, size, size) if dimensions == "3" else (len(cut), size, size)
    return IsotropicCrop(
        np.stack([channel.ravel() for channel in channels]).reshape(shape),
        np.stack([share.ravel() for share in shares]).reshape(shape),
        float(spacing_mm),
        lesion.centroid_mm,
        float(np.mean([out.mean() for out in outside])),
    )


# --- resampling along the axes ----------------------------------------------------------------------------------------

Weights = tuple[slice, npt.NDArray[np.float64]]
"""The voxels that are needed along an axis, and what each one counts for each new pixel; shape (pixel, voxel)."""


def _weighed(values: npt.NDArray[np.generic], weights: list[Weights], lesion: int | None) -> npt.NDArray[np.float32]:
    """New pixels as weighed sums of voxels, one axis after the other: only the voxels needed are ever touched."""
    part = values[tuple(needed for needed, _ in weights)]
    part = np.asarray(part if lesion is None else part == lesion)
    resampled: npt.NDArray[np.float32] = part.astype(np.float32)
    for _, matrix in weights:
        # The first axis goes to the end each time, so after three of them all are in place again.
        resampled = np.tensordot(resampled, matrix.astype(np.float32), ([0], [1]))
    return resampled


def _linear(at: npt.NDArray[np.float64], count: int) -> Weights:
    """Weights of the voxels before and after each place, in voxels of an axis of ``count``."""
    held = np.clip(at, 0, count - 1)
    before = np.minimum(np.floor(held).astype(np.int64), max(count - 2, 0))
    after = np.minimum(before + 1, count - 1)
    start, stop = int(before.min()), int(after.max()) + 1
    matrix = np.zeros((len(at), stop - start))
    pixel = np.arange(len(at))
    matrix[pixel, before - start] += 1 - (held - before)
    matrix[pixel, after - start] += held - before
    return slice(start, stop), matrix


def _covered(at: npt.NDArray[np.float64], wide: float, count: int) -> Weights:
    """Share of each new pixel, ``wide`` voxels wide, that each voxel covers."""
    start = int(np.clip(np.floor(at.min() - wide / 2 + 0.5), 0, count - 1))
    stop = int(np.clip(np.ceil(at.max() + wide / 2 + 0.5), start + 1, count))
    voxel = np.arange(start, stop)
    low = np.maximum(at[:, None] - wide / 2, voxel - 0.5)
    high = np.minimum(at[:, None] + wide / 2, voxel + 0.5)
    return slice(start, stop), np.maximum(high - low, 0) / wide


def _outside(at: list[npt.NDArray[np.float64]], shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    one, two, three = ((p < -0.5) | (p > n - 0.5) for p, n in zip(at, shape, strict=True))
    return one[:, None, None] | two[:, None] | three


def _canonical(volume: CtVolume, mask: LesionMask) -> tuple[CtVolume, LesionMask]:
    volume = volume.canonical()
    return volume, mask.on(volume)


def _ends(some: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """First true place of each row, and the one after the last; shape (row, place) to (2, row)."""
    return np.stack([some.argmax(1), some.shape[1] - some[:, ::-1].argmax(1)])
