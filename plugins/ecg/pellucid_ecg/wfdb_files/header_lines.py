"""Lines of a WFDB header: one signal each, or one segment."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from pellucid.errors import DataError

__all__ = ["DEFAULT_GAIN", "NUMBER", "Segment", "SignalLine", "segment_of", "signal_of", "text_of"]

DEFAULT_GAIN = 200.0
"""Steps of the converter per unit where a header gives no gain (WFDB's DEFGAIN)."""


class SignalLine(NamedTuple):
    """One signal as its header line describes it.

    ``gain`` is None where the line gives none (:data:`DEFAULT_GAIN` then holds), so are ``initial_value`` and ``checksum``.
    ``value = (stored - baseline) / gain`` in ``units``.
    """

    file: str
    format: int
    samples_per_frame: int
    skew: int
    byte_offset: int
    gain: float | None
    baseline: int
    units: str
    adc_resolution: int
    adc_zero: int
    initial_value: int | None
    checksum: int | None
    block_size: int
    description: str


class Segment(NamedTuple):
    """A record that is a part of another in time; ``"~"`` is a gap."""

    name: str
    length: int


def signal_of(line: bytes, number: int, file_name: str) -> SignalLine:
    """Read the line of a signal; ``number`` and ``file_name`` are for messages."""
    tokens = line.split(None, 3)
    given = len(tokens)
    try:
        fmt, per_frame, skew, offset = _format(tokens[1])
        gain, baseline, units = _gain(tokens[2]) if given > 2 else (None, None, "mV")
        match = _REST.fullmatch(tokens[3] if given > 3 else b"")
        if match is None:
            raise ValueError(_strange(tokens[3]))
    except (ValueError, IndexError) as error:
        what = str(error) if given > 1 else "a signal needs a file name and a format;"
        raise DataError(f"{file_name}, line {number}: {what} correct the header") from None
    bits, zero, initial, checksum, block, description = match.groups()
    adc_zero = int(zero or 0)
    return _line(
        (
            _name(tokens[0]),
            fmt,
            per_frame,
            skew,
            offset,
            gain,
            adc_zero if baseline is None else baseline,
            units,
            int(bits or 0),
            adc_zero,
            None if initial is None else int(initial),
            None if checksum is None else int(checksum),
            int(block or 0),
            _name(description) if description else "",
        )
    )


def segment_of(line: bytes, number: int, file_name: str) -> Segment:
    """Read the line of a segment."""
    match = _SEGMENT.fullmatch(line)
    if match is None:
        raise DataError(
            f"{file_name}, line {number}: a segment is a record name and its number of samples; correct the header"
        )
    return Segment(text_of(match[1]), int(match[2]))


def text_of(raw: bytes) -> str:
    """Names are in UTF-8, or in the older way of Western Europe."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


# --- the grammar ------------------------------------------------------------------------------------------------------

NUMBER = rb"(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})"
# At most 18 digits: what does not fit into 64 bits is no count, and Python refuses to read very long ones.
_SEGMENT = re.compile(rb"(~|[^\s/\\]+)\s+(\d{1,18})")

_FORMAT = re.compile(rb"(\d{1,18})(?:x(\d{1,18}))?(?::(\d{1,18}))?(?:\+(\d{1,18}))?")
_GAIN = re.compile(rb"(-?%b(?:[eE][+-]?\d{1,3})?)(?:\((-?\d{1,18})\))?(?:/(\S+))?" % NUMBER)
_REST = re.compile(
    rb"(?:(\d{1,18})(?:\s+(-?\d{1,18})(?:\s+(-?\d{1,18})(?:\s+(-?\d{1,18})(?:\s+(\d{1,18})(?:\s+(.*))?)?)?)?)?)?"
)
_WHOLE = re.compile(rb"-?\d{1,18}")
_AFTER_GAIN = ("resolution", "zero of the converter", "first value", "checksum", "block size")


def _line(fields: tuple[Any, ...]) -> SignalLine:
    return tuple.__new__(SignalLine, fields)


# The same few formats and gains stand in all lines of all records of a database.
@lru_cache(maxsize=256)
def _format(token: bytes) -> tuple[int, int, int, int]:
    match = _FORMAT.fullmatch(token)
    if match is None:
        raise ValueError(f"{text_of(token)[:40]!r} is no format (FORMAT[xSAMPLES][:SKEW][+OFFSET]);")
    fmt, per_frame, skew, offset = match.groups()
    if per_frame is not None and int(per_frame) == 0:
        raise ValueError("a signal of 0 samples a frame;")
    return int(fmt), int(per_frame or 1), int(skew or 0), int(offset or 0)


@lru_cache(maxsize=4096)
def _gain(token: bytes) -> tuple[float, int | None, str]:
    match = _GAIN.fullmatch(token)
    if match is None:
        raise ValueError(f"{text_of(token)[:40]!r} is no gain (GAIN[(BASELINE)][/UNITS]);")
    gain = float(match[1])
    if gain == 0:
        raise ValueError(
            "a gain of 0, by which WFDB says that the signal was never calibrated: its values have no unit. Leave the record "
            "out, or find out the recorder's steps per mV and"
        )
    if not 1e-20 < abs(gain) < 1e20:
        raise ValueError(f"a gain of {gain:g} steps per unit is no amplifier's;")
    return gain, None if match[2] is None else int(match[2]), text_of(match[3]) if match[3] else "mV"


def _strange(rest: bytes) -> str:
    """Which of the numbers after the gain is none."""
    for token, what in zip(rest.split(None, 5), _AFTER_GAIN, strict=False):
        if not _WHOLE.fullmatch(token) or (token.startswith(b"-") and what in ("resolution", "block size")):
            return f"{text_of(token)[:40]!r} is no {what};"
    return "the line does not end as a signal's;"


@lru_cache(maxsize=1024)
def _name(raw: bytes) -> str:
    return text_of(raw)
