"""Recordings at another rate."""

from __future__ import annotations

from dataclasses import replace

from pellucid.errors import DataError
from pellucid.signals import resampling
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["resampled"]


def resampled(recording: EcgRecording, rate_hz: float) -> EcgRecording:
    """The recording at another rate; see :func:`pellucid.signals.resampling.resampled`.

    Raises
    ------
    DataError
        If the rates have no ratio of small whole numbers.
    """
    if rate_hz == recording.rate_hz:
        return recording
    try:
        signals, known = resampling.resampled(recording.signals, recording.rate_hz, rate_hz, recording.known)
    except DataError as error:
        raise DataError(f"{recording.name}: {error}") from None
    return replace(recording, signals=signals, known=known, rate_hz=float(rate_hz))
