"""Frames of a DICOM segmentation: of which segment, and where each one lies in a scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.dicom.library import read_values, refusing
from pellucid_ct.scans.geometry import SAME_MM, Geometry
from pellucid_ct.scans.volume import CtVolume

if TYPE_CHECKING:
    from pydicom import Dataset

_SEGMENTATION, _LABELMAP = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"

_OFF_MM = 10 * SAME_MM
"""A frame is on a scan's grid where no pixel of it is farther off than this: positions of other writers are rounded."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a frame lies in an array of the scan's shape.

    Parameters
    ----------
    axes : (int, int)
        Axes of the scan along the frame's rows and columns.
    flipped : (bool, bool)
        Whether the frame goes along each one backwards.
    at : int
        Index on the third axis.
    """

    axes: tuple[int, int]
    flipped: tuple[bool, bool]
    at: int

    def of(self, labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
        """A view of the frame's voxels, in rows and columns of the frame."""
        index: list[int | slice] = [self.at] * 3
        for axis, flip in zip(self.axes, self.flipped, strict=True):
            index[axis] = slice(None, None, -1 if flip else 1)
        view = labels[tuple(index)]
        return view.T if self.axes[0] > self.axes[1] else view


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame of one segment that is not empty.

    Parameters
    ----------
    segment : int
    place : Place
    pixels : ndarray of int, shape (row, column)
        As stored.
    whole : int
        What stands for a share of 1; 0 where pixels are numbers of segments.
    """

    segment: int
    place: Place
    pixels: npt.NDArray[np.integer]
    whole: int

    def share(self) -> npt.NDArray[np.floating] | npt.NDArray[np.bool_]:
        """How much of each pixel is inside the segment, 0 to 1."""
        return self.pixels / self.whole if self.whole else self.pixels == self.segment


def read_frames(path: Path, volume: CtVolume, segments: tuple[int, ...] | None) -> list[Frame]:
    """Frames of a segmentation that was drawn on a scan, for some or all segments.

    Raises
    ------
    DataError
        See :func:`~pellucid_ct.dicom.segmentation.read_segmentation`.
    """
    from pydicom import dcmread

    kind = read_values(path, "SOPClassUID")[0]
    if kind not in (_SEGMENTATION, _LABELMAP):
        raise DataError(
            f"{path.name}: SOPClassUID (0008,0016) is not that of a segmentation; give the SEG file of this scan"
        )
    with refusing(f"{path.name}: cannot be read as a DICOM segmentation; it is truncated or broken, export it again"):
        image = dcmread(path)
        _refuse_other_series(path, image, volume)
        numbers = {int(item.SegmentNumber) for item in image.SegmentSequence} - {0}
        asked = numbers if segments is None else set(segments)
        if absent := sorted(asked - numbers):
            raise DataError(
                f"{path.name}: there is no segment {absent[0]}; it has {', '.join(map(str, sorted(numbers)))}"
            )
        pixels = _pixels(path, image, volume, len(numbers))
        whole = 0 if kind == _LABELMAP else 1
        if image.get("SegmentationType") == "FRACTIONAL":
            whole = int(image.MaximumFractionalValue)
            if whole < 1:
                raise DataError(f"{path.name}: MaximumFractionalValue (0062,000E) is {whole}, expected 1 to 255")
        common = image.get("SharedFunctionalGroupsSequence") or [{}]
        found = []
        for number, (frame, own) in enumerate(zip(pixels, image.PerFrameFunctionalGroupsSequence, strict=True), 1):
            if not frame.any():
                continue
            where = f"{path.name}, frame {number}"
            groups = _Groups(own, common[0], where)
            if kind == _LABELMAP:
                shown = set(np.unique(frame).tolist())
            else:
                shown = {int(groups["SegmentIdentificationSequence"].ReferencedSegmentNumber)}
            if unknown := shown - numbers - {0}:
                raise DataError(f"{where}: SegmentSequence (0062,0002) has no segment {min(unknown)}")
            if shown & asked:
                place = _place(volume.geometry, groups, frame.shape, where, volume.where)
                found += [Frame(segment, place, frame, whole) for segment in sorted(shown & asked)]
    return found


def _pixels(path: Path, image: Dataset, volume: CtVolume, segments: int) -> npt.NDArray[np.integer]:
    count, shape = int(image.NumberOfFrames), (int(image.Rows), int(image.Columns))
    described = len(image.PerFrameFunctionalGroupsSequence)
    # Also the bound of what is decoded: not more than all segments on all slices.
    large = count > max(volume.geometry.shape) * segments or max(shape) > max(volume.geometry.shape)
    if count != described or large:
        slices, rows, columns = volume.geometry.shape
        raise DataError(
            f"{path.name}: NumberOfFrames (0028,0008) is {count}, each of {shape[0]} x {shape[1]} pixels, for {segments} "
            f"segments, and {described} frames are described; {volume.where} has {slices} slices of {rows} x {columns}: give a "
            "mask on this scan's grid"
        )
    return image.pixel_array.reshape(count, *shape)


def _refuse_other_series(path: Path, image: Dataset, volume: CtVolume) -> None:
    if not volume.sources:
        return
    frame, series = read_values(volume.sources[0], "FrameOfReferenceUID", "SeriesInstanceUID")
    if frame and image.get("FrameOfReferenceUID", frame) != frame:
        raise DataError(
            f"{path.name}: FrameOfReferenceUID (0020,0052) is not that of {volume.where}: it was drawn on another scan; give "
            "the segmentation of this series"
        )
    referred = {item.get("SeriesInstanceUID") for item in image.get("ReferencedSeriesSequence") or ()} - {None}
    if referred and series not in referred:
        raise DataError(
            f"{path.name}: ReferencedSeriesSequence (0008,1115) does not name the series in {volume.where}: it was drawn on "
            "another one; give the segmentation of this series"
        )


class _Groups:
    """First items of functional groups: the frame's own, else those that all frames share."""

    def __init__(self, own: Dataset, common: Dataset, where: str) -> None:
        self._from, self._where = (own, common), where

    def __getitem__(self, keyword: str) -> Dataset:
        for group in self._from:
            if group.get(keyword):
                return group.get(keyword)[0]
        raise DataError(f"{self._where}: {keyword} is missing; export the segmentation again")


