"""Reading WFDB records: the usual formats directly, whatever is rare by the ``wfdb`` package."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.asked_for import chosen, lead_names, one_unit, span
from pellucid_ecg.wfdb_files.data_files import data_files, length_of
from pellucid_ecg.wfdb_files.fallback import read_by_wfdb
from pellucid_ecg.wfdb_files.formats import MISSING, read_samples
from pellucid_ecg.wfdb_files.headers import DEFAULT_GAIN, Header, header_path, read_header

__all__ = ["physical", "read_here", "read_record", "read_records", "read_stored"]


def read_record(
    record: Path | str,
    *,
    leads: Sequence[str] | None = None,
    start: int | None = None,
    stop: int | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> EcgRecording:
    """Read a record of WFDB files.

    Formats 16, 212 and 80 in one segment are read here; everything else (other formats, several segments, several samples a
    frame, skew) by the ``wfdb`` package. Values are those of ``wfdb.rdrecord(record).p_signal``: computed in float64, then
    rounded to ``dtype``. Signals with several samples a frame are therefore means over each frame.

    Parameters
    ----------
    record : Path
        ``folder/100`` or ``folder/100.hea``.
    leads : sequence of str, optional
        Which signals, in which order, by the names that the header gives them; all without it.
    start, stop : int, optional
        First sample and the one after the last; the whole record without them.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    EcgRecording
        In the header's units. Samples that the file marks as missing are 0, and False in ``known``.

    Raises
    ------
    DataError
        If a file is missing, is no WFDB file, is shorter or longer than the header says, or has a gain of 0; if a lead is
        not there; if the leads have different units. Names the record and what to do.
    """
    path = header_path(record)
    header = read_header(path)
    if not read_here(header):
        return read_by_wfdb(path, header, leads=leads, start=start, stop=stop, dtype=dtype)
    return physical(path, header, read_stored(path, header, start, stop), leads, dtype)


def read_records(records: Iterable[Path | str], **options: Any) -> Iterator[EcgRecording]:
    """Read records one after the other; ``options`` are those of :func:`read_record`."""
    return (read_record(record, **options) for record in records)


def read_here(header: Header) -> bool:
    """Whether a record is one of those that need no other package."""
    return not header.segments and all(
        [line.format in MISSING and line.samples_per_frame == 1 and not line.skew for line in header.signals]
    )


def read_stored(path: str, header: Header, start: int | None = None, stop: int | None = None) -> npt.NDArray[np.int16]:
    """The converter's numbers, before gain and baseline; shape (lead, time).

    Raises
    ------
    DataError
        As :func:`read_record` does.
    """
    files = data_files(path, header)
    begin, end = span(path, length_of(path, header, files), start, stop)
    parts = []
    for file in files:
        count, line = len(file.lines), file.lines[0]
        try:
            flat = read_samples(file.path, line.format, line.byte_offset, begin * count, (end - begin) * count)
        except OSError as error:
            raise DataError(
                f"{os.path.basename(path)}: {line.file} cannot be read ({error.strerror or error}); fetch it again"
            ) from None
        if len(flat) != (end - begin) * count:
            raise DataError(
                f"{os.path.basename(path)}: {line.file} became shorter while it was read; read the record again"
            )
        parts.append(flat.reshape(end - begin, count).T)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def physical(
    path: str,
    header: Header,
    stored: npt.NDArray[np.int16],
    leads: Sequence[str] | None,
    dtype: npt.DTypeLike = np.float32,
) -> EcgRecording:
    """A recording from the converter's numbers, by gain and baseline of each lead."""
    names = lead_names([line.description for line in header.signals])
    lines = header.signals
    if leads is not None:
        picked = chosen(path, names, leads)
        stored, names, lines = stored[picked], tuple([names[i] for i in picked]), tuple([lines[i] for i in picked])
    name = os.path.basename(path)[: -len(".hea")]
    units = one_unit(path, names, [line.units for line in lines])
    stored = np.ascontiguousarray(stored)
    gain = np.array([DEFAULT_GAIN if line.gain is None else line.gain for line in lines])[:, None]
    # As wfdb computes them: in float64, and rounded once. In float32 from the start the last bit would differ.
    signals = np.empty(stored.shape, dtype)
    if any([line.baseline for line in lines]):
        stored_less = stored - np.array([float(line.baseline) for line in lines])[:, None]
        np.divide(stored_less, gain, out=signals, casting="same_kind")
    else:
        np.divide(stored, gain, out=signals, casting="same_kind")
    lowest = {MISSING[line.format] for line in lines}
    if stored.min() > max(lowest):
        return EcgRecording(signals, names, header.rate_hz, units, None, name)
    missing = stored == np.array([MISSING[line.format] for line in lines], np.int16)[:, None]
    signals[missing] = 0
    return EcgRecording(signals, names, header.rate_hz, units, ~missing if missing.any() else None, name)
