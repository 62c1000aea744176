"""What a CT image says of itself before its pixels, checked: one record a file, without a name, date or number of anybody.

Everything that identifies is replaced here, at the door: what leaves this module of a patient, a series or an image is a
pseudonym, and no message quotes text of a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pellucid.errors import DataError
from pellucid_ct.dicom import checks
from pellucid_ct.dicom.elements import PIXEL_DATA, Broken, DicomFile, open_dicom, unreadable
from pellucid_ct.dicom.syntaxes import UNKNOWN, Syntax
from pellucid_ct.dicom.values import WANTED, Values
from pellucid_ct.scans.geometry import Vector3

CT_IMAGE = b"1.2.840.10008.5.1.4.1.1.2"
ENHANCED = (CT_IMAGE + b".1", CT_IMAGE + b".2")
_DIRECTORY = b"1.2.840.10008.1.3.10"

_AFTER_SERIES = 0x00200010

MODALITIES = frozenset([
    "AU", "BMD", "CR", "CT", "DX", "ECG", "EPS", "ES", "GM", "IO", "IVOCT", "IVUS", "KO", "MG", "MR", "NM", "OCT", "OP",
    "OT", "PR", "PT", "PX", "REG", "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTRECORD", "RTSTRUCT", "RWV", "SC", "SEG", "SM",
    "SR", "US", "XA", "XC",
])  # fmt: skip
"""Those that a message may name; what else stands in that field could be anything."""


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One image of a CT series.

    Parameters
    ----------
    path : Path
    subject, series, instance : str
        Pseudonyms of PatientID, SeriesInstanceUID and SOPInstanceUID.
    frame : str
        Pseudonym of FrameOfReferenceUID, or "".
    rows, columns : int
    spacing_mm : (float, float)
        Between rows, between columns.
    across, down : (float, float, float)
        Unit vectors in x, y, z: where the column, and where the row number grows.
    position_mm : (float, float, float)
        x, y, z of the centre of the first pixel.
    slope, intercept : float
        HU = stored value * slope + intercept.
    bits : int
        How many of the 16 bits of a pixel hold its value.
    signed : bool
    padding : (int, int) or None
        Lowest and highest stored value that stand for no measurement.
    syntax : Syntax
    pixels_at, pixels_bytes : int
        Where the pixels are in the file (in what is unpacked of it, if deflated); -1 bytes where they are coded.
    size : int
        Bytes of the file.
    """

    path: Path
    subject: str
    series: str
    instance: str
    frame: str
    rows: int
    columns: int
    spacing_mm: tuple[float, float]
    across: Vector3
    down: Vector3
    position_mm: Vector3
    slope: float
    intercept: float
    bits: int
    signed: bool
    padding: tuple[int, int] | None
    syntax: Syntax
    pixels_at: int
    pixels_bytes: int
    size: int


