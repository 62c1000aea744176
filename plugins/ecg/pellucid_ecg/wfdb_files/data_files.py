"""Which files hold a record's samples, and whether they hold as many as the header says. Nothing is read for it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from pellucid.errors import DataError
from pellucid_ecg.wfdb_files.headers import Header, SignalLine

__all__ = ["BITS", "COMPRESSED", "DataFile", "data_files", "length_of"]

BITS = {8: 8, 16: 16, 24: 24, 32: 32, 61: 16, 80: 8, 160: 16, 212: 12, 310: 32 / 3, 311: 32 / 3}
"""Bits that a sample of each format takes."""

COMPRESSED = (508, 516, 524)
"""FLAC: how many samples a file holds is known only when it is read."""

BLOCK_BYTES = 4
"""Formats that pack several samples into a block (at most 4 bytes) may fill the last one up."""

LARGEST_PACKING = 1000
"""Samples to a byte at most: FLAC writes a signal that does not change in some 35 bytes for 4096 samples of 8 channels."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file and the signals in it, which take turns sample by sample."""

    path: str
    size: int
    lines: tuple[SignalLine, ...]

    @property
    def frame(self) -> int:
        """Samples of a frame, over all signals."""
        return sum([line.samples_per_frame for line in self.lines])


def data_files(path: str, header: Header) -> list[DataFile]:
    """The files of a record, in the order of its signals.

    Raises
    ------
    DataError
        If a file is missing or no ordinary file; if its name leads out of the record's folder; if signals of one file
        have different formats or offsets, or do not stand together in the header.
    """
    if not header.signals:
        raise DataError(f"{os.path.basename(path)}: the record has no signals; leave it out")
    found = []
    for name, group in groupby(header.signals, key=itemgetter(0)):
        lines = tuple(group)
        if len({line[1] for line in lines}) > 1 or len({line.byte_offset for line in lines}) > 1:
            raise DataError(
                f"{os.path.basename(path)}: the signals of {name!r} have different formats or offsets, which cannot be in one file; "
                "correct the header"
            )
        found.append(_data_file(path, name, lines))
    if len({file.path for file in found}) < len(found):
        raise DataError(f"{os.path.basename(path)}: signals of one file must stand together in the header; correct it")
    return found


def length_of(path: str, header: Header, files: list[DataFile]) -> int:
    """Frames of a record: as the header says, else as many as the first file holds.

    Raises
    ------
    DataError
        If a file holds fewer samples than that, or more; if there is none at all.
    """
    length = header.length
    for file in files:
        first = file.lines[0]
        room = file.size - first.byte_offset
        if first.format in COMPRESSED:
            most = max(room, 0) * LARGEST_PACKING // file.frame
            if length is None or length > most:
                said = "no number of samples" if length is None else f"{length:,} samples"
                raise DataError(
                    f"{os.path.basename(path)}: the header gives {said}, and {os.path.basename(file.path)} is FLAC of {file.size:,} bytes, "
                    "which cannot be; correct the header or fetch the record again"
                )
            continue
        bits = BITS.get(first.format)
        if bits is None:
            raise DataError(
                f"{os.path.basename(path)}: format {first.format} is none of WFDB's ({', '.join(map(str, (*BITS, *COMPRESSED)))}); "
                "correct the header or fetch the record again"
            )
        if length is None:
            length = int(max(room, 0) * 8 / bits) // file.frame
        needed = -int(-length * file.frame * bits // 8)
        # A whole frame too many is a signal or a stretch of time that the header does not know of.
        if room < needed or room - needed >= max(file.frame * bits / 8, BLOCK_BYTES):
            raise DataError(
                f"{os.path.basename(path)}: {len(file.lines)} signals of {length:,} samples take {first.byte_offset + needed:,} bytes, but "
                f"{os.path.basename(file.path)} has {file.size:,}; header and data do not belong together, fetch both again"
            )
    if not length:
        raise DataError(f"{os.path.basename(path)}: the record has no samples; leave it out")
    return length


def _data_file(path: str, name: str, lines: tuple[SignalLine, ...]) -> DataFile:
    if name in ("~", "-"):
        raise DataError(
            f"{os.path.basename(path)}: a signal without a file ({name!r}) has no samples; leave the record out"
        )
    if "/" in name or "\\" in name or name in (".", ".."):
        raise DataError(
            f"{os.path.basename(path)}: the header names the data file {name!r}, which is not beside it; files are read from the record's "
            "own folder only. Put the file there and correct the header"
        )
    folder = os.path.dirname(path)
    place = os.path.join(folder, name)
    try:
        status = os.stat(place)
    except (OSError, ValueError):
        where = os.path.basename(folder) or "this folder"
        raise DataError(
            f"{os.path.basename(path)}: its data file {name!r} is not in {where!r}; fetch the record again"
        ) from None
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{os.path.basename(path)}: its data file {name!r} is no ordinary file; fetch the record again")
    return DataFile(place, status.st_size, lines)
