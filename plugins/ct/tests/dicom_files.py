"""CT images written with pydicom, for tests of the reader: right ones, and ones with something wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

PLAIN = {
    "implicit": ImplicitVRLittleEndian,
    "explicit": ExplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "big endian": ExplicitVRBigEndian,
}

SERIES, STUDY, FRAME = "2.25.1111", "2.25.2222", "2.25.3333"


def image(
    stored: npt.ArrayLike, *, position: Sequence[float] = (-10, -20, 30), syntax: str = "explicit", **elements: object
) -> Dataset:
    """One CT image of 16-bit stored values; ``elements`` by keyword replace or add to what it says."""
    values = np.ascontiguousarray(stored)
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = PLAIN[syntax]
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = CTImageStorage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.Modality, data.PatientID, data.PatientName = "CT", "P-1", "Phantom"
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = SERIES, STUDY, FRAME
    data.ImagePositionPatient, data.ImageOrientationPatient = list(position), [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [0.75, 0.5], 9.0
    data.RescaleIntercept, data.RescaleSlope, data.RescaleType = -1000, 1, "HU"
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = values.shape
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, 16, 15
    data.PixelRepresentation = int(values.dtype.kind == "i")
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.PixelData = values.astype(values.dtype.newbyteorder(">" if syntax == "big endian" else "<")).tobytes()
    data["PixelData"].VR = "OW"
    return data


def save(data: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path


def stack(
    folder: Path,
    stored: npt.NDArray[np.integer],
    *,
    spacing: float = 2.5,
    shuffled: bool = True,
    change: Callable[[int, Dataset], None] | None = None,
    **elements: object,
) -> list[Path]:
    """A series of axial slices, lowest first in what is returned; file names and InstanceNumber tell another order."""
    order = np.random.default_rng(5).permutation(len(stored)) if shuffled else np.arange(len(stored))
    paths = []
    for number, values in enumerate(stored):
        data = image(values, position=(-10, -20, 30 + spacing * number), **elements)  # type: ignore[arg-type]
        data.InstanceNumber = int(order[-number - 1])
        if change is not None:
            change(number, data)
        paths.append(save(data, folder / f"IM{order[number]:04d}"))
    return paths


def planes(count: int = 5, rows: int = 6, columns: int = 4, *, seed: int = 0) -> npt.NDArray[np.int16]:
    """Stored values that differ everywhere."""
    values = np.random.default_rng(seed).permutation(count * rows * columns).astype(np.int16)
    return values.reshape(count, rows, columns)


def by_pydicom(paths: Sequence[Path]) -> npt.NDArray[np.float64]:
    """Hounsfield units as pydicom decodes them, in the order of the paths."""
    read = [pydicom.dcmread(path) for path in paths]
    return np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in read])
