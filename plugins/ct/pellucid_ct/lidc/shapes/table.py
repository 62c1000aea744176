"""The table of nodules with the shape of each drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid_ct.lidc.annotations.consensus import consensus_masks
from pellucid_ct.lidc.annotations.database import LidcDatabase
from pellucid_ct.lidc.annotations.grouping import group_annotations
from pellucid_ct.lidc.annotations.nodules import measure_nodules
from pellucid_ct.lidc.shapes.frames import Scale, mid_slice_images, volumes


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How shapes are drawn.

    Parameters
    ----------
    dimensions : {2, 3}
        The mid-slice, or all slices as a volume.
    size : int
        Pixels or voxels along each axis.
    scale : {"millimetres", "normalised"}
        See :func:`~pellucid_ct.lidc.shapes.frames.mid_slice_images`.
    field_of_view_mm : float, optional
        Width of the frame at scale ``"millimetres"``.
    """

    dimensions: int = 2
    size: int = 32
    scale: Scale = "millimetres"
    field_of_view_mm: float | None = None


@dataclass(frozen=True)
class Nodules:
    """The table and the shapes, in the same order.

    Parameters
    ----------
    table : DataFrame
        See :func:`~pellucid_ct.lidc.annotations.nodules.measure_nodules`.
    shapes : ndarray, shape (nodule, row, column) or (nodule, slice, row, column)
        Coverage: float32 from 0 to 1 for images, uint8 in 1/255 for volumes.
    """

    table: pd.DataFrame
    shapes: npt.NDArray[np.float32] | npt.NDArray[np.uint8]


def build_nodules(database: LidcDatabase, framing: Framing | None = None, *, tolerance_mm: float = 1.0) -> Nodules:
    """Group the readers' annotations, agree on masks, measure and draw them.

    Parameters
    ----------
    database : LidcDatabase
    framing : Framing, optional
    tolerance_mm : float
        See :func:`~pellucid_ct.lidc.annotations.grouping.group_annotations`.

    Returns
    -------
    Nodules
        The table is that of :func:`~pellucid_ct.lidc.annotations.nodules.measure_nodules`; what leads back to a patient
        in it is replaced by :func:`~pellucid_ct.lidc.shapes.cache.load_nodules`.
    """
    framing = framing or Framing()
    nodule = group_annotations(database, tolerance_mm)
    consensus = consensus_masks(database, nodule)
    table, shapes, _ = measure_nodules(database, nodule, consensus)
    spacing, between = table["pixel_spacing_mm"].to_numpy(), table["slice_spacing_mm"].to_numpy()
    drawn: npt.NDArray[np.float32] | npt.NDArray[np.uint8]
    if framing.dimensions == 3:
        drawn, _ = volumes(
            consensus,
            spacing,
            between,
            size=framing.size,
            scale=framing.scale,
            field_of_view_mm=framing.field_of_view_mm,
        )
    else:
        drawn, _ = mid_slice_images(
            shapes, spacing, size=framing.size, scale=framing.scale, field_of_view_mm=framing.field_of_view_mm
        )
    return Nodules(table, drawn)
