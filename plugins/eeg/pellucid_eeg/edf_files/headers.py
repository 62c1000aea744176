"""Headers of EDF, EDF+, BDF and BDF+ files, read strictly: what the samples are, and nothing of the person."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from pellucid.errors import DataError

__all__ = ["ANNOTATIONS", "STATUS", "EdfHeader", "EdfSignal", "parse_header", "read_header", "subject_field"]

ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
"""Labels of signals that hold no samples but what happened when."""

STATUS = "Status"
"""Label of the trigger lines in BDF files."""

MOST_SIGNALS = 9999
_MAIN, _EACH = 256, 256
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NUMBER = re.compile(rb"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?")
_WHOLE = re.compile(rb"[+-]?\d+")


@dataclass(frozen=True, slots=True)
class EdfSignal:
    """One signal of a file.

    Parameters
    ----------
    label : str
    unit : str
        As the file spells it.
    samples : int
        In each record.
    offset : int
        Of its first sample in a record, in samples.
    gain : float
        Units for one step of the converter.
    shift : int
    shift_rest : float
        What is added to the converter's number before it is multiplied by the gain: the nearest whole number, and the rest.
    """

    label: str
    unit: str
    samples: int
    offset: int
    gain: float = 1.0
    shift: int = 0
    shift_rest: float = 0.0

    @property
    def annotations(self) -> bool:
        """Whether it holds annotations instead of samples."""
        return self.label in ANNOTATIONS


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What a header says, without the fields for patient, recording, equipment and date: these are not kept anywhere.

    Parameters
    ----------
    kind : str
        ``"EDF"``, ``"EDF+C"``, ``"EDF+D"``, ``"BDF"``, ``"BDF+C"`` or ``"BDF+D"``; ``D`` are files with interruptions.
    bytes_per_sample : int
        2 in EDF, 3 in BDF.
    data_start : int
        Byte at which the first record begins.
    said_records : int
        What the header says of their number; -1 where it leaves it open.
    file_records, tail_bytes : int
        Whole records that the file has, and the bytes behind them.
    record_s : float
        Seconds of a record.
    record_samples : int
        Of all signals together.
    signals : tuple of EdfSignal
    """

    kind: str
    bytes_per_sample: int
    data_start: int
    said_records: int
    file_records: int
    tail_bytes: int
    record_s: float
    record_samples: int
    signals: tuple[EdfSignal, ...] = field(repr=False)

    @property
    def record_bytes(self) -> int:
        """Of one record."""
        return self.record_samples * self.bytes_per_sample

    @property
    def discontinuous(self) -> bool:
        """Whether there may be time between records."""
        return self.kind.endswith("D")

    def rate_hz(self, signal: EdfSignal) -> float:
        """Samples of a signal in a second.

        Parameters
        ----------
        signal : EdfSignal
            One of :attr:`signals`.
        """
        return signal.samples / self.record_s


def read_header(path: Path | str) -> EdfHeader:
    """Read a header.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If there is no such file, or a field is not as EDF has it; names file, signal and field, and quotes none of them.
    """
    content, size = _start_of(path)
    return parse_header(content, size, os.path.basename(os.fspath(path)))


def _start_of(path: Path | str) -> tuple[bytes, int]:
    """The header's bytes, as many as the file has of them, and the file's size."""
    path = os.fspath(path)
    name = os.path.basename(path)
    try:
        # Opened without waiting: a pipe of this name would otherwise hold the reader up for ever.
        opened = os.open(path, _READ)
        try:
            state = os.fstat(opened)
            if not stat.S_ISREG(state.st_mode):
                raise DataError(f"{name}: no ordinary file; give the .edf or .bdf file of a recording")
            content = os.read(opened, _MAIN)
            signals = content[252:256].strip()
            if signals.isdigit():
                content += os.read(opened, min(_EACH * int(signals), state.st_size))
        finally:
            os.close(opened)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file; check its place, or fetch the recording again") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(
            f"{name!r}: cannot be read ({getattr(error, 'strerror', None) or 'no valid name'}); check its place and rights"
        ) from None
    return content, state.st_size


def parse_header(content: bytes, size: int, file_name: str) -> EdfHeader:
    """Read a header from its bytes.

    Parameters
    ----------
    content : bytes
        At least the header.
    size : int
        Bytes of the whole file.
    file_name : str
        For messages.
    """
    if content[:8] == b"0       ":
        family, width = "EDF", 2
    elif content[:8] == b"\xffBIOSEMI":
        family, width = "BDF", 3
    else:
        raise DataError(f"{file_name}: no EDF or BDF file by its first eight bytes; give the file of a recording")
    if len(content) < _MAIN:
        raise DataError(f"{file_name}: the file ends inside its header; fetch it again")
    number = _whole(content[252:256], f"{file_name}: the number of signals")
    if not 1 <= number <= MOST_SIGNALS:
        raise DataError(f"{file_name}: {number} signals; a recording has at least one")
    start = _MAIN + _EACH * number
    if len(content) < start:
        raise DataError(f"{file_name}: the file ends inside the header of its {number} signals; fetch it again")
    if (said := _whole(content[184:192], f"{file_name}: the size of the header")) != start:
        raise DataError(f"{file_name}: a header of {said:,} bytes is announced, but {number} signals need {start:,}")
    subtype = bytes(content[192:197])
    kind = family + subtype[3:].decode() if subtype in (f"{family}+C".encode(), f"{family}+D".encode()) else family
    said_records = _whole(content[236:244], f"{file_name}: the number of records")
    record_s = _number(content[244:252], f"{file_name}: the duration of a record")
    if said_records < -1 or record_s < 0:
        raise DataError(f"{file_name}: {said_records} records of {float(record_s):g} s; the header was damaged")
    signals = _signals(content[_MAIN:start], number, width, file_name)
    if record_s == 0 and not all(signal.annotations for signal in signals):
        raise DataError(f"{file_name}: records last 0 s, so that no signal has a rate; the header was damaged")
    samples = sum(signal.samples for signal in signals)
    if size < start:
        raise DataError(f"{file_name}: the file ends inside its header; fetch it again")
    records, tail = divmod(size - start, samples * width)
    return EdfHeader(kind, width, start, said_records, records, tail, float(record_s), samples, signals)


