"""An archive like LIDC-IDRI, written by a test: DICOM series with known pixels, and annotation files with known drawings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from pellucid_ct.lidc.annotations.database import RATING_RANGES

Points = Sequence[tuple[int, int]]

SMALL = None
"""Ratings of a nodule below 3 mm: none."""


@dataclass
class Drawn:
    """A nodule as one reader drew it: outlines as (slice from the feet, (row, column) ..., is it a hole?)."""

    outlines: list[tuple[int, Points, bool]]
    ratings: dict[str, int] | None = field(default_factory=dict)


def square(row: int, column: int, inside: int) -> Points:
    """The outline around ``inside`` x ``inside`` pixels from (row, column) on: the first pixels outside, each one."""
    low_r, low_c, high_r, high_c = row - 1, column - 1, row + inside, column + inside
    top = [(low_r, c) for c in range(low_c, high_c)]
    right = [(r, high_c) for r in range(low_r, high_r)]
    bottom = [(high_r, c) for c in range(high_c, low_c, -1)]
    left = [(r, low_c) for r in range(high_r, low_r, -1)]
    return [*top, *right, *bottom, *left, (low_r, low_c)]


@dataclass
class Scan:
    """A series as it was written. ``hu`` and ``sops`` go from feet to head, front to back, right to left."""

    folder: Path
    patient: str
    series: str
    study: str
    hu: np.ndarray
    z_mm: list[float]
    sops: list[str]
    files: list[Path]
    spacing: float


def known_hu(slices: int, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    """Whole Hounsfield units, in which every place of every scan looks different."""
    return np.random.default_rng(seed).integers(-1000, 900, (slices, rows, columns)).astype(np.float32)


def write_scan(
    folder: Path,
    *,
    patient: str = "Phantom-1",
    series: str | None = None,
    slices: int = 12,
    rows: int = 96,
    columns: int = 104,
    spacing: float = 0.8,
    between: float = 2.5,
    lowest: float = -120.0,
    heights: Sequence[float] | None = None,
    turned: bool = False,
    seed: int = 0,
    **tags: object,
) -> Scan:
    """Write a series under shuffled names. ``turned``: a patient on the belly, so rows and columns run the other way."""
    folder.mkdir(parents=True, exist_ok=True)
    z = list(heights) if heights is not None else [lowest + between * i for i in range(slices)]
    hu = known_hu(len(z), rows, columns, seed)
    series, study, frame = series or generate_uid(), generate_uid(), generate_uid()
    sops = [generate_uid() for _ in z]
    names = np.random.default_rng(seed).permutation(len(z))
    files = []
    for number, height in enumerate(z):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = sops[number]
        ds.Modality, ds.PatientID, ds.PatientName = "CT", patient, f"{patient}^Named"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.InstanceNumber = int(names[number]) + 1
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image = hu[number]
        corner = [-10.0, -20.0, height]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        if turned:
            image = image[::-1, ::-1]
            ds.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
            corner = [corner[0] + spacing * (columns - 1), corner[1] + spacing * (rows - 1), height]
        ds.ImagePositionPatient = [f"{v:.6g}" for v in corner]
        ds.PixelSpacing = [f"{spacing:.6g}"] * 2
        ds.SliceThickness = f"{between:.6g}"
        ds.Rows, ds.Columns = rows, columns
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-24", "HU"
        ds.PixelData = np.ascontiguousarray(image + 24).astype("<i2").tobytes()
        for name, value in tags.items():
            setattr(ds, name, value)
        path = folder / f"{names[number]:06d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(path)
    return Scan(folder, patient, series, study, hu, z, sops, files, spacing)


def ratings(**given: int) -> dict[str, int]:
    """All nine ratings, 3 where nothing else is said."""
    return {name: given.get(name, 3) for name in RATING_RANGES}


def xml_text(scan: Scan, readers: Sequence[Sequence[Drawn]], *, turned: bool = False) -> str:
    """An annotation file of the archive's form; one reading session a reader."""
    sessions = []
    for number, drawings in enumerate(readers):
        marks = []
        for position, drawn in enumerate(drawings):
            rated = ""
            if drawn.ratings is not None:
                rows = "".join(f"<{name}>{value}</{name}>\n" for name, value in ratings(**drawn.ratings).items())
                rated = f"<characteristics>\n{rows}</characteristics>\n"
            rois = "".join(_roi(scan, *outline, turned=turned) for outline in drawn.outlines)
            name = f"Nodule {position + 1:03d}"
            marks.append(f"<unblindedReadNodule>\n<noduleID>{name}</noduleID>\n{rated}{rois}</unblindedReadNodule>\n")
        other = (
            "<nonNodule>\n<nonNoduleID>77</nonNoduleID>\n<imageZposition>0</imageZposition>\n"
            f"<imageSOP_UID>{scan.sops[0]}</imageSOP_UID>\n"
            "<locus><xCoord>5</xCoord><yCoord>6</yCoord></locus>\n</nonNodule>\n"
        )
        sessions.append(
            "<readingSession>\n<annotationVersion>3.12</annotationVersion>\n"
            f"<servicingRadiologistID>anon{number}</servicingRadiologistID>\n{''.join(marks)}{other}</readingSession>\n"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<LidcReadMessage uid="1.2.3" xmlns="http://www.nih.gov" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.nih.gov lidc.xsd">\n'
        "<ResponseHeader>\n<Version>1.8.1</Version>\n<MessageId>-421198203</MessageId>\n"
        f"<SeriesInstanceUid>{scan.series}</SeriesInstanceUid>\n<StudyInstanceUID>{scan.study}</StudyInstanceUID>\n"
        f"</ResponseHeader>\n{''.join(sessions)}</LidcReadMessage>\n"
    )


def write_xml(
    scan: Scan, readers: Sequence[Sequence[Drawn]], path: Path | None = None, *, turned: bool = False
) -> Path:
    """Write the annotation file, by default beside the series."""
    path = path or scan.folder / "069.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(xml_text(scan, readers, turned=turned), "utf-8")
    return path


def _roi(scan: Scan, number: int, points: Points, hole: bool, *, turned: bool) -> str:
    if turned:
        points = [(scan.hu.shape[1] - 1 - row, scan.hu.shape[2] - 1 - column) for row, column in points]
    edges = "".join(
        f"<edgeMap>\n<xCoord>{column}</xCoord>\n<yCoord>{row}</yCoord>\n</edgeMap>\n" for row, column in points
    )
    return (
        f"<roi>\n<imageZposition>{scan.z_mm[number]:g}</imageZposition>\n"
        f"<imageSOP_UID>{escape(scan.sops[number])}</imageSOP_UID>\n"
        f"<inclusion>{'FALSE' if hole else 'TRUE'}</inclusion>\n{edges}</roi>\n"
    )
