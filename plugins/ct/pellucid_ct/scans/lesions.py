"""Lesions in a mask: how many, where, how large and how dense each one is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from pellucid.errors import DataError, abridged
from pellucid_ct.scans.geometry import Vector3
from pellucid_ct.scans.volume import CtVolume, LesionMask

MOST = 2**16 - 1
"""Lesions that a mask can hold: their numbers are 16 bits wide."""

MOST_OF_A_SCAN = 1000
"""Lesions of one scan that are measured at most: what has more is no mask of lesions."""

_HULL = 64
"""Boundary points from which on a convex hull is faster than all their distances."""


@dataclass(frozen=True)
class Lesion:
    """One lesion, measured on the voxels of its mask.

    Parameters
    ----------
    label : int
        Its number in the mask.
    box : (slice, slice, slice)
        Smallest box around it, in slices, rows and columns of the canonical grid
        (:meth:`~pellucid_ct.scans.volume.CtVolume.canonical`).
    voxels : int
    volume_mm3 : float
        Number of voxels times the volume of one.
    diameter_mm : float
        Longest diameter in one axial slice, as a radiologist draws it; see :func:`longest_diameter`.
    diameter_slice : int
        Slice of the canonical grid in which it was found.
    sphere_diameter_mm : float
        Diameter of the sphere of the same volume.
    centroid_mm : (float, float, float)
        x, y, z of the mean position of its voxels, in the patient's frame. Of a crescent it may lie outside.
    mean_hu, sd_hu, low_hu, high_hu : float
        Of the voxels inside, those at the rim with their partial volume included.
    at_border : bool
        Whether it touches the edge of the scan: then it may go on beyond, and be larger than measured.
    """

    label: int
    box: tuple[slice, slice, slice]
    voxels: int
    volume_mm3: float
    diameter_mm: float
    diameter_slice: int
    sphere_diameter_mm: float
    centroid_mm: Vector3
    mean_hu: float
    sd_hu: float
    low_hu: float
    high_hu: float
    at_border: bool


def find_lesions(volume: CtVolume, mask: LesionMask, *, labels: tuple[int, ...] | None = None) -> tuple[Lesion, ...]:
    """Measure the lesions of a scan.

    Parameters
    ----------
    volume : CtVolume
        In any orientation along the patient's axes; lesions are measured on its canonical grid.
    mask : LesionMask
        Drawn on this scan. One number is one lesion; :func:`connected` numbers the parts of a mask that has one number
        for all.
    labels : tuple of int, optional
        The lesions asked for, in this order. All, in order of their numbers, if left out.

    Raises
    ------
    DataError
        If the mask is empty, lacks a lesion asked for, was drawn on another grid, or the grid is oblique.
    """
    volume = volume.canonical()
    mask = mask.on(volume)
    boxes = _boxes(mask)
    if labels is None:
        labels = tuple(boxes)
    if len(labels) > MOST_OF_A_SCAN:
        raise DataError(
            f"{mask.where}: this mask has {len(labels)} numbers, more than {MOST_OF_A_SCAN} lesions: is it a picture, or a map "
            "of organs? Give a mask of lesions, numbered 1, 2, ..."
        )
    if absent := [label for label in labels if label not in boxes]:
        raise DataError(f"{mask.where}: this mask has no lesion {absent[0]}; it has {abridged(list(boxes), 10)}")
    return tuple(_measured(volume, mask, label, boxes[label]) for label in labels)


def connected(mask: LesionMask, *, least_voxels: int = 1) -> LesionMask:
    """The same mask with each connected part as a lesion of its own, numbered in the order of their first voxels.

    Voxels that share a face, an edge or a corner are connected; parts of different numbers stay apart.

    Parameters
    ----------
    mask : LesionMask
    least_voxels : int
        Smaller parts are left out: specks of a segmentation by software.

    Raises
    ------
    DataError
        If the mask is empty, nothing is large enough, or there are more parts than numbers.
    """
    found: list[tuple[int, tuple[slice, ...], npt.NDArray[np.bool_]]] = []
    for label, box in _boxes(mask).items():
        parts, count = ndimage.label(mask.labels[box] == label, np.ones((3, 3, 3)))
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        large = int((sizes[1:] >= least_voxels).sum())
        if len(found) + large > MOST:
            raise DataError(
                f"{mask.where}: lesion {label} falls into {large} parts, at most {MOST} can be numbered; raise least_voxels"
            )
        for part, inner in enumerate(ndimage.find_objects(parts), 1):
            if sizes[part] >= least_voxels:
                at = tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(box, inner, strict=True))
                inside = parts[inner] == part
                corner = np.argwhere(inside)[0] + [s.start for s in at]
                found.append((int(np.ravel_multi_index(tuple(corner), mask.labels.shape)), at, inside))
    if not found:
        raise DataError(f"{mask.where}: no part of this mask has {least_voxels} voxels; lower least_voxels")
    labels = np.zeros(mask.labels.shape, np.uint16)
    for number, (_, at, inside) in enumerate(sorted(found, key=lambda part: part[0]), 1):
        labels[at][inside] = number
    return replace(mask, labels=labels)


def longest_diameter(inside: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> tuple[float, int]:
    """Greatest distance between two points of a lesion's boundary in one slice.

    The boundary runs halfway between the centre of the last pixel inside and that of the first one outside, in the
    directions of rows and columns. So a single pixel measures its own side and n pixels in a row n sides. What is round
    comes out longer by 0.5 to 0.9 pixels, as the longest of many directions finds the pixels that stand out most.

    Parameters
    ----------
    inside : ndarray of bool, shape (slice, row, column)
        A lesion in its box.
    spacing_mm : (float, float)
        Between rows, between columns.

    Returns
    -------
    diameter_mm : float
    slice : int
        In which it was found: the first one where several are as long.

    Examples
    --------
    >>> longest_diameter(np.ones((1, 1, 4), bool), (1.0, 0.5))
    (2.0, 0)
    """
    size = np.stack([_extent(np.asarray(inside.any(2))), _extent(np.asarray(inside.any(1)))], axis=1) * np.asarray(
        spacing_mm
    )
    reach = np.hypot(size[:, 0], size[:, 1])
    longest, where = 0.0, 0
    # No slice can hold a diameter longer than the diagonal of its box, so most slices are never looked at.
    for index in np.argsort(-reach, kind="stable"):
        if reach[index] <= longest:
            break
        here = _greatest_distance(_rim(inside[index]) * np.asarray(spacing_mm))
        if here > longest or (here == longest and index < where):
            longest, where = here, int(index)
    return longest, where


# --- one lesion -------------------------------------------------------------------------------------------------------


def _measured(volume: CtVolume, mask: LesionMask, label: int, box: tuple[slice, slice, slice]) -> Lesion:
    inside = mask.labels[box] == label
    hu = volume.hu[box][inside].astype(np.float64)
    geometry = volume.geometry
    diameter, where = longest_diameter(inside, geometry.spacing_mm[1:])
    at = np.argwhere(inside).mean(0) + [s.start for s in box]
    volume_mm3 = len(hu) * geometry.voxel_mm3
    return Lesion(
        label=label,
        box=box,
        voxels=len(hu),
        volume_mm3=volume_mm3,
        diameter_mm=diameter,
        diameter_slice=box[0].start + where,
        sphere_diameter_mm=float(np.cbrt(6 * volume_mm3 / np.pi)),
        centroid_mm=tuple(geometry.positions_mm(at).tolist()),
        mean_hu=float(hu.mean()),
        sd_hu=float(hu.std()),
        low_hu=float(hu.min()),
        high_hu=float(hu.max()),
        at_border=any(s.start == 0 or s.stop == n for s, n in zip(box, geometry.shape, strict=True)),
    )


def _boxes(mask: LesionMask) -> dict[int, tuple[slice, slice, slice]]:
    # A contiguous array is gone through several times faster than a rearranged view of one.
    boxes = ndimage.find_objects(np.ascontiguousarray(mask.labels))
    found = {label: box for label, box in enumerate(boxes, 1) if box is not None}
    if not found:
        raise DataError(f"{mask.where}: this mask is empty, no voxel belongs to a lesion; give the one that was drawn")
    return found


def _extent(some: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """From the first to the last true value of each row, both included; shape (row, place) to (row,)."""
    last = some.shape[1] - some[:, ::-1].argmax(1)
    return np.where(some.any(1), last - some.argmax(1), 0)


def _rim(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Outermost boundary points of each row and of each column, in pixels; among them are the two farthest apart."""
    points = []
    for turned, axes in ((inside, (0, 1)), (inside.T, (1, 0))):
        lines = np.flatnonzero(turned.any(1))
        first = turned[lines].argmax(1) - 0.5
        last = turned.shape[1] - turned[lines, ::-1].argmax(1) - 0.5
        for ends in (first, last):
            points.append(np.stack([lines, ends], axis=1)[:, axes])  # noqa: PERF401
    return np.concatenate(points).astype(np.float64)


def _greatest_distance(points: npt.NDArray[np.float64]) -> float:
    if len(points) > _HULL:
        points = points[ConvexHull(points).vertices]
    return float(pdist(points).max())
