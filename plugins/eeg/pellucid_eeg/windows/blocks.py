"""Windows of a long recording after its preparation, block by block: a day needs no more memory than ten minutes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pellucid.signals.filters import settling_s
from pellucid.signals.resampling import ratio_of
from pellucid_eeg.preparing.applying import prepare
from pellucid_eeg.preparing.record import Preparation
from pellucid_eeg.recordings.recording import EegRecording, Segment
from pellucid_eeg.windows.places import Cut

__all__ = ["Part", "margin_s", "prepared_windows", "rates_of"]

BLOCK_VALUES = 1 << 22
"""Samples of all channels together that are prepared together: 32 MB as float64, of which a filter makes a few copies."""

FILTER_SAMPLES = 40
"""Old samples, times the factor of the rates, on either side that resampling reads, with as many again."""


@dataclass(frozen=True)
class Part:
    """Some windows.

    Parameters
    ----------
    rows : ndarray of int
        Their positions among those that were asked for.
    windows_uv : ndarray, float32, shape (window, electrode, time)
    known : ndarray of bool, shape (electrode,)
    done : tuple of str
        What was done about electrodes.
    """

    rows: npt.NDArray[np.int64]
    windows_uv: npt.NDArray[np.float32]
    known: npt.NDArray[np.bool_]
    done: tuple[str, ...]


def rates_of(recording: EegRecording, preparation: Preparation) -> tuple[float, Fraction]:
    """Samples a second after the preparation, and how many there are for one before it.

    Parameters
    ----------
    recording : EegRecording
    preparation : Preparation
        Without a rate the recording's own stays.

    Returns
    -------
    float
        In Hz.
    Fraction
        New samples for an old one.
    """
    rate_hz = preparation.rate_hz or recording.rate_hz
    return float(rate_hz), ratio_of(recording.rate_hz, rate_hz)


def margin_s(preparation: Preparation, rate_hz: float) -> float:
    """Seconds on either side of a block that are prepared with it and thrown away.

    Parameters
    ----------
    preparation : Preparation
    rate_hz : float
        Before the preparation.
    """
    filters = settling_s(
        rate_hz, high_pass_hz=preparation.high_pass_hz, low_pass_hz=preparation.low_pass_hz, line_hz=preparation.line_hz
    )
    other = preparation.rate_hz not in (None, rate_hz)
    return filters + (FILTER_SAMPLES * max(1.0, rate_hz / (preparation.rate_hz or rate_hz)) / rate_hz if other else 0.0)


def prepared_windows(
    recording: EegRecording,
    electrodes: Sequence[str],
    segments: Sequence[Segment],
    cut: Cut,
    length: int,
    preparation: Preparation,
    wanted: Sequence[str],
    bad: Sequence[str] = (),
) -> Iterator[Part]:
    """Windows, prepared as if the whole segment that each lies in had been prepared at once, to 1e-6 of what was filtered out.

    Parameters
    ----------
    recording : EegRecording
    electrodes : sequence of str
        Standard names of its channels.
    segments : sequence of Segment
    cut : Cut
    length : int
        Of a window, in samples after the preparation.
    preparation : Preparation
    wanted, bad : sequence of str
        See :func:`~pellucid_eeg.preparing.applying.prepare`.

    Raises
    ------
    DataError
        As :func:`~pellucid_eeg.preparing.applying.prepare`.
    """
    _, ratio = rates_of(recording, preparation)
    up, down = ratio.numerator, ratio.denominator
    margin = math.ceil(margin_s(preparation, recording.rate_hz) * recording.rate_hz)
    block = max(BLOCK_VALUES // max(len(electrodes), 1), 4 * margin, -(-2 * length * down // up))
    for at, segment in enumerate(segments):
        rows = np.flatnonzero(cut.segment == at)
        while len(rows):
            first = int(cut.start[rows[0]]) * down // up
            # A block begins where an old and a new sample fall together.
            begin = max(0, first - margin) // down * down
            ends = -(-(cut.start[rows] + length) * down // up)
            count = max(1, int(np.searchsorted(ends, first + block, "right")))
            stop = min(int(ends[count - 1]) + margin + down, segment.stop - segment.start)
            signals = recording.samples_uv(segment.start + begin, segment.start + stop)
            done = prepare(signals, electrodes, recording.rate_hz, preparation, wanted, bad)
            here = cut.start[rows[:count]] - begin // down * up
            # Windows that overlap take more room than the block.
            some = max(1, BLOCK_VALUES // (len(wanted) * length))
            for i in range(0, count, some):
                places = here[i : i + some, None] + np.arange(length)
                windows = np.ascontiguousarray(done.signals_uv[:, places].transpose(1, 0, 2))
                yield Part(rows[i : min(i + some, count)], windows, done.known, done.done)
            # Not kept while the next block is read and filtered.
            del signals, done, windows
            rows = rows[count:]
