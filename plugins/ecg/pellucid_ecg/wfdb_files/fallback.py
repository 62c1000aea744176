"""Records that the ``wfdb`` package reads for us: rare formats, several segments, several samples a frame, skew."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.asked_for import chosen, lead_names, one_unit, span
from pellucid_ecg.wfdb_files.data_files import data_files, length_of
from pellucid_ecg.wfdb_files.headers import Header, read_header

__all__ = ["read_by_wfdb"]

LONGEST_GAP = 100
"""How many times longer than its samples the gaps of a record may be; beyond it the header is taken to be damaged."""

GAP_AT_LEAST = 1_000_000
"""A gap of so many samples is let through however little was recorded beside it."""


def read_by_wfdb(
    path: str,
    header: Header,
    *,
    leads: Sequence[str] | None,
    start: int | None,
    stop: int | None,
    dtype: npt.DTypeLike,
) -> EcgRecording:
    """Read a record by ``wfdb.rdrecord``, once its files are known to hold what the headers say.

    Raises
    ------
    DataError
        For whatever the package refuses, too.
    """
    length = _whole_length(path, header)
    begin, end = span(path, length, start, stop)
    record = _rdrecord(path, begin, end)
    signals = None if record is None else record.p_signal
    if signals is None or len(signals) != end - begin:
        raise DataError(f"{os.path.basename(path)}: the wfdb package finds no samples in the record; leave it out")
    names = lead_names(record.sig_name or [None] * signals.shape[1])
    units = getattr(record, "units", None)
    if units is None:
        raise DataError(
            f"{os.path.basename(path)}: the unit of a signal changes between segments; read the segments one by one"
        )
    picked = list(range(len(names))) if leads is None else chosen(path, names, leads)
    # A signal that no segment holds has no unit.
    unit = one_unit(path, [names[i] for i in picked if units[i]], [units[i] for i in picked if units[i]] or ["mV"])
    values = np.ascontiguousarray(signals.T[picked])
    known = ~np.isnan(values)
    values[~known] = 0
    return EcgRecording(
        values.astype(dtype, copy=False),
        tuple(names[i] for i in picked),
        header.rate_hz,
        unit,
        None if known.all() else known,
        os.path.basename(path)[: -len(".hea")],
    )


def _rdrecord(path: str, begin: int, end: int) -> Any:
    # Only here: the package takes a second to import, and most records do not need it.
    import wfdb

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return wfdb.rdrecord(path[: -len(".hea")], sampfrom=begin, sampto=end)
    except ImportError as error:
        raise DataError(
            f"{os.path.basename(path)}: this record needs the package {error.name!r} beside wfdb; install it (pip install {error.name})"
        ) from None
    except Exception as error:  # noqa: BLE001 - the package raises whatever its parts do
        # Its message is left out: it may quote the header's date, which identifies.
        raise DataError(
            f"{os.path.basename(path)}: neither pellucid nor the wfdb package can read this record ({type(error).__name__}); fetch it "
            "again, or leave it out"
        ) from None


def _whole_length(path: str, header: Header) -> int:
    """Frames of a record, once all its files were found to hold what is said of them: wfdb allocates what a header claims."""
    if not header.segments:
        length = length_of(path, header, data_files(path, header))
        if any(line.skew >= length for line in header.signals):
            raise DataError(
                f"{os.path.basename(path)}: a signal is shifted by more than the record's length; correct the header"
            )
        return length
    parts, layout = list(header.segments), parts_layout(header)
    if layout is not None:
        _check_layout(path, header, layout)
        parts = parts[1:]
    length, recorded, gaps = header.length or 0, 0, 0
    for segment in parts:
        if segment.name == "~":
            gaps += segment.length
            continue
        recorded += _check_segment(path, header, segment.name, segment.length, same=layout is None)
    if not recorded or recorded + gaps != length:
        raise DataError(
            f"{os.path.basename(path)}: the segments have {recorded + gaps:,} samples, the record {length:,}; correct the header or "
            "fetch it again"
        )
    if gaps > max(LONGEST_GAP * recorded, GAP_AT_LEAST) or (gaps and layout is None):
        raise DataError(
            f"{os.path.basename(path)}: {gaps:,} samples of gaps beside {recorded:,} that were recorded; read the segments one by one"
        )
    return length


def parts_layout(header: Header) -> str | None:
    """Name of the segment of length 0 that lists all signals, where segments differ in theirs."""
    first = header.segments[0]
    return first.name if first.length == 0 else None


def _check_layout(path: str, header: Header, name: str) -> None:
    layout = _segment_header(path, name)
    if layout.n_signals != header.n_signals or len(layout.signals) != header.n_signals:
        raise DataError(
            f"{os.path.basename(path)}: its layout {name!r} has other signals than the record; fetch the record again"
        )


def _check_segment(path: str, header: Header, name: str, length: int, *, same: bool) -> int:
    part = _segment_header(path, name)
    own = _beside(path, name)
    if part.segments or part.rate_hz != header.rate_hz or (same and part.n_signals != header.n_signals):
        raise DataError(
            f"{os.path.basename(path)}: segment {name!r} does not fit the record (rate, signals); fetch the record again"
        )
    if part.signals and length_of(own, part, data_files(own, part)) != length:
        raise DataError(
            f"{os.path.basename(path)}: segment {name!r} is not as long as the record says; fetch the record again"
        )
    return length


def _segment_header(path: str, name: str) -> Header:
    if "/" in name or "\\" in name or name in ("~", ".", ".."):
        raise DataError(f"{os.path.basename(path)}: {name!r} is no segment beside the header; correct the header")
    return read_header(_beside(path, name))


def _beside(path: str, name: str) -> str:
    return os.path.join(os.path.dirname(path), name + ".hea")
