"""Reading EDF, EDF+, BDF and BDF+ files into recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from pellucid.data import pseudonym
from pellucid.data.samples import Finding
from pellucid.errors import DataError, abridged, nearest
from pellucid_eeg.edf_files.annotations import Annotations, read_annotations
from pellucid_eeg.edf_files.headers import STATUS, EdfHeader, EdfSignal, read_header, subject_field
from pellucid_eeg.edf_files.samples import EdfSamples, FileBytes
from pellucid_eeg.recordings.electrodes import shown, shown_one
from pellucid_eeg.recordings.event_doubts import event_doubts
from pellucid_eeg.recordings.recording import EegRecording, Segment, event_table
from pellucid_eeg.recordings.units import microvolts_per, shown_unit

__all__ = ["EdfOptions", "open_checked", "open_edf", "read_edf", "signals_of"]


class EdfOptions(TypedDict, total=False):
    """How a file of the EDF or BDF kind is opened; all may be left out.

    Parameters
    ----------
    channels : sequence of str, optional
        Which signals, in which order, by the names that the file gives them; without it all but annotations and the trigger
        lines of BDF.
    rate_hz : float, optional
        Only signals of this rate.
    unit_where_unknown : str, optional
        ``"uV"``, ``"mV"`` or ``"V"``: what signals are in whose unit is missing or no known voltage.
    records : "header" or "file"
        Whom to believe where they disagree: with ``"header"`` (the default) a file that is longer or shorter than it says is
        refused, with ``"file"`` all whole records that are there are read.
    namespace : str, optional
        Give the recording a pseudonym, made of what the header says of the person and of this name of where it comes from.
    """

    channels: Sequence[str] | None
    rate_hz: float | None
    unit_where_unknown: str | None
    records: Literal["header", "file"]
    namespace: str | None


def read_edf(path: Path | str, **options: Unpack[EdfOptions]) -> EegRecording:
    """Read a whole file; parameters, result and errors are those of :func:`open_edf`, but the samples are in memory."""
    return open_edf(path, **options).loaded()


def open_edf(path: Path | str, **options: Unpack[EdfOptions]) -> EegRecording:
    """Open a file of the EDF or BDF kind; its samples are read when they are asked for.

    Patient, recording, equipment, date and time of the header stay behind. Times are seconds since the first sample.

    Parameters
    ----------
    path : Path
    **options
        By keyword, see :class:`EdfOptions`.

    Returns
    -------
    EegRecording
        Its segments are what a file with interruptions (``EDF+D``) has between them.

    Raises
    ------
    DataError
        If the file is missing, damaged or of another kind; if its size is not what the header says; if the signals asked for are
        not there, have different rates, or units that are no voltages; if records overlap in time.
    """
    return _opened(path, **options)[0]


def open_checked(path: Path | str, **options: Unpack[EdfOptions]) -> tuple[EegRecording, tuple[Finding, ...]]:
    """As :func:`open_edf`, with what is doubtful about the file: found, and not mended."""
    recording, header, noted = _opened(path, **options)
    return recording, _doubts(recording, header, noted)


def _opened(
    path: Path | str,
    *,
    channels: Sequence[str] | None = None,
    rate_hz: float | None = None,
    unit_where_unknown: str | None = None,
    records: Literal["header", "file"] = "header",
    namespace: str | None = None,
) -> tuple[EegRecording, EdfHeader, Annotations]:
    path = os.fspath(path)
    file_name = os.path.basename(path)
    header = read_header(path)
    signals = signals_of(header, file_name, channels, rate_hz)
    factors = _factors(file_name, header, signals, unit_where_unknown)
    count = _count(file_name, header, records)
    size = header.data_start + header.file_records * header.record_bytes + header.tail_bytes
    source = FileBytes(path, size)
    noted = read_annotations(source, header, count, file_name)
    rate, each = header.rate_hz(signals[0]), signals[0].samples
    segments = _segments(noted.records_s, header, count, each, file_name)
    origin = float(noted.records_s[0]) if len(noted.records_s) else 0.0
    events = event_table([onset - origin for onset in noted.onset_s], noted.duration_s, noted.descriptions)
    name = os.path.splitext(file_name)[0]
    recording = EegRecording(
        EdfSamples(source, header, signals, factors, count),
        tuple([signal.label for signal in signals]),
        rate,
        events,
        segments,
        subject=None if namespace is None else pseudonym(subject_field(path), namespace),
        name=name,
    )
    return recording, header, noted


def signals_of(
    header: EdfHeader, file_name: str, channels: Sequence[str] | None = None, rate_hz: float | None = None
) -> tuple[EdfSignal, ...]:
    """The signals asked for, of one rate.

    Parameters
    ----------
    header : EdfHeader
    file_name : str
        For messages.
    channels : sequence of str, optional
        By the names that the file gives them, in the order wanted.
    rate_hz : float, optional
        Only those of this rate.

    Raises
    ------
    DataError
        If one is not there or is there twice, if there is none, or if they have different rates: then with the rates of all.
    """
    there = [one for one in header.signals if not one.annotations]
    if channels is not None:
        picked = []
        for name in channels:
            at = [one for one in there if one.label == name]
            if len(at) != 1:
                what = (
                    f"has no signal {name!r}{nearest(name, [one.label for one in there])}"
                    if not at
                    else (f"has {len(at)} signals {name!r}")
                )
                raise DataError(f"{file_name}: the file {what}; its signals are {_listed(header, there)}")
            picked.append(at[0])
        there = picked
    elif header.bytes_per_sample == 3:
        there = [one for one in there if one.label != STATUS]
    if rate_hz is not None:
        before, there = there, [one for one in there if abs(header.rate_hz(one) / rate_hz - 1) < 1e-9]
        if before and not there:
            raise DataError(f"{file_name}: no signal of {rate_hz:g} Hz; the file has {_rates(header, before)}")
    if not there:
        raise DataError(f"{file_name}: no signals to read; the file has {_listed(header, header.signals)}")
    if len({one.samples for one in there}) > 1:
        raise DataError(
            f"{file_name}: the signals have different rates ({_rates(header, there)}); name the channels that you want, or one of "
            "the rates"
        )
    return tuple(there)


def _listed(header: EdfHeader, signals: Sequence[EdfSignal]) -> str:
    return shown([one.label for one in signals]) or "none"


def _rates(header: EdfHeader, signals: Sequence[EdfSignal]) -> str:
    """Each rate with the names of its channels."""
    of: dict[int, list[str]] = {}
    for signal in signals:
        of.setdefault(signal.samples, []).append(shown_one(signal.label, header.signals.index(signal)))
    told = [f"{samples / header.record_s:g} Hz: {abridged(names, 6)}" for samples, names in list(of.items())[:8]]
    return "; ".join(told)


def _factors(file_name: str, header: EdfHeader, signals: Sequence[EdfSignal], unknown: str | None) -> list[float]:
    assumed = None if unknown is None else microvolts_per(unknown)
    if unknown is not None and assumed is None:
        raise DataError(f"{file_name}: {unknown!r} is no voltage; give uV, mV or V for signals of unknown unit")
    factors, strange = [], []
    for signal in signals:
        factor = microvolts_per(signal.unit)
        if factor is None and assumed is None:
            strange.append(f"{shown_one(signal.label, header.signals.index(signal))} in {shown_unit(signal.unit)}")
        factors.append(factor or assumed or 1.0)
    if strange:
        raise DataError(
            f"{file_name}: no known voltages: {abridged(strange)}; name the channels that you want, or say which unit "
            "an unknown one stands for"
        )
    return factors


def _count(file_name: str, header: EdfHeader, records: str) -> int:
    """How many records are read."""
    said, there, tail = header.said_records, header.file_records, header.tail_bytes
    if records not in ("header", "file"):
        raise DataError(f"{file_name}: records by {records!r}; give 'header' or 'file'")
    if records == "header" and said != -1 and (said != there or tail):
        rest = f" and {tail:,} bytes" if tail else ""
        how = "was cut short" if there < said else "is longer than it says"
        raise DataError(
            f"{file_name}: the file {how}: the header says {said:,} records, and it has {there:,}{rest}; fetch it again, or take "
            "what is there with records='file'"
        )
    if not there:
        raise DataError(f"{file_name}: the file has no whole record; fetch it again")
    return there


def _segments(
    starts: npt.NDArray[np.float64], header: EdfHeader, records: int, each: int, file_name: str
) -> tuple[Segment, ...]:
    if not header.discontinuous or not len(starts):
        return (Segment(0, records * each),)
    # Times are written with a few decimals: less than half a sample of the fastest signal is no interruption.
    tolerance = 0.5 * header.record_s / max(one.samples for one in header.signals if not one.annotations)
    gaps = np.diff(starts) - header.record_s
    if (gaps < -tolerance).any():
        record = int(np.flatnonzero(gaps < -tolerance)[0])
        raise DataError(
            f"{file_name}, record {record + 2}: it begins before the one before it ends; the file's times are damaged, fetch it "
            "again"
        )
    edges = [0, *(np.flatnonzero(gaps > tolerance) + 1).tolist(), records]
    return tuple(
        [Segment(first * each, last * each, float(starts[first] - starts[0])) for first, last in pairwise(edges)]
    )


def _doubts(recording: EegRecording, header: EdfHeader, noted: Annotations) -> tuple[Finding, ...]:
    found: list[tuple[str, str, str]] = []
    count = header.file_records
    if header.said_records not in (-1, count):
        found.append(
            (
                "the file has another number of records than it says",
                f"{count:,} instead of {header.said_records:,}",
                "read",
            )
        )
    if header.tail_bytes:
        found.append(("the last record is cut short", f"{header.tail_bytes:,} bytes", "left out"))
    if len(recording.segments) > 1:
        last = recording.segments[-1]
        lost = last.onset_s + (last.stop - last.start) / recording.rate_hz - recording.duration_s
        found.append(("interruptions", f"{len(recording.segments) - 1}, {lost:.1f} s in all", "kept"))
    if not header.discontinuous and len(noted.records_s) > 1:
        drift = np.abs(noted.records_s - noted.records_s[0] - np.arange(len(noted.records_s)) * header.record_s)
        if drift.max() > 1 / recording.rate_hz:
            record = int(np.argmax(drift > 1 / recording.rate_hz))
            where = f"from record {record + 1}, by {drift.max():.3g} s at most"
            found.append(("the file says that it has no interruptions, but its records' times have", where, "ignored"))
    found += event_doubts(recording)
    return tuple([Finding(recording.name, what, where, done) for what, where, done in found])
