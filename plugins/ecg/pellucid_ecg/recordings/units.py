"""Amplitudes in millivolts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.errors import DataError
from pellucid_ecg.recordings.recording import EcgRecording

__all__ = ["NORMALISED", "in_millivolts", "shown_unit"]

NORMALISED = "normalised unit"
"""What the headers of normalised signals call NU."""

_IN_MV = {
    "mv": 1.0,
    "millivolt": 1.0,
    "uv": 1e-3,
    "µv": 1e-3,
    "μv": 1e-3,
    "microvolt": 1e-3,
    "v": 1e3,
    "volt": 1e3,
    "nv": 1e-6,
}
# The micro sign and the Greek letter look alike and are two characters.


def in_millivolts(recording: EcgRecording) -> EcgRecording:
    """The recording in mV.

    Raises
    ------
    DataError
        If its unit is no voltage (``NU``: somebody normalised the signal).
    """
    factor = _IN_MV.get(recording.units.lower())
    if factor is None:
        raise DataError(
            f"{recording.name}: amplitudes are in {recording.units!r}, which is no voltage; say what they are, or read the "
            "original recording"
        )
    if recording.units == "mV":
        return recording
    return replace(recording, signals=(recording.signals * factor).astype(np.float32), units="mV")


def shown_unit(units: str) -> str:
    """A unit for a message: what is no known unit stands in quotation marks, since it is a header's own word.

    Examples
    --------
    >>> shown_unit("uV"), shown_unit("Doe")
    ('uV', "'Doe'")
    """
    return units if units.lower() in {*_IN_MV, "nu", NORMALISED} else repr(units)
