"""Recordings from what somebody has in memory: arrays, objects of the ``wfdb`` package, or the place of a record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording
from pellucid_ecg.wfdb_files.asked_for import lead_names, one_unit
from pellucid_ecg.wfdb_files.reading import read_record

__all__ = ["recording_of"]


def recording_of(
    object_: Any,
    *,
    rate_hz: float | None = None,
    leads: Sequence[str] | None = None,
    units: str = "mV",
    name: str = "recording",
) -> EcgRecording:
    """A recording from whatever holds one.

    Parameters
    ----------
    object_ : EcgRecording, wfdb.Record, ndarray or Path
        An array has shape ``(lead, time)``, or ``(time,)`` for one lead. NaN marks a missing sample.
    rate_hz, leads, units, name
        Of an array, which does not say them itself. Ignored for the others.

    Raises
    ------
    DataError
        If an array comes without rate or leads, in another shape, with infinite values or values that are no numbers; if a
        ``wfdb.Record`` has no samples, or signals of different units; if there is no way to make a recording of it.

    Examples
    --------
    >>> import numpy as np
    >>> recording_of(np.zeros((2, 500)), rate_hz=250, leads=("I", "II")).duration_s
    2.0
    """
    if isinstance(object_, EcgRecording):
        return object_
    if isinstance(object_, str | Path):
        return read_record(object_)
    if isinstance(object_, np.ndarray):
        return _of_array(object_, rate_hz, leads, units, name)
    # By its attributes: whoever has such an object has imported wfdb, and nobody else needs to.
    if hasattr(object_, "p_signal") and hasattr(object_, "sig_name"):
        return _of_record(object_)
    if hasattr(object_, "segments"):
        raise DataError(
            "a wfdb.MultiRecord holds several records; read it with m2s=True, or join it by multi_to_single"
        )
    raise DataError(
        f"no recording can be made from a {type(object_).__name__}; give an array of shape (lead, time) with its rate and "
        "leads, a wfdb.Record, or the path of a WFDB record"
    )


def _of_array(
    values: np.ndarray[Any, Any], rate_hz: float | None, leads: Sequence[str] | None, units: str, name: str
) -> EcgRecording:
    if rate_hz is None or leads is None:
        raise DataError(f"{name}: an array does not say its rate and leads; give rate_hz and leads")
    if not 0 < rate_hz < np.inf:
        raise DataError(f"{name}: a rate of {rate_hz:g} Hz; give one above 0")
    if values.dtype.kind not in "iuf":
        raise DataError(f"{name}: values of type {values.dtype} are no amplitudes; give real numbers")
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    rows = values[None] if values.ndim == 1 else values
    if rows.ndim != 2 or len(rows) != len(leads) or not rows.shape[1]:
        hint = "; transpose it" if rows.ndim == 2 and rows.shape[1] == len(leads) else ""
        raise DataError(f"{name}: an array of shape {values.shape} for {len(leads)} leads; expected (lead, time){hint}")
    known = ~np.isnan(rows)
    signals = np.where(known, rows, 0)
    if np.abs(signals).max() > np.finfo(np.float32).max:
        raise DataError(f"{name}: infinite values; mark missing samples by NaN")
    return EcgRecording(
        signals.astype(np.float32), tuple(leads), float(rate_hz), units, None if known.all() else known, name
    )


def _of_record(record: Any) -> EcgRecording:
    name = str(record.record_name or "recording")
    values = record.p_signal
    if values is None and getattr(record, "d_signal", None) is not None:
        values = record.dac()
    if values is None:
        raise DataError(f"{name}: the wfdb.Record has no samples of one rate; read it with smooth_frames=True")
    names = lead_names(record.sig_name or [None] * values.shape[1])
    unit = one_unit(name, names, list(record.units or ["mV"] * len(names)))
    return _of_array(np.asarray(values).T, record.fs, names, unit, name)
