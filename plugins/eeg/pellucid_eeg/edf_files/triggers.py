"""Triggers of BDF files: what the lines of the Status channel say, as events."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError
from pellucid_eeg.edf_files.headers import STATUS, read_header
from pellucid_eeg.edf_files.reading import open_edf
from pellucid_eeg.edf_files.samples import EdfSamples, FileBytes
from pellucid_eeg.recordings.recording import EegRecording, event_table

__all__ = ["TRIGGER_BITS", "decoded", "triggers"]

TRIGGER_BITS = 0xFFFF
"""The sixteen trigger lines of a BioSemi receiver. The bits above tell of the amplifier: a new epoch (16), speed (17 to 19, 21), electrodes
in range (20), battery (22), kind of amplifier (23)."""

BLOCK = 1 << 20


def triggers(path: Path | str, mask: int = TRIGGER_BITS, *, least_samples: int = 1) -> pd.DataFrame:
    """Triggers of a BDF file as events: ``trigger 5`` where the lines that count change to 5.

    Parameters
    ----------
    path : Path
    mask : int
        The bits that count; their value is told shifted down to the lowest of them.
    least_samples : int
        A value that holds for fewer samples is a spike of the lines switching, and none of its own.

    Returns
    -------
    DataFrame
        Columns ``onset_s`` (seconds since the first sample), ``duration_s`` (how long the value held), ``description``.

    Raises
    ------
    DataError
        If the file has no Status channel.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    if not 0 < mask < 1 << 24:
        raise DataError(f"{name}: a trigger mask of {mask} names none of the 24 bits of a Status channel")
    header = read_header(path)
    status = [one for one in header.signals if one.label == STATUS]
    if header.bytes_per_sample != 3 or len(status) != 1:
        raise DataError(f"{name}: has no Status channel to read triggers from; leave out trigger_mask")
    # Its segments, by the checks that any channel goes through; its samples as the converter's numbers, whatever its range says.
    recording = open_edf(path, channels=[STATUS], unit_where_unknown="uV")
    size = header.data_start + header.file_records * header.record_bytes + header.tail_bytes
    plain = replace(status[0], gain=1.0, shift=0, shift_rest=0.0)
    records = recording.length // status[0].samples
    samples = EdfSamples(FileBytes(path, size), header, (plain,), [1.0], records)
    parts = [
        samples.read(start, min(start + BLOCK, recording.length))[0].astype(np.int32)
        for start in range(0, recording.length, BLOCK)
    ]
    return decoded(np.concatenate(parts), recording, mask, least_samples)


def decoded(
    values: npt.NDArray[np.integer], recording: EegRecording, mask: int, least_samples: int = 1
) -> pd.DataFrame:
    """Events out of the values of trigger lines.

    Parameters
    ----------
    values : ndarray of int, shape (time,)
    recording : EegRecording
        That they belong to: for its rate and its segments.
    mask, least_samples : int
        See :func:`triggers`.
    """
    shift = (mask & -mask).bit_length() - 1
    lines = (values.astype(np.int64) & mask) >> shift
    onsets: list[float] = []
    lasting: list[float] = []
    said: list[str] = []
    for segment in recording.segments:
        here = lines[segment.start : segment.stop]
        edges = np.flatnonzero(np.diff(here, prepend=here[:1] - 1))
        ends = np.append(edges[1:], len(here))
        long = ends - edges >= least_samples
        before = 0
        for start, stop in zip(edges[long].tolist(), ends[long].tolist(), strict=True):
            code = int(here[start])
            # What a spike interrupted goes on, and is no second trigger.
            if code and code != before:
                onsets.append(segment.onset_s + start / recording.rate_hz)
                lasting.append((stop - start) / recording.rate_hz)
                said.append(f"trigger {code}")
            before = code
    return event_table(onsets, lasting, said)
