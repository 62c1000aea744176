"""Microvolts: from whatever unit a file names, and the doubt where values are a thousand or a million times off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.errors import abridged

__all__ = ["microvolts_per", "shown_unit", "unit_doubt"]

_UV_PER = {
    "uv": 1.0,
    "µv": 1.0,
    "μv": 1.0,
    "microvolt": 1.0,
    "microvolts": 1.0,
    "mv": 1e3,
    "millivolt": 1e3,
    "millivolts": 1e3,
    "v": 1e6,
    "volt": 1e6,
    "volts": 1e6,
    "nv": 1e-3,
    "nanovolt": 1e-3,
    "nanovolts": 1e-3,
}
# The micro sign and the Greek letter look alike and are two characters.

SMALLEST_UV, LARGEST_UV = 0.1, 5_000.0
"""Between these lies how far most scalp channels move (interquartile range); amplifier noise alone is above the lower one."""

APART = 1e4
"""A channel so many times larger or smaller than the others was given in another unit; no faulty electrode is that far off."""


def microvolts_per(unit: str) -> float | None:
    """How many microvolts one of a unit has; None where it is no voltage that is known.

    Parameters
    ----------
    unit : str
        As a file writes it: ``uV``, ``mV``, ``V`` and their spellings.

    Examples
    --------
    >>> microvolts_per("mV"), microvolts_per("uV"), microvolts_per("degC")
    (1000.0, 1.0, None)
    """
    return _UV_PER.get(unit.strip().lower())


def shown_unit(unit: str) -> str:
    """A unit for a message: what is no known voltage stands in quotation marks, since it is a file's own word.

    Parameters
    ----------
    unit : str
        As a file writes it.
    """
    return unit if microvolts_per(unit) is not None else repr(unit)


def unit_doubt(spread_uv: npt.ArrayLike, channels: tuple[str, ...]) -> str:
    """What is doubtful about the unit of channels that move so far, in words; empty where nothing is.

    Parameters
    ----------
    spread_uv : array, shape (channel,)
        Interquartile range of each channel; 0 or NaN where nothing is known of it.
    channels : tuple of str
        Names for the message.

    Examples
    --------
    >>> unit_doubt([2e-5, 3e-5], ("Cz", "Pz"))
    'channels move by 2.5e-05 uV where an electroencephalogram moves by 5 to 200; as volts it would be 25 uV'
    >>> unit_doubt([20, 30, 2e7], ("Cz", "Pz", "Oz"))
    'Oz moves by 2e+07 uV and the others by 25; its unit may be another'
    """
    spread = np.asarray(spread_uv, np.float64)
    moving = np.isfinite(spread) & (spread > 0)
    if not moving.any():
        return ""
    middle = float(np.median(spread[moving]))
    if not SMALLEST_UV <= middle <= LARGEST_UV:
        words = f"channels move by {middle:.3g} uV where an electroencephalogram moves by 5 to 200"
        for name, factor in (("millivolts", 1e3), ("volts", 1e6)):
            if 1 <= middle * factor <= 1000:
                return f"{words}; as {name} it would be {middle * factor:.3g} uV"
        for name, factor in (("nanovolts", 1e-3), ("picovolts", 1e-6)):
            if 1 <= middle * factor <= 1000:
                told = "a thousand" if factor == 1e-3 else "a million"
                return f"{words}; they may have been multiplied by {told} twice ({name} give {middle * factor:.3g} uV)"
        return words
    odd = [i for i in np.flatnonzero(moving).tolist() if not 1 / APART < spread[i] / middle < APART]
    if not odd:
        return ""
    rest = float(np.median(spread[[i for i in np.flatnonzero(moving).tolist() if i not in odd]]))
    told = abridged([f"{channels[i]} moves by {spread[i]:.3g} uV" for i in odd])
    return f"{told} and the others by {rest:.3g}; its unit may be another"
