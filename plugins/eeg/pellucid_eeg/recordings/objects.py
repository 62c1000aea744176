"""Recordings from what somebody has: arrays, objects of mne, or the place of a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid_eeg.recordings.foreign import is_epochs, is_raw, of_epochs, of_raw, open_foreign
from pellucid_eeg.recordings.recording import EegRecording
from pellucid_eeg.recordings.units import microvolts_per

__all__ = ["recording_of"]


def recording_of(
    object_: Any,
    *,
    rate_hz: float | None = None,
    channels: Sequence[str] | None = None,
    units: str | None = None,
    name: str = "recording",
) -> EegRecording:
    """A recording from whatever holds one.

    Parameters
    ----------
    object_ : EegRecording, mne.io.Raw, mne.Epochs, ndarray or Path
        An array has shape ``(channel, time)``. NaN marks a missing sample.
    rate_hz, channels, units
        Of an array, which does not say them itself: units are ``"uV"``, ``"mV"`` or ``"V"`` (mne has volts). Ignored for others.
    name : str
        Of an array or an object, for messages.

    Raises
    ------
    DataError
        If an array comes without rate, channels or units, in another shape, or with values that are no amplitudes; if a file
        cannot be read; if there is no way to make a recording of it.

    Examples
    --------
    >>> recording_of(np.zeros((2, 500)), rate_hz=250, channels=("Cz", "Pz"), units="V").duration_s
    2.0
    """
    if isinstance(object_, EegRecording):
        return object_
    if isinstance(object_, str | Path):
        if os.path.splitext(os.fspath(object_))[1].lower() in (".edf", ".bdf", ".rec"):
            from pellucid_eeg.edf_files.reading import open_edf

            return open_edf(object_)
        return open_foreign(object_)
    if isinstance(object_, np.ndarray):
        return _of_array(object_, rate_hz, channels, units, name)
    if is_raw(object_):
        return of_raw(object_, name)
    if is_epochs(object_):
        return of_epochs(object_, name)
    raise DataError(
        f"no recording can be made from a {type(object_).__name__}; give an array of shape (channel, time) with its rate, channels "
        "and units, an mne.io.Raw, an mne.Epochs, or the path of a file"
    )


def _of_array(
    values: np.ndarray[Any, Any], rate_hz: float | None, channels: Sequence[str] | None, units: str | None, name: str
) -> EegRecording:
    if rate_hz is None or channels is None or units is None:
        raise DataError(f"{name}: an array does not say its rate, channels and units; give rate_hz, channels and units")
    factor = microvolts_per(units)
    if factor is None:
        raise DataError(f"{name}: {units!r} is no voltage that is known; give uV, mV or V")
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name}: values of type {values.dtype} are no amplitudes; give real numbers")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    if values.ndim != 2 or len(values) != len(channels) or not values.shape[1]:
        hint = "; transpose it" if values.ndim == 2 and values.shape[1] == len(channels) else ""
        raise DataError(
            f"{name}: an array of shape {values.shape} for {len(channels)} channels; expected (channel, time){hint}"
        )
    with np.errstate(over="ignore"):
        signals = (values * np.float64(factor)).astype(np.float32)
    return EegRecording(signals, tuple(channels), float(rate_hz), name=name)
