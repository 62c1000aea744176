"""Scans in memory written as files: a DICOM series in many styles, NIfTI scans and masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid.files import writing
from pellucid_ct.scans.geometry import Geometry
from pellucid_ct.scans.volume import CtVolume, LesionMask

if TYPE_CHECKING:
    from pydicom import Dataset

_POSITIONS = {
    (True, True): "HFS",
    (True, False): "HFP",
    (False, True): "FFS",
    (False, False): "FFP",
}
"""Patient position by head first and on the back."""


@dataclass(frozen=True, kw_only=True)
class DicomStyle:
    """How a series is written: ways that scanners and archives differ in.

    Parameters
    ----------
    implicit : bool
        Implicit value representations instead of explicit ones; both little endian.
    signed : bool
        Stored values are signed.
    slope, intercept : float
        Rescale: HU = stored value times slope plus intercept.
    shuffled : int, optional
        Seed by which file names and instance numbers are shuffled. In slice order if left out.
    """

    implicit: bool = False
    signed: bool = False
    slope: float = 1.0
    intercept: float = -1024.0
    shuffled: int | None = None


def write_series(
    folder: Path, volume: CtVolume, *, patient: str, style: DicomStyle | None = None, series: int = 1
) -> tuple[Path, ...]:
    """Write a scan as a DICOM series, one file a slice.

    Parameters
    ----------
    folder : Path
        Made where it is not there.
    volume : CtVolume
    patient : str
        Patient id. Names of study, series and images follow from it and from ``series``: the same call writes the same
        bytes.
    style : DicomStyle, optional
    series : int
        Number of the series.

    Returns
    -------
    tuple of Path
        One file a slice, in slice order.

    Raises
    ------
    DataError
        If values do not fit into 16 bits with this style's rescale.
    """
    style = style or DicomStyle()
    stored = np.rint((volume.hu.astype(np.float64) - style.intercept) / style.slope)
    kind = np.int16 if style.signed else np.uint16
    if stored.min() < np.iinfo(kind).min or stored.max() > np.iinfo(kind).max:
        raise DataError(f"values from {volume.hu.min():g} to {volume.hu.max():g} HU do not fit into {kind.__name__}")
    count = volume.geometry.shape[0]
    rng = np.random.default_rng(style.shuffled)
    names, numbers = (np.arange(count) if style.shuffled is None else rng.permutation(count) for _ in range(2))
    folder.mkdir(parents=True, exist_ok=True)
    image = _header(volume.geometry, patient, style, series)
    paths = []
    for index in range(count):
        path = folder / f"{names[index]:04d}.dcm"
        position = volume.geometry.positions_mm((index, 0, 0))
        image.SOPInstanceUID = _uid(patient, series, "image", index)
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.InstanceNumber = int(numbers[index]) + 1
        image.ImagePositionPatient = [_decimal(v) for v in position]
        image.PixelData = stored[index].astype(kind).tobytes()
        with writing(path) as temporary:
            image.save_as(temporary, implicit_vr=style.implicit, little_endian=True, enforce_file_format=True)
        paths.append(path)
    return tuple(paths)


def write_nifti(path: Path, volume: CtVolume) -> None:
    """Write a scan as NIfTI (``.nii`` or ``.nii.gz``), 16-bit whole Hounsfield units."""
    _save_nifti(path, np.rint(volume.hu).astype(np.int16), volume.geometry)


def write_nifti_mask(path: Path, mask: LesionMask) -> None:
    """Write a mask as NIfTI, with the lesions' numbers as values."""
    _save_nifti(path, mask.labels, mask.geometry)


def _save_nifti(path: Path, values: npt.NDArray[np.generic], geometry: Geometry) -> None:
    import nibabel

    affine = np.eye(4)
    # NIfTI counts columns first, and its x and y grow to the right and to the front.
    affine[:3, :3], affine[:3, 3] = geometry.step_mm[::-1].T, geometry.origin_mm
    affine[:2] *= -1
    image = nibabel.Nifti1Image(values.T, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    # The library knows compression by the name's end, which a temporary name does not have.
    content = image.to_bytes()
    with writing(path) as temporary:
        temporary.write_bytes(_compressed(content) if path.name.endswith(".gz") else content)


def _compressed(content: bytes) -> bytes:
    import gzip

    # Without the time of writing, so that the same scan gives the same bytes.
    return gzip.compress(content, 3, mtime=0)


def _header(geometry: Geometry, patient: str, style: DicomStyle, series: int) -> Dataset:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
    image.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if style.implicit else ExplicitVRLittleEndian
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Modality, image.Manufacturer = "CT", "Phantom"
    image.PatientName, image.PatientID = "Phantom^", patient
    image.PatientBirthDate = image.PatientSex = image.ReferringPhysicianName = image.AccessionNumber = ""
    image.Laterality = ""
    image.StudyID, image.StudyDate, image.StudyTime = "1", "20000101", "120000"
    image.StudyInstanceUID = _uid(patient, "study")
    image.SeriesInstanceUID = _uid(patient, series, "series")
    image.FrameOfReferenceUID = _uid(patient, "frame")
    image.SeriesNumber, image.PositionReferenceIndicator = series, ""
    _, row_way, column_way = (np.asarray(d) for d in geometry.directions)
    image.ImageOrientationPatient = [_decimal(v) for v in (*column_way, *row_way)]
    # Which way slices are counted says nothing; feet first or face down mirrors what the table sees of a patient.
    on_the_back = float(row_way[1]) >= 0
    head_first = (float(column_way[0]) >= 0) == on_the_back
    image.PatientPosition = _POSITIONS[head_first, on_the_back]
    image.PixelSpacing = [_decimal(v) for v in geometry.spacing_mm[1:]]
    image.SliceThickness = _decimal(geometry.spacing_mm[0])
    image.Rows, image.Columns = geometry.shape[1:]
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelRepresentation = int(style.signed)
    image.RescaleSlope, image.RescaleIntercept = _decimal(style.slope), _decimal(style.intercept)
    image.RescaleType, image.KVP, image.AcquisitionNumber = "HU", "120", 1
    return image


def _uid(*parts: object) -> str:
    from pydicom.uid import generate_uid

    return str(generate_uid(entropy_srcs=["pellucid phantom", *map(str, parts)]))


def _decimal(value: float) -> str:
    """A number as DICOM's decimal string of at most 16 characters."""
    return f"{float(value) + 0.0:.10g}"
