"""Where windows lie: one after the other in each segment, or around events; never across an interruption."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pellucid_eeg.recordings.recording import Segment

__all__ = ["Cut", "around_events", "one_after_the_other"]


@dataclass(frozen=True)
class Cut:
    """Windows to be cut, ordered by segment and time.

    Parameters
    ----------
    segment : ndarray of int, shape (window,)
        Position of the segment that each lies in.
    start : ndarray of int, shape (window,)
        First sample of each, counted from the segment's first, at the rate after the preparation.
    start_s : ndarray of float, shape (window,)
        In seconds since the recording's first sample.
    event : ndarray of int, shape (window,)
        Position of the event that each lies around; -1 for none.
    """

    segment: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    start_s: npt.NDArray[np.float64]
    event: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    def some(self, rows: npt.NDArray[np.int64]) -> Cut:
        """Those at some positions."""
        return Cut(self.segment[rows], self.start[rows], self.start_s[rows], self.event[rows])


def one_after_the_other(segments: Sequence[Segment], ratio: Fraction, rate_hz: float, length: int, step: int) -> Cut:
    """All windows of a length that segments have room for, in steps from each segment's first sample.

    Parameters
    ----------
    segments : sequence of Segment
        At the recorded rate.
    ratio : Fraction
        New samples for an old one.
    rate_hz : float
        After the preparation.
    length, step : int
        In new samples.
    """
    parts = [np.arange(0, samples_of(one, ratio) - length + 1, step) for one in segments]
    segment = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    start = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
    return _cut(segments, segment, start, rate_hz, np.full(len(start), -1))


def around_events(
    segments: Sequence[Segment],
    ratio: Fraction,
    rate_hz: float,
    length: int,
    onsets_s: npt.NDArray[np.float64],
    from_s: float,
) -> Cut:
    """One window for each event whose window was recorded without interruption.

    Parameters
    ----------
    segments, ratio, rate_hz, length
        See :func:`one_after_the_other`.
    onsets_s : ndarray, shape (event,)
        In seconds since the recording's first sample.
    from_s : float
        Where a window begins, in seconds from its event.
    """
    found: list[tuple[int, int, int]] = []
    begun = [one.onset_s - 0.5 / rate_hz for one in segments]
    for event, onset_s in enumerate(onsets_s.tolist()):
        at = bisect_right(begun, onset_s + from_s) - 1
        if at < 0:
            continue
        start = round((onset_s + from_s - segments[at].onset_s) * rate_hz)
        if start >= 0 and start + length <= samples_of(segments[at], ratio):
            found.append((at, start, event))
    table = np.array(sorted(found), np.int64).reshape(len(found), 3)
    return _cut(segments, table[:, 0], table[:, 1], rate_hz, table[:, 2])


def samples_of(segment: Segment, ratio: Fraction) -> int:
    """Samples of a segment at the new rate that lie between old ones.

    Parameters
    ----------
    segment : Segment
        At the recorded rate.
    ratio : Fraction
        New samples for an old one.
    """
    old = segment.stop - segment.start
    return 0 if old < 1 else ((old - 1) * ratio.numerator) // ratio.denominator + 1


def _cut(
    segments: Sequence[Segment],
    segment: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    rate_hz: float,
    event: npt.NDArray[np.int64],
) -> Cut:
    onsets = np.array([one.onset_s for one in segments], np.float64)
    start_s = onsets[segment] + start / rate_hz if len(segments) else np.zeros(0)
    return Cut(segment.astype(np.int64), start, start_s, event.astype(np.int64))
