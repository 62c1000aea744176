"""Recordings at another rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["resampled"]

LARGEST_FACTOR = 4000
"""Of the two whole numbers whose ratio the rates have: 977 Hz to 500 Hz is 500 / 977."""


def resampled(recording: EcgRecording, rate_hz: float) -> EcgRecording:
    """The recording at another rate, by polyphase filtering (``scipy.signal.resample_poly``).

    The filter passes what both rates can hold, so that nothing is folded into lower frequencies. Missing stretches are
    bridged by straight lines before, lest the filter ring at their edges, and are missing again afterwards: a new sample is
    known where both old ones beside it are. A straight line from the first to the last value is taken off and put back, so
    that an offset does not show as a step at the ends.

    Parameters
    ----------
    recording : EcgRecording
    rate_hz : float

    Returns
    -------
    EcgRecording
        Of ``ceil(length * rate_hz / recording.rate_hz)`` samples.

    Raises
    ------
    DataError
        If the rates have no ratio of small whole numbers.
    """
    if not 0 < rate_hz < np.inf:
        raise DataError(f"{recording.name}: a rate of {rate_hz:g} Hz is asked for; give one above 0")
    if rate_hz == recording.rate_hz:
        return recording
    ratio = Fraction(rate_hz / recording.rate_hz).limit_denominator(LARGEST_FACTOR)
    if not 0 < ratio.numerator <= LARGEST_FACTOR or abs(ratio * recording.rate_hz / rate_hz - 1) > 1e-9:
        raise DataError(
            f"{recording.name}: {recording.rate_hz:g} Hz and {rate_hz:g} Hz have no ratio of whole numbers up to "
            f"{LARGEST_FACTOR}; choose another rate, or correct the header's"
        )
    from scipy.signal import resample_poly

    signals = recording.signals if recording.known is None else _bridged(recording.signals, recording.known)
    new = resample_poly(signals.astype(np.float64), ratio.numerator, ratio.denominator, axis=1, padtype="line")
    known = None
    if recording.known is not None:
        at = np.arange(new.shape[1]) / float(ratio)
        last = recording.length - 1
        before = np.minimum(np.floor(at + 1e-9).astype(int), last)
        after = np.minimum(np.ceil(at - 1e-9).astype(int), last)
        known = recording.known[:, before] & recording.known[:, after]
        new[~known] = 0
    return EcgRecording(
        new.astype(recording.signals.dtype), recording.leads, float(rate_hz), recording.units, known, recording.name
    )


def _bridged(signals: npt.NDArray[np.float32], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Straight lines between known samples; the nearest known one before the first and after the last."""
    filled = signals.copy()
    for row, there in zip(filled, known, strict=True):
        if there.any() and not there.all():
            row[~there] = np.interp(np.flatnonzero(~there), np.flatnonzero(there), row[there])
    return filled
