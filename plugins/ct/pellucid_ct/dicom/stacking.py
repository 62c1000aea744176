"""Slices into a grid: ordered by their place in the patient, with none missing, twice or askew."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.dicom.headers import SliceHeader
from pellucid_ct.scans.geometry import OBLIQUE, Geometry, Vector3

SLICE_MM = (0.05, 50.0)
"""Smallest and largest distance of neighbouring slices."""

OFF_GRID = 0.1
"""Largest distance of a slice from its place on a regular grid, in slices. Positions are often written with one decimal,
which moves a slice of 0.6 mm by a twelfth."""

SIDEWAYS_MM = 0.1
"""Largest shift of slices against each other in their own plane, beside :data:`OBLIQUE` of the length of the stack."""

_POSITION = "ImagePositionPatient (0020,0032)"
_ORIENTATION = "ImageOrientationPatient (0020,0037)"


def stacked(headers: Sequence[SliceHeader], where: str) -> tuple[list[SliceHeader], Geometry]:
    """Order the images of one series, and find the grid they lie on.

    Neither file names nor InstanceNumber say anything; nor does SliceThickness, which may differ from the distance of
    the slices.

    Parameters
    ----------
    headers : sequence of SliceHeader
        Of one series.
    where : str
        Folder, for messages.

    Returns
    -------
    list of SliceHeader
        By position along the normal of the slices, which points where (across) x (down) does.
    Geometry

    Raises
    ------
    DataError
        If the images differ in size, spacing, orientation, patient or frame of reference; if there is one only; if a
        position is there twice, slices are missing or unevenly spaced; if the gantry was tilted or the grid is oblique.
    """
    _alike(headers, where)
    first = headers[0]
    if len(headers) < 2:
        raise DataError(
            f"{where}: the series has one slice only ({first.path.name}), so the distance of its slices is unknown; give "
            "all files of the series"
        )
    across, down = np.asarray(first.across), np.asarray(first.down)
    normal = np.cross(across, down)
    positions = np.asarray([header.position_mm for header in headers])
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = [headers[i] for i in order], positions[order]
    along = positions @ normal
    step = _even(ordered, along, where)
    _upright(positions, along, normal, where)
    geometry = Geometry(
        shape=(len(ordered), first.rows, first.columns),
        spacing_mm=(step, *first.spacing_mm),
        origin_mm=_vector(positions[0]),
        directions=(_vector(normal), first.down, first.across),
    )
    geometry.patient_axes(f"{where}: {_ORIENTATION}")
    return ordered, geometry


def _alike(headers: Sequence[SliceHeader], where: str) -> None:
    first = headers[0]
    for told, named in (
        ("subject", "several patients (PatientID (0010,0020))"),
        ("frame", "several frames of reference (FrameOfReferenceUID (0020,0052))"),
    ):
        other = next((h for h in headers if getattr(h, told) != getattr(first, told)), None)
        if other is not None:
            raise DataError(
                f"{where}: images of one series belong to {named}, such as {first.path.name} and {other.path.name}; "
                "export the series again"
            )
    for keyword, mend, values, tolerance in (
        ("Rows (0028,0010) and Columns (0028,0011)", _APART, [(h.rows, h.columns) for h in headers], 0.0),
        (_ORIENTATION, _APART, [h.across + h.down for h in headers], OBLIQUE),
        ("PixelSpacing (0028,0030)", _APART, [h.spacing_mm for h in headers], 1e-4),
    ):
        table = np.asarray(values, np.float64)
        kinds = np.unique(np.round(table, 3), axis=0, return_inverse=True)[1].ravel()
        # The usual image is the measure, so that the odd one is named.
        usual = int(np.argmax(kinds == np.argmax(np.bincount(kinds))))
        odd = np.flatnonzero(np.abs(table - table[usual]).max(1) > tolerance)
        if len(odd):
            raise DataError(
                f"{where}: {keyword} differ within the series: {_figures(table[odd[0]])} in {headers[odd[0]].path.name}, "
                f"{_figures(table[usual])} in {headers[usual].path.name} ({len(odd)} of {len(headers)} images differ); "
                f"{mend}"
            )


_APART = "put images that belong to another scan, such as a localizer, into a folder of their own"


def _even(ordered: Sequence[SliceHeader], along: npt.NDArray[np.float64], where: str) -> float:
    """Distance of neighbouring slices in mm."""
    gaps = np.diff(along)
    usual = float(np.median(gaps[gaps > SLICE_MM[0] / 10])) if (gaps > SLICE_MM[0] / 10).any() else 0.0
    names = [header.path.name for header in ordered]
    twice = np.flatnonzero(gaps <= max(SLICE_MM[0] / 10, usual * 0.02))
    if len(twice):
        at = int(twice[0])
        raise DataError(
            f"{where}: {_POSITION} is the same in {names[at]} and {names[at + 1]} ({len(twice)} such "
            f"pair{'s' if len(twice) > 1 else ''}): the series holds copies, or several passes over the patient; keep one "
            "image for each position"
        )
    if not SLICE_MM[0] <= usual <= SLICE_MM[1]:
        raise DataError(
            f"{where}: slices are {usual:g} mm apart by {_POSITION}, expected {SLICE_MM[0]:g} to {SLICE_MM[1]:g} mm"
        )
    wide = np.flatnonzero(gaps > 1.5 * usual)
    if len(wide):
        at = int(wide[0])
        missing = int(np.round(gaps[wide] / usual - 1).clip(1).sum())
        raise DataError(
            f"{where}: about {missing} slice{'s are' if missing > 1 else ' is'} missing: by {_POSITION}, {names[at]} and "
            f"{names[at + 1]} are {gaps[at]:g} mm apart where slices lie {usual:g} mm from each other; copy the series again"
        )
    step = float((along[-1] - along[0]) / (len(along) - 1))
    off = np.abs(along - along[0] - step * np.arange(len(along)))
    if off.max() > OFF_GRID * step:
        at = int(off.argmax())
        raise DataError(
            f"{where}: slices are not evenly spaced ({gaps.min():g} to {gaps.max():g} mm): by {_POSITION}, {names[at]} lies "
            f"{off[at]:.3g} mm from its place on a regular grid; resample the series to even slices first"
        )
    return step


def _upright(
    positions: npt.NDArray[np.float64], along: npt.NDArray[np.float64], normal: npt.NDArray[np.float64], where: str
) -> None:
    """Each slice lies straight above the one before."""
    sideways = np.linalg.norm(positions - positions[0] - np.outer(along - along[0], normal), axis=1)
    length = along[-1] - along[0]
    if sideways.max() > SIDEWAYS_MM + OBLIQUE * length:
        degrees = float(np.degrees(np.arctan2(sideways[-1], length)))
        told = (
            f"by {degrees:.1f} degrees: the gantry was tilted"
            if degrees > 0.1
            else "unevenly: the patient's table moved"
        )
        raise DataError(
            f"{where}: by {_POSITION} the slices are shifted against each other, {told}; resample the series to upright "
            "slices first"
        )


def _vector(values: npt.NDArray[np.float64]) -> Vector3:
    x, y, z = map(float, values)
    return x, y, z


def _figures(values: npt.NDArray[np.float64]) -> str:
    return "\\".join(f"{value:g}" for value in values)
