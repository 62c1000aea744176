"""Readers' drawings brought onto the grid of the scan they were drawn on, and the record that stands for a database of them.

Drawings name rows and columns of the images as they are stored; here they are turned to the canonical grid
(:meth:`~pellucid_ct.scans.volume.CtVolume.canonical`), in which almost all series of LIDC-IDRI are stored anyway. A
drawing's image says on which slice it is; the height that the file also names has to agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError
from pellucid_ct.lidc.annotations.database import RATING_RANGES, LidcDatabase
from pellucid_ct.lidc.annotations.readings import Contour, Reading
from pellucid_ct.scans.geometry import Geometry, to_canonical

SQUARE = 1e-3
"""Largest relative difference of the distances of rows and of columns. Areas are counted in pixels of one size."""


@dataclass(frozen=True, eq=False)
class Grid:
    """The grid of a series, known from its headers.

    Parameters
    ----------
    where : str
        For messages.
    subject : str
        Pseudonym of the patient.
    geometry : Geometry
        As stored: slices along their normal, rows, columns.
    images : sequence of str
        Pseudonyms of the images, in the order of the slices.
    """

    where: str
    subject: str
    geometry: Geometry
    images: Sequence[str]


@dataclass(frozen=True, eq=False)
class Joined:
    """A scan with what readers drew on it.

    Parameters
    ----------
    grid : Grid
    canonical : Geometry
    reading : Reading
    slices : ndarray of int64, shape (contour,)
        Slice of each contour in the canonical grid; contours of all drawings, one after the other.
    points : sequence of ndarray of int32, shape (vertex, 2)
        Row and column in the canonical grid, by contour.
    """

    grid: Grid
    canonical: Geometry
    reading: Reading
    slices: npt.NDArray[np.int64]
    points: Sequence[npt.NDArray[np.int32]]


def join(grid: Grid, reading: Reading) -> Joined:
    """Bring a reading onto the grid of its scan.

    Parameters
    ----------
    grid : Grid
    reading : Reading
        Of the same series.

    Raises
    ------
    DataError
        If the series is not axial or its pixels are not square; or if an outline names an image that is not in the
        series, a height that is not its image's, or a pixel outside of it. Names the file and the drawing.
    """
    order, flipped = to_canonical(grid.geometry, grid.where)
    if order[0] != 0:
        raise DataError(f"{grid.where}: its slices are not axial, as those of LIDC-IDRI are; leave this series out")
    canonical = grid.geometry.reoriented(order, flipped)
    _, rows_mm, columns_mm = canonical.spacing_mm
    if abs(rows_mm - columns_mm) > SQUARE * rows_mm:
        raise DataError(
            f"{grid.where}: PixelSpacing (0028,0030) is {rows_mm:g} x {columns_mm:g} mm, expected square pixels as in all "
            "scans of LIDC-IDRI"
        )
    stored_z = grid.geometry.positions_mm([(i, 0, 0) for i in range(grid.geometry.shape[0])])[:, 2]
    of_image = {image: number for number, image in enumerate(grid.images)}
    count = grid.geometry.shape[0]
    slices, points = [], []
    for drawing in reading.drawings:
        for contour in drawing.contours:
            number = _slice(contour, of_image, stored_z, grid)
            slices.append(count - 1 - number if flipped[0] else number)
            points.append(_turned(contour, grid.geometry, order, flipped))
    return Joined(grid, canonical, reading, np.array(slices, np.int64), points)


def record(joined: Sequence[Joined], path: Path) -> LidcDatabase:
    """What all readers drew, as :mod:`pellucid_ct.lidc.annotations.database` holds it: grouping, consensus and measures take it.

    Parameters
    ----------
    joined : sequence of Joined
    path : Path
        Of all the files, for messages.

    Returns
    -------
    LidcDatabase
        Scans are numbered from 1 in the order given, drawings in that of the files. ``patient`` is the pseudonym;
        the thickness of slices is not read (NaN), their distance is.
    """
    drawings = [(number, drawing) for number, one in enumerate(joined, start=1) for drawing in one.reading.drawings]
    contours = [contour for _, drawing in drawings for contour in drawing.contours]
    points = [outline for one in joined for outline in one.points]
    slices = np.concatenate([np.zeros(0, np.int64), *(one.slices for one in joined)])
    scan_of = np.repeat(np.arange(len(joined)), [len(one.slices) for one in joined])
    lowest = np.array([one.canonical.origin_mm[2] for one in joined])
    between = np.array([one.canonical.spacing_mm[0] for one in joined])
    annotation = np.repeat(np.arange(1, len(drawings) + 1), [len(drawing.contours) for _, drawing in drawings])
    return LidcDatabase(
        path=path,
        sha256="",
        scans=pd.DataFrame(
            {
                "patient": [one.grid.subject for one in joined],
                "slice_thickness_mm": np.nan,
                "pixel_spacing_mm": [one.canonical.spacing_mm[1] for one in joined],
                "slice_spacing_mm": between,
            },
            index=pd.RangeIndex(1, len(joined) + 1),
        ),
        annotations=pd.DataFrame(
            [
                {"scan": number, **{name: drawing.ratings[name] for name in RATING_RANGES}}
                for number, drawing in drawings
            ],
            index=pd.RangeIndex(1, len(drawings) + 1),
        ),
        contours=pd.DataFrame(
            {
                "annotation": annotation,
                "inclusion": [contour.inclusion for contour in contours],
                "z_mm": lowest[scan_of] + slices * between[scan_of],
                "slice": slices,
            },
            index=pd.RangeIndex(1, len(contours) + 1),
        ),
        points=np.concatenate(points) if points else np.zeros((0, 2), np.int32),
        first=np.concatenate([[0], np.cumsum([len(outline) for outline in points])]).astype(np.int64),
    )


def _slice(contour: Contour, of_image: dict[str, int], z: npt.NDArray[np.float64], grid: Grid) -> int:
    between = grid.geometry.spacing_mm[0]
    nearest = int(np.argmin(np.abs(z - contour.z_mm)))
    if not contour.image:
        if abs(z[nearest] - contour.z_mm) > between / 4:
            raise DataError(
                f"{contour.place}: imageZposition is {contour.z_mm:g} mm, but {grid.where} has no slice there (nearest: "
                f"{z[nearest]:g} mm): it annotates another series, or slices are missing"
            )
        return nearest
    number = of_image.get(contour.image)
    if number is None:
        raise DataError(
            f"{contour.place}: imageSOP_UID names an image that is not in {grid.where}: it annotates another series, or "
            "slices are missing"
        )
    if abs(z[number] - contour.z_mm) > between / 4:
        raise DataError(
            f"{contour.place}: imageZposition is {contour.z_mm:g} mm, but ImagePositionPatient (0020,0032) of the image that "
            f"imageSOP_UID names says {z[number]:g} mm, in {grid.where}; one of the two files was changed"
        )
    return number


def _turned(
    contour: Contour, stored: Geometry, order: tuple[int, int, int], flipped: tuple[bool, bool, bool]
) -> npt.NDArray[np.int32]:
    sides = np.array(stored.shape[1:])
    if (contour.points >= sides).any():
        row, column = contour.points[int(np.argmax((contour.points >= sides).any(1)))]
        raise DataError(
            f"{contour.place}: its outline has the pixel in row {row}, column {column}, beyond the image of {sides[0]} x "
            f"{sides[1]} pixels: it annotates another series"
        )
    axes = [order[1] - 1, order[2] - 1]
    points = contour.points[:, axes]
    return np.where(flipped[1:], sides[axes] - 1 - points, points).astype(np.int32)
