"""What leaves for a hospital's archive: where it may be written, whose it is, and which model made it.

Everywhere else in pellucid a patient is a pseudonym. A DICOM segmentation or report is the one deliberate exit: a viewer
opens it beside the scan only if it carries the identity of the scan's own files, so that identity is read from them
again, at the moment of writing, and only because a user asked for such a file at a place of their choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError
from pellucid_ct.dicom.library import read_header, refusing
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.volume import CtVolume

if TYPE_CHECKING:
    from pydicom import Dataset

RUN_FILE = "run.json"
"""What tells that a folder is one of a run."""

LONGEST = 64
"""Characters of a short text in DICOM."""

_EMPTY_ALLOWED = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime",
)  # fmt: skip
"""Attributes that each object repeats and that may be empty; a series that lost them altogether gets them empty."""

_FORMS = {
    "PatientBirthDate": r"(\d{8})?",
    "StudyDate": r"(\d{8})?",
    "StudyTime": r"(\d{2}(\d{2}(\d{2}(\.\d{1,6})?)?)?)?",
}
"""What dates and times look like; others cannot be repeated in a new object."""


@dataclass(frozen=True, kw_only=True)
class MadeBy:
    """The model behind what is written.

    Parameters
    ----------
    name : str
        At most 64 characters, as all names in DICOM.
    version : str
    """

    name: str
    version: str

    def __post_init__(self) -> None:
        refuse_text("name of the model", self.name)
        refuse_text("version of the model", self.version)


def refuse_text(what: str, text: str) -> None:
    """Refuse what no short text of DICOM can hold: nothing at all, more than 64 characters, a backslash, a line break.

    Raises
    ------
    DataError
        Says what it is the text of.
    """
    if not text.strip() or len(text) > LONGEST or "\\" in text or not text.isprintable():
        raise DataError(
            f"{what}: {text[:80]!r} has {len(text)} characters, expected 1 to {LONGEST} on one line without a backslash"
        )


def refuse_place(path: Path, volume: CtVolume) -> None:
    """Refuse to write a patient's identity where it does not belong.

    Raises
    ------
    DataError
        If the path lies in a run folder, which is free of identity so that it can be shared; or is a file of the scan.
    """
    place = path.absolute()
    for folder in (*place.parents, *place.resolve().parents):
        if (folder / RUN_FILE).exists():
            raise DataError(
                f"{path.name}: {folder.name} is a run folder, which holds no patient's identity so that it can be shared; this "
                "file carries that of its scan: choose another folder"
            )
    if place.resolve() in {source.resolve() for source in volume.sources}:
        raise DataError(f"{path.name}: this is a file of the scan itself; choose another name")


def source_headers(volume: CtVolume) -> tuple[list[Dataset], Geometry]:
    """Headers of the files that a scan was read from, and the grid that they lie on.

    Returns
    -------
    headers : list of Dataset
        One a slice in the scan's slice order, without pixels.
    geometry : Geometry
        The files' own: rows and columns as they are stored, where the scan may have turned them.

    Raises
    ------
    DataError
        If the scan has no files of its own, or they are no longer those it was read from.
    """
    if not volume.sources:
        raise DataError(
            f"{volume.where}: there are no DICOM files, one a slice, behind this scan; give the scan as read_series returns it "
            "(NIfTI holds no series to refer to, and slices of a reformatted scan are not those of its files)"
        )
    if len(volume.sources) != volume.geometry.shape[0]:
        raise DataError(f"{volume.where}: {len(volume.sources)} files for {volume.geometry.shape[0]} slices")
    headers = [read_header(path) for path in volume.sources]
    with refusing(f"{volume.where}: the headers of this series cannot be used for a file that refers to it"):
        for path, header in zip(volume.sources, headers, strict=True):
            if header.SeriesInstanceUID != headers[0].SeriesInstanceUID or "SOPInstanceUID" not in header:
                raise DataError(f"{path.name}: not of the same series (0020,000E) as {volume.sources[0].name}")
            _completed(header, path.name)
        geometry = _own_geometry(headers, volume.geometry)
    order, flipped = geometry.to_match(volume.geometry, volume.where)
    if told := geometry.reoriented(order, flipped).difference(volume.geometry):
        raise DataError(f"{volume.where}: its files are not those that this scan was read from: {told}; read it again")
    return headers, geometry


def equipment() -> dict[str, Any]:
    """The program that writes, as DICOM's equipment."""
    import pellucid

    return {
        "manufacturer": "pellucid",
        "manufacturer_model_name": "pellucid",
        "software_versions": pellucid.__version__,
        "device_serial_number": "0",
    }


def new_uid() -> str:
    """A new unique name for a series, an object or something followed over time."""
    from highdicom import UID

    return str(UID())


def _completed(header: Dataset, where: str) -> None:
    for keyword in _EMPTY_ALLOWED:
        if keyword not in header:
            setattr(header, keyword, "")
    if header.PatientSex not in ("M", "F", "O", ""):
        header.PatientSex = ""
    for keyword, form in _FORMS.items():
        if not re.fullmatch(form, str(header[keyword].value or "").strip()):
            raise DataError(
                f"{where}: {keyword} {header[keyword].tag} is no date or time of DICOM; correct the series first"
            )


def _own_geometry(headers: list[Dataset], told: Geometry) -> Geometry:
    """Grid of the stored images; of one slice alone, the direction of slices is the scan's."""
    first, last = headers[0], headers[-1]
    across = np.asarray(first.ImageOrientationPatient, np.float64)
    origin = np.asarray(first.ImagePositionPatient, np.float64)
    apart = np.asarray(last.ImagePositionPatient, np.float64) - origin
    along = apart / np.linalg.norm(apart) if len(headers) > 1 else np.asarray(told.directions[0])
    step = float(np.linalg.norm(apart)) / (len(headers) - 1) if len(headers) > 1 else told.spacing_mm[0]
    rows_mm, columns_mm = (float(v) for v in first.PixelSpacing)
    return Geometry(
        (len(headers), int(first.Rows), int(first.Columns)),
        (step, rows_mm, columns_mm),
        tuple(origin.tolist()),
        (tuple(along.tolist()), tuple(across[3:].tolist()), tuple(across[:3].tolist())),
    )
