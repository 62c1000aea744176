"""Annotations of EDF+ and BDF+ files: when each record began, and what happened when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_eeg.edf_files.headers import EdfHeader
from pellucid_eeg.edf_files.samples import FileBytes

__all__ = ["Annotations", "read_annotations"]

BLOCK_BYTES = 1 << 20
SMALL_RECORD = 1 << 14
"""Records below this are read many at once; of larger ones only the annotations' bytes are read."""

_STAMP = re.compile(rb"([+-]\d{1,12}(?:\.\d{0,15})?)(?:\x15(\d{1,12}(?:\.\d{0,15})?))?")
_ONLY_TIME = re.compile(rb"([+-]\d{1,12}(?:\.\d{0,15})?)\x14\x14\0*")


@dataclass(frozen=True)
class Annotations:
    """What the annotation signals of a file say.

    Parameters
    ----------
    records_s : ndarray of float64, shape (record,)
        When each record began, in seconds since the file's start; empty where the file does not say it.
    onset_s, duration_s : list of float
        In seconds since the file's start; a duration is 0 where none is given.
    descriptions : list of str
    """

    records_s: npt.NDArray[np.float64]
    onset_s: list[float]
    duration_s: list[float]
    descriptions: list[str]


def read_annotations(source: FileBytes, header: EdfHeader, records: int, file_name: str) -> Annotations:
    """Read all annotations, and nothing else of the file.

    Parameters
    ----------
    source : FileBytes
    header : EdfHeader
    records : int
        How many records are read.
    file_name : str
        For messages.

    Returns
    -------
    Annotations
        Times are those of the file, seconds from the start that its header says.

    Raises
    ------
    DataError
        If they are not as EDF+ has them, or a record of a file with interruptions does not say when it began; names the record,
        and quotes nothing, since annotations are free words.
    """
    wanted = [
        (signal.offset * header.bytes_per_sample, (signal.offset + signal.samples) * header.bytes_per_sample)
        for signal in header.signals
        if signal.annotations
    ]
    starts: list[float] = []
    found = Annotations(np.empty(0), [], [], [])
    for number, parts in _records(source, header, records, wanted):
        # In most records nothing happened: this is all there is to them.
        plain = _ONLY_TIME.fullmatch(parts[0])
        begun = float(plain[1]) if plain else None
        for place, part in enumerate(parts):
            if place == 0 and plain:
                continue
            if not any(part):
                continue
            stamp = _parse(part, found, f"{file_name}, record {number + 1}")
            begun = stamp if place == 0 else begun
        if begun is not None:
            starts.append(begun)
        elif header.discontinuous:
            raise DataError(
                f"{file_name}, record {number + 1}: a file with interruptions must say when each record began, and this one "
                "does not; fetch it again"
            )
    whole = len(starts) == records
    return Annotations(
        np.array(starts if whole else [], np.float64), found.onset_s, found.duration_s, found.descriptions
    )


def _parse(part: bytes, found: Annotations, where: str) -> float | None:
    """Take up the lists of one signal in one record; gives the time of the first where it has an empty word (the record's)."""
    begun = None
    lists = part.rstrip(b"\0").split(b"\0")
    for place, one in enumerate(lists):
        if not one:
            continue
        stamp = _STAMP.match(one)
        if stamp is None or one[stamp.end() : stamp.end() + 1] != b"\x14" or one[-1:] != b"\x14":
            raise DataError(
                f"{where}: an annotation is not as EDF+ has it (time, words, end mark); fetch the file again"
            )
        onset, duration = float(stamp[1]), float(stamp[2] or 0)
        words = one[stamp.end() + 1 : -1].split(b"\x14")
        if place == 0 and words[0] == b"":
            begun = onset
        for word in words:
            if word:
                found.onset_s.append(onset)
                found.duration_s.append(duration)
                found.descriptions.append(_text(word))
    return begun


def _text(word: bytes) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        # EDF+ asks for UTF-8; older programs wrote what their computers had.
        return word.decode("latin-1")


def _records(
    source: FileBytes, header: EdfHeader, records: int, wanted: list[tuple[int, int]]
) -> Iterator[tuple[int, list[bytes]]]:
    """Number of each record and the bytes of its annotation signals."""
    if not wanted:
        return
    size = header.record_bytes
    if size > SMALL_RECORD:
        for number in range(records):
            at = header.data_start + number * size
            yield number, [source.at(at + left, right - left) for left, right in wanted]
        return
    step = BLOCK_BYTES // size
    for first in range(0, records, step):
        count = min(step, records - first)
        block = source.at(header.data_start + first * size, count * size)
        for i in range(count):
            yield first + i, [block[i * size + left : i * size + right] for left, right in wanted]
