"""Values of the elements that are read, and what to say of one that is wrong: its name and place, never its text."""

from __future__ import annotations

import math

from pellucid.data import pseudonym
from pellucid.errors import DataError
from pellucid_ct.dicom.elements import PIXEL_DATA, DicomFile
from pellucid_ct.dicom.library import silenced

KEYWORDS = {
    0x00020002: "MediaStorageSOPClassUID",
    0x00020010: "TransferSyntaxUID",
    0x00080005: "SpecificCharacterSet",
    0x00080008: "ImageType",
    0x00080016: "SOPClassUID",
    0x00080018: "SOPInstanceUID",
    0x00080060: "Modality",
    0x00100020: "PatientID",
    0x0020000E: "SeriesInstanceUID",
    0x00200032: "ImagePositionPatient",
    0x00200037: "ImageOrientationPatient",
    0x00200052: "FrameOfReferenceUID",
    0x00280002: "SamplesPerPixel",
    0x00280004: "PhotometricInterpretation",
    0x00280008: "NumberOfFrames",
    0x00280010: "Rows",
    0x00280011: "Columns",
    0x00280030: "PixelSpacing",
    0x00280100: "BitsAllocated",
    0x00280101: "BitsStored",
    0x00280102: "HighBit",
    0x00280103: "PixelRepresentation",
    0x00280120: "PixelPaddingValue",
    0x00280121: "PixelPaddingRangeLimit",
    0x00281052: "RescaleIntercept",
    0x00281053: "RescaleSlope",
    0x00281054: "RescaleType",
    PIXEL_DATA: "PixelData",
}
"""The elements that are read: all others are stepped over."""

TAGS = {keyword: tag for tag, keyword in KEYWORDS.items()}
WANTED = frozenset(KEYWORDS)


LONGEST_NUMBER = 64
"""Characters of a decimal number at most: four times what the standard allows, as some writers exceed it."""


class Values:
    """Typed values of one file's elements, by keyword.

    Parameters
    ----------
    file : DicomFile
        Walked as far as the elements asked for.
    namespace : str
        Where the names come from; see :func:`pellucid.data.pseudonym`.
    """

    __slots__ = ("_file", "_namespace")

    def __init__(self, file: DicomFile, namespace: str) -> None:
        self._file, self._namespace = file, namespace

    def __contains__(self, keyword: str) -> bool:
        return TAGS[keyword] in self._file.found

    def wrong(self, keyword: str, told: str) -> DataError:
        """An error that names the file and the element, and says what is wrong with it."""
        tag = TAGS[keyword]
        return DataError(f"{self._file.path}: {keyword} ({tag >> 16:04X},{tag & 0xFFFF:04X}) {told}")

    def text(self, keyword: str) -> bytes:
        """Bytes without what fills them up; empty where absent. Not for messages."""
        return self._file.found.get(TAGS[keyword], b"").strip(b"\0 ")

    def count(self, keyword: str) -> int:
        """One unsigned number of 16 bits."""
        value = self._file.found.get(TAGS[keyword])
        if not value:
            raise self.wrong(keyword, "is absent or empty; export the series again from the archive")
        if len(value) != 2:
            raise self.wrong(keyword, "is not one number of 16 bits; export the series again from the archive")
        return int.from_bytes(value, "big" if self._file.syntax.big else "little")

    def numbers(self, keyword: str, count: int) -> tuple[float, ...]:
        """So many decimal numbers, finite."""
        value = self._file.found.get(TAGS[keyword], b"").strip(b"\0 ")
        if not value:
            raise self.wrong(keyword, "is absent or empty; export the series again from the archive")
        parts = value.split(b"\\", count)
        if len(parts) != count or len(value) > LONGEST_NUMBER * count:
            raise self.wrong(keyword, f"has not {count} value{'s' if count > 1 else ''}, as it must")
        try:
            numbers = tuple(map(float, parts))
        except ValueError:
            raise self.wrong(keyword, "is not a number") from None
        # Python would take 1_0 for ten.
        if b"_" in value or not all(map(math.isfinite, numbers)):
            raise self.wrong(keyword, "is not a finite number")
        return numbers

    def pseudonym(self, keyword: str) -> str:
        """Of a UID; "" where it is absent."""
        text = self.text(keyword)
        return pseudonym(text.decode("latin-1"), self._namespace) if text else ""

    def subject(self) -> str:
        """Pseudonym of the patient; "" where nobody is named."""
        text = self.text("PatientID")
        name = text.decode("ascii") if text.isascii() else _decoded(text, self.text("SpecificCharacterSet"))
        return pseudonym(name, self._namespace) if text else ""


def _decoded(text: bytes, character_set: bytes) -> str:
    # The same person has the same name in whichever character set an archive writes it.
    from pydicom.charset import convert_encodings, decode_bytes

    try:
        with silenced():
            names = [name.strip() for name in character_set.decode("ascii").split("\\")]
            return decode_bytes(text, convert_encodings(names), set()).strip()
    except Exception:  # noqa: BLE001 - a damaged name must not be quoted by whatever that library raises
        return text.decode("latin-1")
