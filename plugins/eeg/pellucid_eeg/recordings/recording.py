"""A recording: signals of named channels over time, with what happened when, and where it was interrupted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt
import pandas as pd

from pellucid.errors import DataError, abridged, nearest

__all__ = ["EVENT_COLUMNS", "EegRecording", "LazySignals", "Segment", "event_table"]

EVENT_COLUMNS = ("onset_s", "duration_s", "description")


@runtime_checkable
class LazySignals(Protocol):
    """Signals that stay in their file until a part of them is asked for."""

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples."""

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Samples ``start`` to ``stop`` of all channels, microvolts, shape (channel, time); finite or NaN, memory of the
        caller's own.
        """


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch that was recorded without interruption.

    Parameters
    ----------
    start, stop : int
        First sample and the one after the last.
    onset_s : float
        When the first sample was taken, in seconds since the recording's first.
    """

    start: int
    stop: int
    onset_s: float = 0.0


def event_table(
    onset_s: Sequence[float] = (), duration_s: Sequence[float] = (), description: Sequence[str] = ()
) -> pd.DataFrame:
    """Events as a table, in the order of their onsets; columns are :data:`EVENT_COLUMNS`.

    Examples
    --------
    >>> event_table([2.0, 0.5], [0.0, 1.0], ["b", "a"]).description.tolist()
    ['a', 'b']
    """
    if not len(onset_s):
        return _NO_EVENTS.copy()
    onsets = np.asarray(onset_s, np.float64)
    order = np.argsort(onsets, kind="stable")
    words = np.empty(len(onsets), object)
    words[:] = list(description)
    return pd.DataFrame(
        {
            "onset_s": onsets[order],
            "duration_s": np.asarray(duration_s, np.float64)[order],
            "description": pd.Series(words[order], dtype=object),
        }
    )


_NO_EVENTS = pd.DataFrame(
    {"onset_s": np.empty(0), "duration_s": np.empty(0), "description": pd.Series([], dtype=object)}
)


