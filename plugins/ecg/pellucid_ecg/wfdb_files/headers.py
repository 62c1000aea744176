"""Headers of WFDB records (``.hea``): what each line says, read strictly and quickly."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from pellucid.errors import DataError
from pellucid_ecg.wfdb_files.header_lines import (
    DEFAULT_GAIN,
    NUMBER,
    Segment,
    SignalLine,
    segment_of,
    signal_of,
    text_of,
)

__all__ = [
    "DEFAULT_GAIN",
    "DEFAULT_RATE_HZ",
    "Header",
    "Segment",
    "SignalLine",
    "header_path",
    "parse_header",
    "read_header",
]

DEFAULT_RATE_HZ = 250.0
"""Sampling rate where a header gives none (WFDB's DEFFREQ)."""

_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)

USUAL_BYTES = 1 << 15
LARGEST_BYTES = 16 << 20
"""A header of 100,000 segments has some 3 MB; what is larger is another file."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says.

    The time and date of the recording are checked for their form and left behind, since they identify a person. So can
    comments: read age, sex and diagnosis codes from them, and nothing else.

    Parameters
    ----------
    name : str
        Record name of the first line.
    rate_hz : float
        Frames per second.
    length : int, optional
        Frames; None where the header leaves it to the size of the data.
    n_signals : int
    signals : tuple of SignalLine
        Empty in a record of several segments.
    segments : tuple of Segment
    counter_hz, base_counter : float, optional
        Of the recorder's own counter.
    comments : tuple of str
        Without their ``#``.
    """

    name: str
    rate_hz: float
    length: int | None
    n_signals: int
    signals: tuple[SignalLine, ...] = ()
    segments: tuple[Segment, ...] = ()
    counter_hz: float | None = None
    base_counter: float | None = None
    comments: tuple[str, ...] = field(default=(), repr=False)


def header_path(record: Path | str) -> str:
    """The header of a record that is named as in WFDB (``folder/100``), or by its header or data file.

    Examples
    --------
    >>> header_path("mitdb/100"), header_path("mitdb/100.hea")
    ('mitdb/100.hea', 'mitdb/100.hea')
    """
    path = os.fspath(record)
    if path.endswith(".hea"):
        return path
    if path.endswith((".dat", ".mat")) and os.path.exists(path[:-4] + ".hea"):
        return path[:-4] + ".hea"
    return path + ".hea"


def read_header(record: Path | str) -> Header:
    """Read a header.

    Parameters
    ----------
    record : Path
        ``folder/100`` or ``folder/100.hea``.

    Raises
    ------
    DataError
        If there is no such file, or a line does not keep WFDB's grammar; names the file, the line and the field.
    """
    path = header_path(record)
    name = os.path.basename(path)
    try:
        # Opened without waiting: a pipe of this name would otherwise hold the reader up for ever.
        opened = os.open(path, _READ)
        try:
            content = os.read(opened, USUAL_BYTES)
            if len(content) == USUAL_BYTES:
                content += os.read(opened, LARGEST_BYTES)
        finally:
            os.close(opened)
    except FileNotFoundError:
        folder = os.path.basename(os.path.dirname(path)) or "this folder"
        raise DataError(f"{name}: there is no such header in {folder!r}; fetch the record again") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        raise DataError(
            f"{name!r}: cannot be read ({getattr(error, 'strerror', None) or 'no valid name'}); check its place and rights"
        ) from None
    return parse_header(content, name)


def parse_header(content: bytes, file_name: str) -> Header:
    """Read a header from its bytes; ``file_name`` is for messages.

    Examples
    --------
    >>> header = parse_header(b"100 1 360 650000\\n100.dat 212 200 11 1024 995 -22131 0 MLII\\n# 69 M\\n", "100.hea")
    >>> header.rate_hz, header.signals[0].baseline, header.signals[0].description
    (360.0, 1024, 'MLII')
    """
    if len(content) > LARGEST_BYTES or len(content.translate(None, _CONTROL)) < len(content):
        raise DataError(f"{file_name}: not a WFDB header, which is a short text; give the .hea file of a record")
    numbered: list[tuple[int, bytes]] = []
    comments: list[str] = []
    for number, line in enumerate(content.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith(b"#"):
            comments.append(text_of(stripped).strip(" \t#"))
        elif stripped:
            numbered.append((number, stripped))
    if not numbered:
        raise DataError(f"{file_name}: the header is empty; fetch the record again")
    first, rest = numbered[0], numbered[1:]
    match = _RECORD.fullmatch(first[1])
    if match is None:
        # The line is not quoted: where another file was given by mistake, it may name a person.
        raise DataError(
            f"{file_name}, line {first[0]}: not the first line of a WFDB header (record name, number of signals, rate, "
            "number of samples); give the .hea file of a record"
        )
    name, segments, signals, rate, counter, base, length = match.groups()
    what, expected = ("signals", int(signals)) if segments is None else ("segments", int(segments))
    if len(rest) != expected:
        raise DataError(
            f"{file_name}: line {first[0]} announces {expected} {what}, but {len(rest)} are described; the header is cut "
            "short or was edited, fetch the record again"
        )
    rate_hz = DEFAULT_RATE_HZ if rate is None else float(rate)
    if not 0 < rate_hz < math.inf:
        raise DataError(f"{file_name}, line {first[0]}: a sampling rate of {rate_hz:g} Hz; correct the header")
    return Header(
        text_of(name),
        rate_hz,
        int(length or 0) or None,
        int(signals),
        () if segments is not None else tuple([signal_of(line, number, file_name) for number, line in rest]),
        tuple([segment_of(line, number, file_name) for number, line in rest]) if segments is not None else (),
        None if counter is None else float(counter),
        None if base is None else float(base),
        tuple(comments),
    )


# --- the first line ---------------------------------------------------------------------------------------------------

_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r")
_RECORD = re.compile(
    rb"(?P<name>[^\s/]+)(?:/(?P<segments>\d{1,18}))?\s+(?P<signals>\d{1,18})"
    rb"(?:\s+(?P<rate>%b)(?:/(?P<counter>-?%b))?(?:\((?P<base>-?%b)\))?"
    rb"(?:\s+(?P<length>\d{1,18})"
    rb"(?:\s+\d{1,2}(?::\d{1,2}){0,2}(?:\.\d{1,9})?)?(?:\s+\d{1,2}/\d{1,2}/\d{1,4})?)?)?" % (NUMBER, NUMBER, NUMBER)
)
