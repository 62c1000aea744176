"""A scan in Hounsfield units and a mask of lesions on its grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.scans.geometry import Geometry, rearranged, to_canonical


@dataclass(frozen=True, eq=False)
class CtVolume:
    """A scan.

    Parameters
    ----------
    hu : ndarray of float32, shape (slice, row, column)
        Hounsfield units.
    geometry : Geometry
    subject : str
        Pseudonym of the patient; see :func:`pellucid.data.pseudonym`.
    series : str
        Pseudonym of the series.
    sources : tuple of Path
        The files, one a slice in slice order for DICOM: what a segmentation written back refers to.
    where : str
        Folder or file, for messages.
    """

    hu: npt.NDArray[np.float32]
    geometry: Geometry
    subject: str
    series: str
    sources: tuple[Path, ...] = ()
    where: str = "scan"

    def canonical(self) -> CtVolume:
        """The same scan with axial slices from feet to head, rows from front to back, columns from right to left.

        Raises
        ------
        DataError
            If the grid is oblique.
        """
        order, flipped = to_canonical(self.geometry, self.where)
        hu = rearranged(self.hu, order, flipped)
        # Files are one a slice only as long as slices stay what they are.
        sources = self.sources if order[0] == 0 else ()
        sources = tuple(reversed(sources)) if flipped[0] else sources
        return replace(self, hu=hu, geometry=self.geometry.reoriented(order, flipped), sources=sources)


@dataclass(frozen=True, eq=False)
class LesionMask:
    """Which voxels belong to which lesion.

    Parameters
    ----------
    labels : ndarray of uint16, shape (slice, row, column)
        0 outside; each lesion has a number of its own.
    geometry : Geometry
    where : str
        File, for messages.
    """

    labels: npt.NDArray[np.uint16]
    geometry: Geometry
    where: str = "mask"

    def on(self, volume: CtVolume) -> LesionMask:
        """The mask with its axes in the order and direction of a scan's.

        Raises
        ------
        DataError
            If the two grids are not one and the same: shape, spacing or place differ.
        """
        order, flipped = self.geometry.to_match(volume.geometry, self.where)
        geometry = self.geometry.reoriented(order, flipped)
        if told := geometry.difference(volume.geometry):
            raise DataError(
                f"{self.where}: this mask was not drawn on {volume.where}: {told}; give the mask of this series, or resample it to its grid"
            )
        return LesionMask(rearranged(self.labels, order, flipped), volume.geometry, self.where)
