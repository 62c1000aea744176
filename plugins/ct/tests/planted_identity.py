"""Recognisable values in the fields of DICOM headers that may tell who somebody is, and the search for them in files."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from pathlib import Path

import pandas as pd
import pydicom
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset

MARK = "QZXJWK"
"""Begins every planted text; in no word of ours."""

ROOT = "1.2.826.0.1.3680043.8.498.77177"
"""Begins every planted UID; any of its digits' runs in an output would be it."""

DAY = "19030517"
"""The planted date: nobody's files have it by accident."""

KEPT = {
    "SOPClassUID", "SpecificCharacterSet", "Modality", "ImageType", "PhotometricInterpretation", "TransferSyntaxUID",
    "PatientPosition", "RescaleType", "PresentationLUTShape", "LossyImageCompression", "Rows", "Columns",
    "TimezoneOffsetFromUTC", "MediaStorageSOPClassUID",
}  # fmt: skip
"""What a reader may need as it is."""

TEXT = ("PN", "LO", "SH", "LT", "ST", "UT", "UC", "AE", "CS")


def plant(image: Dataset, *, series: int, instance: int) -> int:
    """Overwrite and add at least 200 fields: standard, private, and inside sequences. Gives their number."""
    planted = 0
    image.PatientID, image.PatientName = f"{MARK}PID{series}", f"{MARK}FAMILY{series}^{MARK}GIVEN"
    image.SeriesInstanceUID, image.StudyInstanceUID = f"{ROOT}.{series}.1", f"{ROOT}.{series}.2"
    image.FrameOfReferenceUID = f"{ROOT}.{series}.3"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series}.4.{instance}"
    planted += 6
    for tag, (vr, multiplicity, _, retired, keyword) in sorted(DicomDictionary.items()):
        group = tag >> 16
        if planted >= 220 or group not in (0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0032, 0x0038, 0x0040):
            continue
        if retired or not keyword or keyword in KEPT or keyword in image or multiplicity not in ("1", "1-n"):
            continue
        if vr in TEXT:
            value = f"{MARK}{planted}" + ("^Given" if vr == "PN" else "")
        elif vr in ("DA", "TM", "DT"):
            value = {"DA": DAY, "TM": "030517", "DT": f"{DAY}030517"}[vr]
        elif vr == "UI":
            value = f"{ROOT}.9.{planted}"
        else:
            continue
        setattr(image, keyword_for_tag(tag), value)
        planted += 1
    block = image.private_block(0x0099, f"{MARK}CREATOR", create=True)
    for element in range(20):
        block.add_new(element, "LO", f"{MARK}PRIVATE{element}")
    inner = Dataset()
    inner.PatientName, inner.InstitutionName, inner.StudyDate = f"{MARK}INNER^A", f"{MARK}HOSPITAL", DAY
    outer = Dataset()
    outer.PatientID, outer.ReferencedSOPInstanceUID = f"{MARK}OUTER", f"{ROOT}.8.1"
    outer.OtherPatientIDsSequence = [inner]
    image.RequestAttributesSequence = [outer]
    hidden = image.private_block(0x0077, f"{MARK}SECOND", create=True)
    hidden.add_new(1, "SQ", [inner])
    return planted + 20 + 5 + 4


def plant_everywhere(folder: Path, *, series: int) -> int:
    """Plant in every file of a series; gives the number of fields of one file."""
    count = 0
    for instance, path in enumerate(sorted(folder.iterdir())):
        image = pydicom.dcmread(path)
        count = plant(image, series=series, instance=instance)
        image.save_as(path, enforce_file_format=True)
    return count


SIGNS = re.compile(f"{MARK}|{re.escape(ROOT)}|{DAY}|1903-05-17".encode(), re.IGNORECASE)


def found_in(folder: Path) -> list[str]:
    """Places below a folder where something planted stands: in names, bytes, and what is packed inside files."""
    found = []
    for path in sorted(folder.rglob("*")):
        if SIGNS.search(str(path.relative_to(folder)).encode()):
            found.append(f"{path.name}: its name")
        if path.is_file():
            found += [f"{path.name}: {where}" for where, content in _layers(path) if SIGNS.search(content)]
    return found


def _layers(path: Path) -> list[tuple[str, bytes]]:
    raw = path.read_bytes()
    layers = [("bytes", raw)]
    if path.suffix == ".parquet":
        table = pd.read_parquet(io.BytesIO(raw))
        layers.append(("table", table.to_csv().encode()))
    if path.suffix == ".gz":
        layers.append(("unpacked", gzip.decompress(raw)))
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            layers += [(name, packed.read(name)) for name in packed.namelist()]
    # Texts of two and four bytes a character as well.
    return layers + [(f"{name}, wide", content.replace(b"\0", b"")) for name, content in layers]
