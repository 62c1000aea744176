"""What a record's header says of its samples beside their number, compared with the samples: told, never mended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pellucid.data.samples import Finding
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.asked_for import lead_names
from pellucid_ecg.wfdb_files.headers import DEFAULT_GAIN, Header, header_path, read_header
from pellucid_ecg.wfdb_files.reading import physical, read_here, read_record, read_stored

__all__ = ["doubts_of", "read_checked"]


def read_checked(
    record: Path | str, *, leads: Sequence[str] | None = None, dtype: npt.DTypeLike = np.float32
) -> tuple[EcgRecording, tuple[Finding, ...]]:
    """A whole record as :func:`~pellucid_ecg.wfdb_files.reading.read_record` reads it, and what is doubtful about its files.

    The samples of records that the ``wfdb`` package reads are not compared.

    Raises
    ------
    DataError
        As ``read_record`` does.
    """
    path = header_path(record)
    header = read_header(path)
    if not read_here(header):
        return read_record(path, leads=leads, dtype=dtype), doubts_of(path, header)
    stored = read_stored(path, header)
    return physical(path, header, stored, leads, dtype), doubts_of(path, header, stored)


def doubts_of(path: str, header: Header, stored: npt.NDArray[np.int16] | None = None) -> tuple[Finding, ...]:
    """What is doubtful about a record's files.

    Parameters
    ----------
    path : str
        Of the header.
    header : Header
    stored : ndarray of int16, shape (lead, time), optional
        All of the record's samples.

    Returns
    -------
    tuple of Finding
        Checksum or first value other than the header says; no gain; another record's name in the header.
    """
    name = os.path.basename(path)[: -len(".hea")]
    names = lead_names([line.description for line in header.signals])
    found = []
    if header.name != name:
        found.append(Finding(name, "the header has the name of another record", header.name))
    uncalibrated = [lead for lead, line in zip(names, header.signals, strict=True) if line.gain is None]
    if uncalibrated:
        done = f"{DEFAULT_GAIN:g} steps per unit were assumed"
        found.append(Finding(name, "the header gives no gain", ", ".join(uncalibrated), done))
    if stored is None:
        return tuple(found)
    # WFDB's checksum is the sum of all samples in 16 bits; headers write it with a sign or without.
    sums = stored.sum(axis=1, dtype=np.int64) % 65536
    other_sum, other_first = [], []
    for lead, line, total, row in zip(names, header.signals, sums, stored, strict=True):
        # Checksums are not kept where the header leaves the length open.
        if line.checksum is not None and header.length is not None and line.checksum % 65536 != total:
            other_sum.append(lead)
        if line.initial_value is not None and line.initial_value != row[0]:
            other_first.append(lead)
    if other_sum:
        found.append(Finding(name, "the checksum is not the header's", ", ".join(other_sum)))
    if other_first:
        found.append(Finding(name, "the first value is not the header's", ", ".join(other_first)))
    return tuple(found)
