"""The pixels of CT images in Hounsfield units, written straight to their place in a volume."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ct.dicom.coded import decode
from pellucid_ct.dicom.elements import Broken, DicomFile, open_dicom, unreadable
from pellucid_ct.dicom.headers import SliceHeader

FLOOR_HU = -1024.0
"""What a pixel without a measurement becomes: the lowest value of the usual scale of 12 bits, a little below air."""

PLAUSIBLE_HU = (-10_000.0, 32_767.0)
"""Beyond the scales in use: extended ones begin at -8192 and end at 30 710, metal included."""


class SliceReader:
    """Reads slices of one size, one after the other, through one buffer.

    Pixels that a file declares as padding (outside the scanner's circle), and whose Hounsfield units would lie under
    :data:`FLOOR_HU`, become :data:`FLOOR_HU`: -3024 HU, as such a pixel often has, is no tissue and no air, and would
    spoil every mean and every interpolation over it. A padding value that is itself a possible measurement is left alone.

    Parameters
    ----------
    rows, columns : int
    """

    def __init__(self, rows: int, columns: int) -> None:
        self._raw = np.empty((rows, columns), np.int16)

    def read(self, header: SliceHeader, out: npt.NDArray[np.float32]) -> float:
        """Read one slice.

        Parameters
        ----------
        header : SliceHeader
        out : ndarray of float32, shape (row, column)
            Filled with Hounsfield units.

        Returns
        -------
        float
            The lowest of them, padding aside.

        Raises
        ------
        DataError
            If the file has gone or changed, its pixels are truncated or cannot be decoded, or their values cannot be
            Hounsfield units. Names the file and the tag.
        """
        if header.syntax.coded:
            decode(header, self._raw)
        else:
            self._fill(header)
            if header.syntax.big:
                self._raw.byteswap(inplace=True)
        raw = self._raw if header.signed else self._raw.view(np.uint16)
        padded = _padded(raw, header)
        if header.bits < 16:
            _stored_bits(self._raw, header)
        if padded is not None:
            raw[padded] = raw[~padded].min() if not padded.all() else 0
        low, high = (float(v) * header.slope + header.intercept for v in (raw.min(), raw.max()))
        if low < PLAUSIBLE_HU[0] or high > PLAUSIBLE_HU[1]:
            raise DataError(
                f"{header.path}: values run from {low:.0f} to {high:.0f} HU, which no scan has; see PixelRepresentation "
                "(0028,0103: signed or not), BitsStored (0028,0101), RescaleSlope (0028,1053), RescaleIntercept (0028,1052)"
            )
        np.multiply(raw, np.float32(header.slope), out=out)
        out += np.float32(header.intercept)
        if padded is not None:
            out[padded] = FLOOR_HU
        return low

    def _fill(self, header: SliceHeader) -> None:
        buffer = memoryview(self._raw.data).cast("B")
        try:
            if header.syntax.deflated:
                data = _again(header).read(header.pixels_at + len(buffer))[header.pixels_at :]
                got = len(data)
                buffer[:got] = data
            else:
                with open(header.path, "rb", buffering=0) as file:
                    file.seek(header.pixels_at)
                    got = file.readinto(buffer) or 0
        except OSError as error:
            raise DataError(unreadable(header.path, error)) from None
        except Broken as error:
            raise DataError(f"{header.path}: {error}") from None
        if got != len(buffer):
            raise DataError(
                f"{header.path}: PixelData (7FE0,0010) is truncated: {len(buffer) - got} of {len(buffer)} bytes are "
                "missing; copy the file again"
            )


def _again(header: SliceHeader) -> DicomFile:
    found = open_dicom(header.path, frozenset([0x00020010]))
    if found is None or found.syntax != header.syntax:
        raise Broken("changed while it was being read; try again")
    return found


def _padded(raw: npt.NDArray[np.int16] | npt.NDArray[np.uint16], header: SliceHeader) -> npt.NDArray[np.bool_] | None:
    """Where padding is, or None: looked for in all 16 bits, as a padding value need not fit into those stored."""
    if header.padding is None:
        return None
    low, high = header.padding
    if high * header.slope + header.intercept >= FLOOR_HU and high < 1 << (header.bits - header.signed):
        return None
    found = raw == low if low == high else (raw >= low) & (raw <= high)
    return found if found.any() else None


def _stored_bits(raw: npt.NDArray[np.int16], header: SliceHeader) -> None:
    """Keep the bits that hold the value: others may hold an overlay, or nothing that is meant."""
    if header.signed:
        spare = 16 - header.bits
        np.left_shift(raw, spare, out=raw)
        np.right_shift(raw, spare, out=raw)
    else:
        raw &= (1 << header.bits) - 1
