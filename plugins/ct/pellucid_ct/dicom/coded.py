"""Compressed pixels: pydicom's decoders get the fragments, and nothing else of the file."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.dicom.elements import unreadable
from pellucid_ct.dicom.headers import SliceHeader
from pellucid_ct.dicom.library import silenced


def decode(header: SliceHeader, out: npt.NDArray[np.int16]) -> None:
    """Decode one slice.

    Parameters
    ----------
    header : SliceHeader
    out : ndarray of int16, shape (row, column)
        Filled with the 16 bits of each pixel.

    Raises
    ------
    DataError
        If the file has gone, no decoder is installed, or the pixels are damaged or of another size than the header says.
    """
    from pydicom.pixels import get_decoder

    try:
        with open(header.path, "rb", buffering=0) as file:
            file.seek(header.pixels_at)
            fragments = file.read()
    except OSError as error:
        raise DataError(unreadable(header.path, error)) from None
    told = f"{header.path}: PixelData (7FE0,0010)"
    fragments = _whole_fragments(fragments, told)
    _same_size(fragments, header, told)
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_representation": int(header.signed),
        "bits_allocated": 16,
        "bits_stored": header.bits,
        "pixel_keyword": "PixelData",
    }
    try:
        with silenced():
            decoder = get_decoder(header.syntax.uid)
            if not decoder.is_available:
                raise DataError(
                    f"{told} is coded as {header.syntax.name}, for which no decoder is installed; `pip install "
                    f"{_DECODERS.get(header.syntax.coded, 'python-gdcm')}`, or export the series again, uncompressed"
                )
            values, _ = decoder.as_array(fragments, **options)
    except DataError:
        raise
    except Exception:  # noqa: BLE001 - decoders raise whatever they like on damaged data
        raise DataError(
            f"{told} cannot be decoded as {header.syntax.name}: damaged or truncated; copy the file again"
        ) from None
    if values.shape != out.shape or values.dtype.itemsize > 2:
        raise DataError(f"{told} decodes to another size than Rows (0028,0010) and Columns (0028,0011) say")
    # Values of fewer bits that came without their sign get it back with the other spare bits.
    np.copyto(out, values.astype(np.uint16, copy=False).view(np.int16))


_DECODERS = {"jpeg2000": "pylibjpeg pylibjpeg-openjpeg", "jpeg-ls": "pyjpegls"}
"""What to install; for the old lossless JPEG there is one decoder of a free licence, and it is a large library."""


def _whole_fragments(data: bytes, told: str) -> bytes:
    """The fragments up to their end, each there in full: some decoders fill what is missing with zeros."""
    at = 0
    while True:
        item = data[at : at + 8]
        if item == b"\xfe\xff\xdd\xe0\0\0\0\0":
            return data[: at + 8]
        if len(item) < 8 or item[:4] != b"\xfe\xff\x00\xe0":
            raise DataError(f"{told} is truncated: its last fragment, or its end, is missing; copy the file again")
        at += 8 + int.from_bytes(item[4:], "little")


def _same_size(fragments: bytes, header: SliceHeader, told: str) -> None:
    """Refuse a picture of another size than the header's before a decoder makes room for it."""
    if header.syntax.coded == "rle":
        return
    at = fragments.find(b"\xff\x4f\xff\x51" if header.syntax.coded == "jpeg2000" else b"\xff\xd8", 0, 1 << 16)
    size = None
    if at >= 0:
        read = _size_of_jpeg2000 if header.syntax.coded == "jpeg2000" else _size_of_jpeg
        try:
            size = read(fragments, at)
        except struct.error:
            size = None
    if size is None:
        raise DataError(f"{told} holds no picture coded as {header.syntax.name}: damaged; copy the file again")
    if size != (header.rows, header.columns, 1):
        raise DataError(
            f"{told} is a picture of {size[0]} x {size[1]} pixels and {size[2]} channel(s), but Rows (0028,0010) and Columns "
            f"(0028,0011) say {header.rows} x {header.columns}"
        )


def _size_of_jpeg2000(data: bytes, at: int) -> tuple[int, int, int]:
    """Rows, columns, channels (ISO/IEC 15444-1, A.5.1)."""
    right, bottom, left, top = struct.unpack_from(">4I", data, at + 8)
    (channels,) = struct.unpack_from(">H", data, at + 40)
    return bottom - top, right - left, channels


def _size_of_jpeg(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Rows, columns, channels (ITU T.81, B.2.2; JPEG-LS: T.87, C.2.2)."""
    at += 2
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", data, at)
        if prefix != 0xFF or marker == 0xD9:
            return None
        if marker == 0xFF:  # fill byte
            at += 1
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            rows, columns, channels = struct.unpack_from(">HHB", data, at + 5)
            return rows, columns, channels
        elif marker == 0xDA:
            return None
        else:
            at += 2 + length
