"""Nodules in frames of one size, centred: mid-slice images and volumes, drawn from the consensus outlines.

Values are the share of each pixel or voxel that the consensus covers, from 0 to 1, so that a nodule smaller than a
pixel keeps its size. Axes are (row, column) of the DICOM image, for volumes (slice, row, column) with the lowest z
first.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.measures.outlines import Floats, Outlines
from pellucid_ct.lidc.annotations.consensus import Consensus
from pellucid_ct.lidc.annotations.rasterise import outline_coverage

Scale = Literal["millimetres", "normalised"]

FILL = 0.95
"""At scale ``"normalised"``, how far the farthest point of a nodule is from the centre, in half frames."""

FIELD_OF_VIEW_MM = {2: 56.0, 3: 80.0}
"""Width of the frame that holds every nodule of LIDC-IDRI, whole: the farthest outline point is 26.8 mm from its
mid-slice's centre along an axis, and 39.5 mm from its volume's."""


def mid_slice_images(
    shapes: Outlines,
    spacing_mm: Floats,
    *,
    size: int,
    scale: Scale = "millimetres",
    field_of_view_mm: float | None = None,
) -> tuple[npt.NDArray[np.float32], Floats]:
    """Draw one slice of each nodule.

    Parameters
    ----------
    shapes : Outlines
        One image a nodule, in pixels of its scan; see :meth:`Consensus.outlines`.
    spacing_mm : ndarray, shape (nodule,)
        Pixel spacing of each nodule's scan.
    size : int
        Rows and columns of the frame.
    scale : {"millimetres", "normalised"}
        With ``"millimetres"`` all frames have one field of view, and size stays in the image; a nodule that does not
        fit is shrunk until it does. With ``"normalised"`` each nodule fills its frame, and only the outline's form is
        left.
    field_of_view_mm : float, optional
        Width of the frame at scale ``"millimetres"``; by default one that holds every nodule of the data.

    Returns
    -------
    images : ndarray of float32, shape (nodule, row, column)
        Coverage; each nodule's centroid is in the middle of its frame.
    frame_mm : ndarray, shape (nodule,)
        Width of each nodule's frame.
    """
    centre = np.nan_to_num(shapes.centroids())
    reach = _reach(shapes, centre, scale) * spacing_mm
    frame = _frame_widths(reach, scale, field_of_view_mm or FIELD_OF_VIEW_MM[2])
    factor = spacing_mm * size / frame
    placed = shapes.moved((size - 1) / 2 - centre * factor[:, None], factor)
    return outline_coverage(placed, (size, size)), frame


def volumes(
    consensus: Consensus,
    spacing_mm: Floats,
    slice_spacing_mm: Floats,
    *,
    size: int,
    scale: Scale = "millimetres",
    field_of_view_mm: float | None = None,
) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Draw all slices of each nodule into a cube, interpolating between them.

    Each slice's coverage fades linearly to its neighbours' over the distance between slices, and beyond the last
    slice to nothing; each voxel holds the mean over its depth. The sum over the cube is the nodule's volume.

    Parameters
    ----------
    consensus : Consensus
    spacing_mm, slice_spacing_mm : ndarray, shape (nodule,)
        Of each nodule's scan, in the plane and between slices.
    size, scale, field_of_view_mm
        See :func:`mid_slice_images`.

    Returns
    -------
    cubes : ndarray of uint8, shape (nodule, slice, row, column)
        Coverage in 1/255.
    frame_mm : ndarray, shape (nodule,)
        Width of each nodule's cube.
    """
    nodule, number, _ = consensus.slices()
    shapes = consensus.outlines(nodule, number)
    area = shapes.areas()
    total = np.bincount(nodule, area)
    in_plane = np.nan_to_num(shapes.centroids())
    centre = np.stack([np.bincount(nodule, area * in_plane[:, i]) / total for i in (0, 1)], axis=1)
    height = (number - (np.bincount(nodule, area * number) / total)[nodule]) * slice_spacing_mm[nodule]
    reach_in_plane = _reach(shapes, centre[nodule], scale) * spacing_mm[nodule]
    reach_across = np.abs(height) + slice_spacing_mm[nodule] / 2
    reach = np.zeros(len(consensus))
    farther = np.hypot if scale == "normalised" else np.maximum
    np.maximum.at(reach, nodule, farther(reach_in_plane, reach_across))
    frame = _frame_widths(reach, scale, field_of_view_mm or FIELD_OF_VIEW_MM[3])

    factor = (spacing_mm * size / frame)[nodule]
    placed = shapes.moved((size - 1) / 2 - centre[nodule] * factor[:, None], factor)
    flat = outline_coverage(placed, (size, size)).reshape(len(nodule), -1)
    cubes = np.zeros((len(consensus), size, size * size), np.uint8)
    bounds = np.searchsorted(nodule, np.arange(len(consensus) + 1))
    for one in range(len(consensus)):
        slices = slice(bounds[one], bounds[one + 1])
        share = _depth_shares(height[slices], slice_spacing_mm[one], frame[one], size)
        cubes[one] = np.rint(255 * np.clip(share @ flat[slices], 0, 1))
    return cubes.reshape(len(consensus), size, size, size), frame


def _reach(shapes: Outlines, centre: Floats, scale: Scale) -> Floats:
    # A frame must hold the farthest point along an axis; to fill a frame whatever way a nodule lies, distance counts.
    if scale == "normalised":
        return shapes.reaches(centre)
    reach = np.zeros(shapes.count)
    np.maximum.at(reach, shapes.owner, np.abs(shapes.points - centre[shapes.owner]).max(1))
    return reach


def _frame_widths(reach: Floats, scale: Scale, field_of_view_mm: float) -> Floats:
    return 2 * reach / FILL if scale == "normalised" else np.maximum(2 * reach, field_of_view_mm)


def _depth_shares(height: Floats, spacing: float, frame: float, size: int) -> npt.NDArray[np.float32]:
    """How much of each voxel's depth each slice stands for, shape (voxel, slice)."""
    edges = np.linspace(-frame / 2, frame / 2, size + 1)[:, None]
    u = np.clip((edges - height) / spacing, -1, 1)
    # Integral of the triangle 1 - |u| from -1.
    integral = 0.5 + u - 0.5 * u * np.abs(u)
    return (np.diff(integral, axis=0) * spacing * size / frame).astype(np.float32)