def _signals(content: bytes, number: int, width: int, file_name: str) -> tuple[EdfSignal, ...]:
    """The signals' fields stand one after the other, each for all signals."""
    columns, at = {}, 0
    for name, size in _FIELDS:
        columns[name] = [content[at + size * i : at + size * (i + 1)] for i in range(number)]
        at += size * number
    signals, offset = [], 0
    # Most signals of a file have the same range.
    scales: dict[tuple[bytes, ...], tuple[float, int, float]] = {}
    for i in range(number):
        where = f"{file_name}, signal {i + 1}"
        label, unit = _text(columns["label"][i]), _text(columns["unit"][i])
        samples = _whole(columns["samples"][i], f"{where}: the samples in a record")
        if samples < 1:
            raise DataError(f"{where}: {samples} samples in a record; leave the signal out of the file")
        if label in ANNOTATIONS:
            signals.append(EdfSignal(label, "", samples, offset))
        else:
            ends = tuple([columns[one][i] for one in _RANGE])
            if ends not in scales:
                scales[ends] = _scale(ends, width, where)
            signals.append(EdfSignal(label, unit, samples, offset, *scales[ends]))
        offset += samples
    return tuple(signals)


def _scale(ends: tuple[bytes, ...], width: int, where: str) -> tuple[float, int, float]:
    """Gain and shift from the ends of the digital and of the physical range."""
    low, high = (_whole(one, f"{where}: the {end}") for one, end in zip(ends[:2], _RANGE[:2], strict=True))
    from_, to = (_number(one, f"{where}: the {end}") for one, end in zip(ends[2:], _RANGE[2:], strict=True))
    lowest, highest = -(1 << (8 * width - 1)), (1 << (8 * width - 1)) - 1
    if not lowest <= low < high <= highest:
        raise DataError(f"{where}: digital values from {low} to {high}; expected a range within {lowest} to {highest}")
    if from_ == to:
        raise DataError(
            f"{where}: physical values from {float(from_):g} to {float(to):g} leave nothing to measure; correct the header, "
            "or leave the signal out of the file"
        )
    # Exactly, as a range may be far from 0 and narrow.
    gain = (to - from_) / (high - low)
    shift = from_ / gain - low
    return float(gain), round(shift), float(shift - round(shift))


_RANGE = ("digital min", "digital max", "physical min", "physical max")
_FIELDS = (
    ("label", 16), ("transducer", 80), ("unit", 8), ("physical min", 8), ("physical max", 8), ("digital min", 8),
    ("digital max", 8), ("prefilter", 80), ("samples", 8), ("reserved", 32),
)  # fmt: skip


def _text(field_: bytes) -> str:
    return field_.decode("latin-1").strip(" \0")


def _whole(field_: bytes, what: str) -> int:
    plain = field_.strip(b" \0")
    if not _WHOLE.fullmatch(plain):
        # Not quoted: where fields are shifted, a person's name may stand here.
        raise DataError(f"{what} is no whole number; the header was damaged, fetch the file again")
    return int(plain)


def _number(field_: bytes, what: str) -> Fraction:
    plain = field_.strip(b" \0")
    value = Fraction(plain.decode()) if _NUMBER.fullmatch(plain) else None
    if value is None or (value and not 1e-30 < abs(value) < 1e30):
        hint = " (EDF has a point where this has a comma)" if b"," in field_ else ""
        raise DataError(f"{what} is no number{hint}; the header was damaged, fetch the file again")
    return value


def subject_field(path: Path | str) -> str:
    """What a file says of who was recorded, for a pseudonym to be made of it at once: the code of EDF+, else the whole field.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the file cannot be read, or says nothing (``X`` is EDF+'s word for a code that was left out).
    """
    header, (content, _) = read_header(path), _start_of(path)
    said = _text(content[8:88])
    words = said.split()
    if words and header.kind not in ("EDF", "BDF"):
        said = words[0]
    if not said.strip("Xx "):
        raise DataError(
            f"{os.path.basename(os.fspath(path))}: the header does not say who was recorded; take subjects from the folder's "
            "or the table's names"
        )
    return said
