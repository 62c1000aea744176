"""Writing WFDB records: format 16, one file of data beside one header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pellucid.errors import DataError
from pellucid.files import writing
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.formats import MISSING, encode

__all__ = ["write_record"]

LARGEST = 2**15 - 1


def write_record(
    path: Path | str, recording: EcgRecording, *, gain: float = 1000.0, comments: Sequence[str] = ()
) -> Path:
    """Write a recording as ``path.hea`` and ``path.dat``.

    Parameters
    ----------
    path : Path
        Without extension; its last part becomes the record's name (letters, digits, ``-`` and ``_``).
    recording : EcgRecording
        What is not known is written as missing.
    gain : float
        Steps per unit: values are rounded to 1 / gain.
    comments : sequence of str
        One line each. Nothing that identifies a person belongs there.

    Returns
    -------
    Path
        Of the header.

    Raises
    ------
    DataError
        If a value does not fit into 16 bits at this gain, or a name into a header.
    RunError
        If the files cannot be written.
    """
    path = Path(path)
    if not re.fullmatch(r"[-\w]+", path.name, re.ASCII):
        raise DataError(f"{path.name!r} cannot be a record's name; use letters, digits, - and _ only")
    if not 0 < gain < np.inf:
        raise DataError(f"{path.name}: a gain of {gain:g} steps per unit; give one above 0")
    for text in (*recording.leads, recording.units, *comments):
        if "\n" in text or "\r" in text:
            raise DataError(f"{path.name}: the name of a lead, a unit and a comment are one line each")
    if not recording.units or re.search(r"\s", recording.units):
        raise DataError(f"{path.name}: {recording.units!r} cannot be a unit in a header; use one word")
    if not recording.length:
        raise DataError(f"{path.name}: the recording has no samples")
    scaled = np.rint(recording.signals.astype(np.float64) * gain)
    if recording.known is not None:
        scaled[~recording.known] = MISSING[16]
    known = scaled if recording.known is None else scaled[recording.known]
    if known.size and np.abs(known).max() > LARGEST:
        raise DataError(
            f"{path.name}: values up to {np.abs(known).max() / gain:g} {recording.units} do not fit into 16 bits at {gain:g} "
            f"steps per unit; write with a gain of {LARGEST / (np.abs(known).max() / gain):.4g} or less"
        )
    stored = scaled.astype(np.int16)
    lines = [f"{path.name} {len(stored)} {recording.rate_hz:.12g} {stored.shape[1]}"]
    lines += [
        f"{path.name}.dat 16 {gain:.12g}(0)/{recording.units} 16 0 {row[0]} {int(row.sum(dtype=np.int64)) % 65536} 0 {lead}"
        for row, lead in zip(stored, recording.leads, strict=True)
    ]
    lines += [f"# {comment}" for comment in comments]
    # The header last: a record whose header is there is whole.
    with writing(path.with_name(path.name + ".dat")) as temporary:
        temporary.write_bytes(encode(stored.T))
    header = path.with_name(path.name + ".hea")
    with writing(header) as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
    return header
