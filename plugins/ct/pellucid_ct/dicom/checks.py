"""What the elements of a CT image have to say for its pixels to be read rightly. Each refusal names the element."""

from __future__ import annotations

import math

from pellucid_ct.dicom.elements import DicomFile
from pellucid_ct.dicom.values import Values
from pellucid_ct.scans.geometry import Vector3

LARGEST_SIDE = 4096
"""Rows and columns at most: four times the largest matrix of scanners in use leaves room, and bounds what is allocated."""

PIXEL_MM = (0.01, 10.0)
"""Smallest and largest distance of neighbouring pixels: from an ear's bones, enlarged, to a body at 64 columns."""

FARTHEST_MM = 1e5
SLOPE = (1e-3, 1e3)
LARGEST_INTERCEPT = 1e5


def side(values: Values, keyword: str) -> int:
    """Rows or Columns."""
    found = values.count(keyword)
    if not 1 <= found <= LARGEST_SIDE:
        raise values.wrong(keyword, f"is {found}, expected 1 to {LARGEST_SIDE}")
    return found


def stored(values: Values) -> tuple[int, bool]:
    """Bits that hold a pixel's value, and whether it has a sign. A CT image has one channel of 16 bits (PS3.3, C.8.2.1)."""
    for keyword, expected in (("SamplesPerPixel", 1), ("BitsAllocated", 16)):
        if (found := values.count(keyword)) != expected:
            raise values.wrong(keyword, f"is {found}; a CT image has {expected}")
    if values.text("PhotometricInterpretation") != b"MONOCHROME2":
        raise values.wrong("PhotometricInterpretation", "is not MONOCHROME2, as it is in every CT image")
    if "NumberOfFrames" in values and values.numbers("NumberOfFrames", 1) != (1.0,):
        raise values.wrong("NumberOfFrames", "is not 1: convert multi-frame images to one file a slice first")
    bits, high, signed = (values.count(keyword) for keyword in ("BitsStored", "HighBit", "PixelRepresentation"))
    if not 8 <= bits <= 16:
        raise values.wrong("BitsStored", f"is {bits}, expected 8 to 16")
    if high != bits - 1:
        raise values.wrong("HighBit", f"is {high}, but with {bits} bits stored it has to be {bits - 1}")
    if signed not in (0, 1):
        raise values.wrong("PixelRepresentation", f"is {signed}, expected 0 (unsigned) or 1 (signed)")
    return bits, bool(signed)


def rescale(values: Values) -> tuple[float, float]:
    """Slope and intercept that make Hounsfield units of stored values."""
    (slope,), (intercept,) = values.numbers("RescaleSlope", 1), values.numbers("RescaleIntercept", 1)
    if not SLOPE[0] <= slope <= SLOPE[1]:
        raise values.wrong(
            "RescaleSlope", f"is {slope:g}, expected {SLOPE[0]:g} to {SLOPE[1]:g}: no Hounsfield units follow"
        )
    if abs(intercept) > LARGEST_INTERCEPT:
        raise values.wrong("RescaleIntercept", f"is {intercept:g}, expected at most {LARGEST_INTERCEPT:g} from 0")
    # US is "unspecified", which some scanners write for Hounsfield units.
    if values.text("RescaleType") not in (b"", b"HU", b"US"):
        raise values.wrong("RescaleType", "is not HU: a map of something else, such as an effective atomic number")
    return slope, intercept


def padding(values: Values, signed: bool) -> tuple[int, int] | None:
    """Lowest and highest stored value that stand for no measurement."""
    if "PixelPaddingValue" not in values:
        return None
    found = [values.count("PixelPaddingValue")]
    if "PixelPaddingRangeLimit" in values:
        found.append(values.count("PixelPaddingRangeLimit"))
    if signed:
        # Typed as with or without a sign; which of them is meant follows from the pixels (PS3.3, C.7.5.1.1.2).
        found = [value - (value >> 15 << 16) for value in found]
    return min(found), max(found)


def pixel_bytes(values: Values, file: DicomFile, expected: int, at: int, length: int) -> None:
    """The pixels fill their element, and the element lies in the file; or they are fragments."""
    syntax = file.syntax
    if syntax.coded == "unknown":
        raise values.wrong(
            "TransferSyntaxUID", "is none that a CT image has here; export the series again, uncompressed"
        )
    if syntax.coded:
        if length >= 0:
            raise values.wrong("PixelData", f"is not in fragments, as {syntax.name} has to be; export the series again")
    elif length != expected:
        told = "in fragments" if length < 0 else f"{length} bytes long"
        raise values.wrong("PixelData", f"is {told}, but Rows x Columns need {expected} bytes; export the series again")
    elif not syntax.deflated and at + length > file.size:
        raise values.wrong(
            "PixelData", f"is truncated: {at + length - file.size} bytes are missing; copy the file again"
        )


def position_mm(values: Values) -> Vector3:
    """x, y, z of the first pixel."""
    x, y, z = values.numbers("ImagePositionPatient", 3)
    if max(abs(x), abs(y), abs(z)) > FARTHEST_MM:
        raise values.wrong("ImagePositionPatient", f"is more than {FARTHEST_MM / 1000:g} m away")
    return x, y, z


def spacing_mm(values: Values) -> tuple[float, float]:
    """Between rows, and between columns: they may differ."""
    rows, columns = values.numbers("PixelSpacing", 2)
    for value in (rows, columns):
        if not PIXEL_MM[0] <= value <= PIXEL_MM[1]:
            raise values.wrong("PixelSpacing", f"is {value:g} mm, expected {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm")
    return rows, columns


def directions(values: Values) -> tuple[Vector3, Vector3]:
    """Unit vectors, at a right angle: where the column number grows, and where the row number does."""
    cosines = values.numbers("ImageOrientationPatient", 6)
    across, down = cosines[:3], cosines[3:]
    slant = sum(a * b for a, b in zip(across, down, strict=True))
    lengths = math.hypot(*across), math.hypot(*down)
    if not max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(slant)) < 1e-3:
        raise values.wrong(
            "ImageOrientationPatient", "is not two unit vectors at a right angle; export the series again"
        )
    # Four decimals are common: what they leave out would shear the grid by a hair.
    x, y, z = (v / lengths[0] for v in across)
    down = tuple(v - slant / lengths[0] * w for v, w in zip(down, (x, y, z), strict=True))
    length = math.hypot(*down)
    u, v, w = (value / length for value in down)
    return (x, y, z), (u, v, w)
