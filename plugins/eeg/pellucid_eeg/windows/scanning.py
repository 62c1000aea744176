"""One look at all samples of a recording: what they are, where some are missing, which channels are flat."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pellucid_eeg.recordings.quality import FLAT_UV
from pellucid_eeg.recordings.recording import EegRecording, Segment

__all__ = ["Scanned", "scanned"]

BLOCK_VALUES = 1 << 21
"""Samples of all channels together that are looked at together: 8 MB."""


@dataclass(frozen=True)
class Scanned:
    """What was seen.

    Parameters
    ----------
    digest : str
        Of all samples and the rate, whatever the file, its header or the channels are called.
    segments : tuple of Segment
        Stretches without interruption in which no sample of any channel is missing, but for channels that never have one.
    empty, flat : ndarray of bool, shape (channel,)
        Channels without a sample, and those that do not move.
    """

    digest: str
    segments: tuple[Segment, ...]
    empty: npt.NDArray[np.bool_]
    flat: npt.NDArray[np.bool_]


def scanned(recording: EegRecording) -> Scanned:
    """Look through a recording, block by block.

    Parameters
    ----------
    recording : EegRecording
        A block of its samples is in memory at a time.
    """
    rows = len(recording.channels)
    total = hashlib.blake2b(f"{recording.rate_hz!r}\x1f{rows}".encode(), digest_size=16)
    low, high = np.full(rows, np.inf), np.full(rows, -np.inf)
    step = max(1, BLOCK_VALUES // max(rows, 1))
    missing: list[tuple[int, npt.NDArray[np.bool_]]] = []
    for segment in recording.segments:
        for start in range(segment.start, segment.stop, step):
            values = recording.samples_uv(start, min(start + step, segment.stop))
            total.update(np.ascontiguousarray(values).view(np.uint8).data)
            unknown = np.isnan(values)
            if unknown.any():
                missing.append((start, unknown))
            np.fmin(low, np.fmin.reduce(values, axis=1), out=low)
            np.fmax(high, np.fmax.reduce(values, axis=1), out=high)
    empty = ~np.isfinite(low)
    segments = recording.segments
    for start, unknown in missing:
        segments = _without(segments, start, unknown[~empty].any(0), recording.rate_hz)
    return Scanned(total.hexdigest(), segments, empty, ~empty & (high - low < FLAT_UV))


def _without(
    segments: tuple[Segment, ...], at: int, unknown: npt.NDArray[np.bool_], rate_hz: float
) -> tuple[Segment, ...]:
    """Segments less some samples, which begin at a place."""
    edges = np.flatnonzero(np.diff(unknown, prepend=False, append=False)) + at
    for begun, ended in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        out: list[Segment] = []
        for one in segments:
            if ended <= one.start or begun >= one.stop:
                out.append(one)
                continue
            if begun > one.start:
                out.append(Segment(one.start, begun, one.onset_s))
            if ended < one.stop:
                out.append(Segment(ended, one.stop, one.onset_s + (ended - one.start) / rate_hz))
        segments = tuple(out)
    return segments
