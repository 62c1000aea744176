"""One recording brought to the shape that a dataset has: leads, rate, length, units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from pellucid.data import Signal
from pellucid.errors import DataError
from pellucid_ecg.recordings.leads import in_order
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.recordings.resampling import resampled
from pellucid_ecg.recordings.units import NORMALISED, in_millivolts, shown_unit

Shorter = Literal["refused", "masked"]


@dataclass(frozen=True)
class Shape:
    """What every recording is brought to.

    Parameters
    ----------
    leads : tuple of str
        In this order.
    rate_hz : float
    seconds : float
    shorter : {"refused", "masked"}
    high_pass_hz : float, optional
    resample : bool
        Whether a recording of another rate is resampled, or broken.
    """

    leads: tuple[str, ...]
    rate_hz: float
    seconds: float
    shorter: Shorter = "refused"
    high_pass_hz: float | None = None
    resample: bool = False

    def __post_init__(self) -> None:
        if self.high_pass_hz is not None and self.high_pass_hz >= self.rate_hz / 2:
            raise DataError(
                f"high_pass_hz is {self.high_pass_hz:g}, but at {self.rate_hz:g} Hz nothing is faster than "
                f"{self.rate_hz / 2:g} Hz: no signal would be left"
            )

    @property
    def length(self) -> int:
        """Samples a lead."""
        return max(round(self.seconds * self.rate_hz), 1)

    def spec(self, units: str) -> Signal:
        """The input that results."""
        return Signal(channels=self.leads, length=self.length, rate_hz=self.rate_hz, units=units)


def shaped(
    recording: EcgRecording, shape: Shape, units: str | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None, str]:
    """The first seconds of a recording.

    Parameters
    ----------
    recording : EcgRecording
        As it was read.
    shape : Shape
    units : str, optional
        What it has to be in; as it is where nothing is said.

    Returns
    -------
    values : ndarray of float32, shape (lead, time)
        0 where nothing is known.
    known : ndarray of bool of that shape, optional
        None where every sample is known.
    units : str

    Raises
    ------
    DataError
        If a lead is missing, the rate or the units are others, or the recording is too short; says what was found.
    """
    some = declared(in_order(recording, shape.leads))
    if units is not None and some.units != units:
        raise DataError(
            f"its values are in {shown_unit(some.units)}, those of the others in {shown_unit(units)}; records of one dataset agree on units"
        )
    if some.rate_hz != shape.rate_hz:
        if not shape.resample:
            raise DataError(f"its rate is {some.rate_hz:g} Hz, expected {shape.rate_hz:g} Hz")
        some = resampled(some, shape.rate_hz)
    if some.length < shape.length and shape.shorter == "refused":
        raise DataError(
            f"it is {some.duration_s:.3g} s long, and {shape.seconds:g} s are asked for; ask for fewer (option seconds)"
        )
    if shape.high_pass_hz is not None:
        some = high_passed(some, shape.high_pass_hz)
    return (*cut(some, shape.length), some.units)


def declared(recording: EcgRecording) -> EcgRecording:
    """A recording in mV where its unit is a voltage; another unit stays, ``NU`` under its whole name."""
    if recording.units.casefold() == "nu":
        return replace(recording, units=NORMALISED)
    try:
        return in_millivolts(recording)
    except DataError:
        return recording


def high_passed(recording: EcgRecording, hz: float) -> EcgRecording:
    """Without what is slower: a Butterworth filter of first order, forward and backward, so that nothing is shifted.

    Samples that are not known stay 0; the filter sees them as 0.
    """
    from scipy.signal import butter, filtfilt

    b, a = butter(1, hz, "highpass", fs=recording.rate_hz)
    padding = min(3 * max(len(a), len(b)), max(recording.length - 1, 0))
    signals = filtfilt(b, a, recording.signals.astype(np.float64), axis=-1, padlen=padding).astype(np.float32)
    if recording.known is not None:
        signals[~recording.known] = 0
    return replace(recording, signals=signals)


def cut(recording: EcgRecording, length: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_] | None]:
    """The first samples, or all of them with zeros after, and which are known."""
    there = min(recording.length, length)
    if there == length and recording.known is None:
        return recording.signals[:, :length], None
    values = np.zeros((len(recording.leads), length), np.float32)
    known = np.zeros(values.shape, bool)
    values[:, :there] = recording.signals[:, :there]
    known[:, :there] = True if recording.known is None else recording.known[:, :there]
    return values, None if known.all() else known