class Candidate:
    """A DICOM file read up to its series: what it is, and whose. :meth:`header` reads on.

    Attributes
    ----------
    path : Path
    kind : str
        "CT", "CT localizer", "enhanced CT", "DICOMDIR", or a modality; "other" where it is none that is known.
    subject, series : str
        Pseudonyms; "" where the file has none.
    """

    __slots__ = ("_file", "_values", "kind", "path", "series", "subject")

    def __init__(self, file: DicomFile, namespace: str) -> None:
        self._file, self._values, self.path = file, Values(file, namespace), file.path
        self.series = self.subject = ""
        if self._values.text("MediaStorageSOPClassUID") == _DIRECTORY:
            self.kind = "DICOMDIR"
            return
        try:
            file.walk(_AFTER_SERIES, WANTED)
        except Broken:
            if file.syntax is not UNKNOWN:
                raise
            self.kind = "other"
            return
        self.kind = self._kind()
        self.subject, self.series = self._values.subject(), self._values.pseudonym("SeriesInstanceUID")

    def _kind(self) -> str:
        modality, image = self._values.text("Modality"), self._values.text("SOPClassUID")
        if modality != b"CT":
            name = modality.decode("latin-1")
            return name if name in MODALITIES else "other"
        if image in ENHANCED:
            return "enhanced CT"
        if image != CT_IMAGE:
            return "other"
        return "CT localizer" if b"LOCALIZER" in self._values.text("ImageType") else "CT"

    def header(self, subject: str | None = None) -> SliceHeader:
        """Read on to the pixels, and check.

        Parameters
        ----------
        subject : str, optional
            Pseudonym of the patient, where the caller knows better than the file.

        Raises
        ------
        DataError
            If this is no CT image, or one that cannot be read rightly: names the file and the tag.
        """
        if self.kind != "CT":
            raise self._values.wrong(
                "Modality", _NOT_CT.get(self.kind, f"says {self.kind!r}, not 'CT'") + "; give a CT series"
            )
        try:
            self._file.walk(PIXEL_DATA, WANTED)
            pixels_at, pixels_bytes = self._file.pixels()
        except Broken as error:
            raise DataError(f"{self.path}: {error}") from None
        except OSError as error:
            raise DataError(unreadable(self.path, error)) from None
        subject = subject or self.subject
        if not subject:
            raise self._values.wrong(
                "PatientID",
                "is absent or empty, and without it no split is honest; name the patient (column 'subject'), or write one",
            )
        if not self.series:
            raise self._values.wrong(
                "SeriesInstanceUID", "is absent or empty: files of one scan cannot be told from others"
            )
        rows, columns = checks.side(self._values, "Rows"), checks.side(self._values, "Columns")
        bits, signed = checks.stored(self._values)
        slope, intercept = checks.rescale(self._values)
        across, down = checks.directions(self._values)
        checks.pixel_bytes(self._values, self._file, rows * columns * 2, pixels_at, pixels_bytes)
        return SliceHeader(
            path=self.path,
            subject=subject,
            series=self.series,
            instance=self._values.pseudonym("SOPInstanceUID"),
            frame=self._values.pseudonym("FrameOfReferenceUID"),
            rows=rows,
            columns=columns,
            spacing_mm=checks.spacing_mm(self._values),
            across=across,
            down=down,
            position_mm=checks.position_mm(self._values),
            slope=slope,
            intercept=intercept,
            bits=bits,
            signed=signed,
            padding=checks.padding(self._values, signed),
            syntax=self._file.syntax,
            pixels_at=pixels_at,
            pixels_bytes=pixels_bytes,
            size=self._file.size,
        )


_NOT_CT = {
    "CT localizer": "is CT, but this image is a localizer (ImageType (0008,0008)), not a slice",
    "enhanced CT": "is CT, but of the enhanced, multi-frame kind (SOPClassUID (0008,0016)): convert it to one file a slice first",
    "DICOMDIR": "is absent: this is a DICOMDIR, a table of contents",
    "other": "and SOPClassUID (0008,0016) are not those of a CT image",
}


def identify(path: Path, *, namespace: str) -> Candidate | None:
    """Read a file up to its series. None where it is not DICOM.

    Parameters
    ----------
    path : Path
    namespace : str
        Where the names come from; see :func:`pellucid.data.pseudonym`.

    Raises
    ------
    DataError
        If it cannot be read, or is broken DICOM. Names the file.
    """
    try:
        file = open_dicom(path, WANTED)
        return None if file is None else Candidate(file, namespace)
    except Broken as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(unreadable(path, error)) from None


def read_header(path: Path, *, namespace: str) -> SliceHeader:
    """Read and check what a CT image says before its pixels.

    Parameters
    ----------
    path : Path
    namespace : str
        Where the names come from; see :func:`pellucid.data.pseudonym`. The pseudonym of a UID, such as one named in an
        annotation file, is ``pseudonym(uid, namespace)``.

    Raises
    ------
    DataError
        If it cannot be read, is not DICOM, no CT image, or one that could not be read rightly. Names the file and the
        tag, and quotes no text of it.
    """
    found = identify(path, namespace=namespace)
    if found is None:
        raise DataError(
            f"{path}: is not a DICOM file (no DICM at byte 128); give files as the scanner or archive wrote them"
        )
    return found.header()