def _place(geometry: Geometry, groups: _Groups, shape: tuple[int, int], where: str, scan: str) -> Place:
    corner = np.asarray(groups["PlanePositionSequence"].ImagePositionPatient, np.float64)
    turned = np.asarray(groups["PlaneOrientationSequence"].ImageOrientationPatient, np.float64)
    spacing = np.asarray(groups["PixelMeasuresSequence"].PixelSpacing, np.float64)
    ways = turned[3:] * spacing[0], turned[:3] * spacing[1]
    axes, flipped = [], []
    for way, length, word in zip(ways, shape, ("row", "column"), strict=True):
        step = way @ np.linalg.inv(geometry.step_mm)
        axis = int(np.argmax(np.abs(step)))
        astray = float(np.linalg.norm((step - np.sign(step) * (np.arange(3) == axis)) * geometry.spacing_mm)) * length
        if not astray <= _OFF_MM:
            raise DataError(
                f"{where}: its {word}s do not lie on those of {scan}: {word} spacing {np.linalg.norm(way):g} mm against "
                f"{geometry.spacing_mm[axis]:g} mm, {astray:.3g} mm apart at the far side; give a mask on this scan's grid"
            )
        if length != geometry.shape[axis]:
            raise DataError(
                f"{where}: {length} {word}s, {scan} has {geometry.shape[axis]}; give a mask on this scan's grid"
            )
        axes.append(axis)
        flipped.append(bool(step[axis] < 0))
    across = 3 - sum(axes)
    found = geometry.indices(corner)
    wanted = np.rint(found)
    for axis, flip, length in zip(axes, flipped, shape, strict=True):
        wanted[axis] = length - 1 if flip else 0
    apart = float(np.abs((found - wanted) * geometry.spacing_mm).max())
    if not apart <= _OFF_MM or not 0 <= wanted[across] < geometry.shape[across]:
        told = f"{apart:.3g} mm from the nearest place" if apart > _OFF_MM else "outside"
        raise DataError(f"{where}: it lies {told} of the grid of {scan}; give a mask drawn on this scan")
    return Place((axes[0], axes[1]), (flipped[0], flipped[1]), int(wanted[across]))
