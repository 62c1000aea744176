"""Numbers with units in texts: read, brought to one unit, and spelt digit by digit for models that learn words."""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNITS: tuple[Mapping[str, float], ...] = (
    {"angstrom": 1.0, "angstroms": 1.0, "å": 1.0, "a": 1.0, "nm": 10.0, "pm": 0.01, "um": 1e4, "µm": 1e4, "mm": 1e7, "cm": 1e8, "m": 1e10},
    {"g/cm3": 1.0, "g/ml": 1.0, "kg/m3": 1e-3, "g/l": 1e-3},
    {"m2/g": 1.0, "cm2/g": 1e-4},
    {"m2/cm3": 1.0, "cm2/cm3": 1e-4},
    {"1": 1.0, "%": 0.01, "percent": 0.01},
    {"s": 1.0, "ms": 1e-3, "min": 60.0, "h": 3600.0},
    {"v": 1.0, "mv": 1e-3, "uv": 1e-6, "µv": 1e-6},
)  # fmt: skip
"""What can be turned into each other. Area per gram and per volume are two kinds: density would be needed."""

_NUMBER = re.compile(
    r"(?<![\w.])([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([^\s\d,;()]+(?:\d(?![\d.]))?(?:/[^\s,;()]+)?)?"
)


def quantity(text: str, unit: str) -> float | None:
    """The first number of a text whose unit can be turned into the one asked for; None where there is none.

    A number without a unit is none, unless the unit asked for is ``"1"``; nor is one in a unit of another kind.

    Parameters
    ----------
    text : str
        In plain words; digits may be parted by spaces (``"1 2 . 3 angstrom"``).
    unit : str

    Raises
    ------
    KeyError
        If the unit asked for is not known.

    Examples
    --------
    >>> quantity("12.3 A", "angstrom"), quantity("about 1.23 nm wide.", "angstrom"), quantity("no pore", "angstrom")
    (12.3, 12.3, None)
    >>> quantity("1 2 . 3 angstrom", "angstrom"), quantity("12.3", "angstrom"), quantity("2 m2/cm3", "m2/g")
    (12.3, None, None)
    """
    asked = _plain(unit)
    kind = next((one for one in _UNITS if asked in one), None)
    if kind is None:
        raise KeyError(unit)
    for number, said in _NUMBER.findall(joined_digits(text)):
        found = _plain(said.rstrip(".!?:")) or "1"
        # A word behind a bare number is no unit of it ("3 of them").
        if found not in kind and "1" in kind and not any(found in one for one in _UNITS):
            found = "1"
        if found in kind:
            return round(float(number) * kind[found] / kind[asked], 12)
    return None


def spelt(text: str) -> str:
    """A text whose digits and points stand apart, so that each is a word that can be learnt.

    Examples
    --------
    >>> spelt("12.3 angstrom")
    '1 2 . 3 angstrom'
    """
    return re.sub(r"(?<=[\d.])(?=\d)|(?<=\d)(?=\.\d)", " ", text)


def joined_digits(text: str) -> str:
    """:func:`spelt` undone.

    Examples
    --------
    >>> joined_digits("1 2 . 3 angstrom")
    '12.3 angstrom'
    """
    return re.sub(r"(?<=\d) (?=\d)|(?<=\d) (?=\. ?\d)|(?<=\d \.) (?=\d)|(?<=\d\.) (?=\d)", "", text)


def _plain(unit: str) -> str:
    return unit.strip().lower().replace("^", "").replace("³", "3").replace("²", "2")