@dataclass(frozen=True, eq=False)
class EegRecording:
    """Signals of one electroencephalogram. It knows nothing of the person but a pseudonym, and that only where one was asked for.

    Parameters
    ----------
    signals : ndarray of float32, shape (channel, time), or LazySignals
        Microvolts. NaN marks a missing sample.
    channels : tuple of str
        One name a row, as the file gives them.
    rate_hz : float
    events : DataFrame
        Columns ``onset_s`` (seconds since the first sample), ``duration_s``, ``description``. Descriptions are free words that
        somebody typed: let through to a report only those that a study names.
    segments : tuple of Segment
        Where the recording was interrupted; one segment without it. No window may cross from one to the next.
    bad_channels : tuple of str
        Those that somebody marked as bad.
    subject : str, optional
        Pseudonym.
    name : str
        For messages.

    Raises
    ------
    DataError
        If shapes disagree, a value is infinite, a rate or an event is none, or segments do not cover the samples in order.

    Examples
    --------
    >>> some = EegRecording(np.zeros((1, 512), np.float32), ("Cz",), 256.0)
    >>> some.duration_s, some.window_uv(0.5, 1.0).shape
    (2.0, (1, 256))
    """

    signals: npt.NDArray[np.float32] | LazySignals = field(repr=False)
    channels: tuple[str, ...]
    rate_hz: float
    events: pd.DataFrame = field(default_factory=event_table, repr=False)
    segments: tuple[Segment, ...] = ()
    bad_channels: tuple[str, ...] = ()
    subject: str | None = None
    name: str = "recording"

    def __post_init__(self) -> None:
        signals: Any = self.signals
        if isinstance(signals, np.ndarray):
            if np.ma.isMaskedArray(signals) or signals.dtype.kind != "f":
                raise DataError(f"{self.name}: signals are no plain array of floats; mark missing samples by NaN")
            # Of the least and greatest alone: a search through all samples would double the memory.
            if (
                signals.size
                and np.isinf([np.fmin.reduce(signals, axis=None), np.fmax.reduce(signals, axis=None)]).any()
            ):
                raise DataError(f"{self.name}: signals hold infinite values; mark missing samples by NaN")
        elif not isinstance(signals, LazySignals):
            raise DataError(f"{self.name}: signals are no array; give one of shape (channel, time)")
        if len(signals.shape) != 2 or signals.shape[0] != len(self.channels):
            raise DataError(
                f"{self.name}: signals of shape {tuple(signals.shape)} for {len(self.channels)} channels; expected "
                "(channel, time)"
            )
        if not isinstance(self.rate_hz, int | float | np.number) or not 0 < self.rate_hz < np.inf:
            raise DataError(f"{self.name}: a rate of {self.rate_hz!r} Hz; give a number above 0")
        self._check_events()
        if not self.segments:
            object.__setattr__(self, "segments", (Segment(0, self.length),))
        edges = [0, *[one.stop for one in self.segments]]
        if [one.start for one in self.segments] != edges[:-1] or edges[-1] != self.length or edges != sorted(edges):
            raise DataError(f"{self.name}: segments do not cover the {self.length:,} samples one after the other")

    def _check_events(self) -> None:
        missing = [column for column in EVENT_COLUMNS if column not in self.events.columns]
        if missing:
            raise DataError(f"{self.name}: events without the column {', '.join(missing)}")
        if not len(self.events):
            return
        times = self.events[["onset_s", "duration_s"]].to_numpy(np.float64)
        if not np.isfinite(times).all() or (times[:, 1] < 0).any():
            raise DataError(f"{self.name}: events with an onset that is no time, or that last less than nothing")

    @property
    def length(self) -> int:
        """Samples a channel."""
        return int(self.signals.shape[1])

    @property
    def duration_s(self) -> float:
        """Seconds that were recorded, without the interruptions."""
        return self.length / self.rate_hz

    @property
    def signals_uv(self) -> npt.NDArray[np.float32]:
        """All samples, microvolts, shape (channel, time); read from their file where they still are in it."""
        if isinstance(self.signals, np.ndarray):
            return self.signals
        return self.signals.read(0, self.length)

    def loaded(self) -> EegRecording:
        """The recording with all of its samples in memory."""
        if isinstance(self.signals, np.ndarray):
            return self
        # Lazy signals give finite values by contract; looking through them again would take a third of the reading.
        whole = copy(self)
        object.__setattr__(whole, "signals", self.signals.read(0, self.length))
        return whole

    def samples_uv(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Samples ``start`` to ``stop``, shape (channel, time).

        Parameters
        ----------
        start, stop : int
            First sample and the one after the last.

        Returns
        -------
        ndarray of float32, shape (channel, time), uV
            NaN where a sample is missing.

        Raises
        ------
        DataError
            If the recording has no such samples, or was interrupted between them.
        """
        start, stop = int(start), int(stop)
        if not 0 <= start < stop <= self.length:
            raise DataError(
                f"{self.name}: samples {start:,} to {stop:,} are asked for, but the recording has {self.length:,}"
            )
        if len(self.segments) > 1:
            crossed = [one.start for one in self.segments if start < one.start < stop]
            if crossed:
                raise DataError(
                    f"{self.name}: samples {start:,} to {stop:,} cross an interruption at sample {crossed[0]:,}; take windows "
                    "inside one of its segments"
                )
        if isinstance(self.signals, np.ndarray):
            return self.signals[:, start:stop]
        return self.signals.read(start, stop)

    def window_uv(self, onset_s: float, duration_s: float) -> npt.NDArray[np.float32]:
        """The samples of a window, shape (channel, time), its onset in seconds since the recording's first sample.

        Parameters
        ----------
        onset_s : float
            Rounded to the nearest sample.
        duration_s : float
            At least one sample.

        Returns
        -------
        ndarray of float32, shape (channel, time), uV

        Raises
        ------
        DataError
            If nothing was recorded at some time of the window.
        """
        wanted = round(duration_s * self.rate_hz) if math.isfinite(duration_s) else 0
        for one in self.segments:
            if not math.isfinite(onset_s):
                break
            start = one.start + round((onset_s - one.onset_s) * self.rate_hz)
            if one.start <= start and start + wanted <= one.stop and wanted >= 1:
                return self.samples_uv(start, start + wanted)
        raise DataError(
            f"{self.name}: {onset_s:g} s to {onset_s + duration_s:g} s was not recorded without interruption; its segments: "
            + self._recorded()
        )

    def _recorded(self) -> str:
        told = [
            f"{one.onset_s:.3f}-{one.onset_s + (one.stop - one.start) / self.rate_hz:.3f} s" for one in self.segments
        ]
        return abridged(told)

    def seconds_of(self, sample: int) -> float:
        """When a sample was taken, in seconds since the first."""
        for one in self.segments:
            if one.start <= sample < one.stop:
                return one.onset_s + (sample - one.start) / self.rate_hz
        raise DataError(f"{self.name}: there is no sample {sample:,}; the recording has {self.length:,}")

    def of_channels(self, channels: Sequence[str]) -> EegRecording:
        """The recording with these channels, in this order.

        Raises
        ------
        DataError
            If one is not there, or is there twice.
        """
        rows = []
        for name in channels:
            at = [row for row, other in enumerate(self.channels) if other == name]
            if len(at) != 1:
                what = "no" if not at else f"{len(at)}"
                raise DataError(f"{self.name}: {what} channels {name!r}{'' if at else nearest(name, self.channels)}")
            rows.append(at[0])
        signals = self.signals
        kept = tuple(name for name in self.bad_channels if name in channels)
        picked: Any = signals[rows] if isinstance(signals, np.ndarray) else _Rows(signals, tuple(rows))
        return replace(self, signals=cast("LazySignals", picked), channels=tuple(channels), bad_channels=kept)


@dataclass(frozen=True)
class _Rows:
    """Some channels of lazy signals."""

    source: LazySignals
    rows: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.rows), self.source.shape[1]

    def read(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        return self.source.read(start, stop)[list(self.rows)]
