"""Names of units, and what they measure, as a clinician can read them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def readable(name: str, written: str = "") -> str:
    """A unit's name for people: what it is, and the input it comes from.

    Parameters
    ----------
    name : str
    written : str
        The physical unit as the dataset writes it; where the name ends in it, it is left out of the name.

    Examples
    --------
    >>> readable("covariates:area_mm2", "mm2"), readable("ratings:internal_structure"), readable("ratings:spiculation:sd")
    ('area', 'internal structure · ratings', 'disagreement on spiculation · ratings')
    >>> readable("bands:C3 8-13 Hz"), readable("shape:long-axis")
    ('C3 8-13 Hz · bands', 'long axis · shape')
    """
    where, colon, what = name.partition(":")
    if not colon or what == "sd":
        where, what = "", name
    spread = what.endswith(":sd")
    what = what.removesuffix(":sd")
    first, _, last = what.rpartition("_")
    if what.startswith("n_"):
        what = f"number_of_{what.removeprefix('n_')}"
    elif first and last.casefold() == written.casefold():
        what = first
    # From one number to another: "C3 8-13 Hz".
    text = re.sub(r"(?<!\d)-|-(?!\d)", " ", what.replace("_", " "))
    text = f"disagreement on {text}" if spread else text
    return text if where in ("", "covariates", "concepts") else f"{text} · {where.replace('_', ' ')}"


def measured(name: str, value: float, written: str = "") -> tuple[str, str]:
    """A named value for people: logarithms undone, the unit behind the number.

    Examples
    --------
    >>> measured("log_area", 5.0, "ln mm2"), measured("slice_thickness_mm", 2.5, "mm"), measured("n_readers", 3, "readers")
    (('area', '148 mm²'), ('slice thickness', '2.5 mm'), ('number of readers', '3'))
    """
    if written.startswith("ln "):
        where, colon, what = name.rpartition(":")
        name, value = f"{where}{colon}{what.removeprefix('log_')}", math.exp(value)
    shown, measure = readable(name, written.removeprefix("ln ")), unit_sign(written)
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return shown, f"{text} {measure}" if measure and measure not in shown.split() else text


def unit_sign(written: str) -> str:
    """A unit as the page writes it, powers raised; nothing for plain numbers and ratings, and that of the number itself for
    a logarithm.

    Examples
    --------
    >>> unit_sign("ln mm2"), unit_sign("m s-1"), unit_sign("rating"), unit_sign("HU")
    ('mm²', 'm s⁻¹', '', 'HU')
    """
    one = written.removeprefix("ln ")
    if one in ("", "1", "rating", "score"):
        return ""
    return re.sub(r"(?<=[^\W\d_])-?\d+\b", lambda power: power[0].translate(_RAISED), one)


def with_unit(figure: str, written: str) -> str:
    """A figure with its unit behind it; alone where the unit is none.

    Examples
    --------
    >>> with_unit("2.5", "mm"), with_unit("0.3", "1")
    ('2.5 mm', '0.3')
    """
    return f"{figure} {unit_sign(written)}".strip()


def distinct(names: Iterable[str]) -> list[str]:
    """Readable names without where they come from, unless two would be alike.

    Examples
    --------
    >>> distinct(["margin · ratings", "area · size", "mean · ecg", "mean · eeg"])
    ['margin', 'area', 'mean · ecg', 'mean · eeg']
    """
    names = list(names)
    short = [name.partition(" · ")[0] for name in names]
    return [one if short.count(one) == 1 else name for one, name in zip(short, names, strict=True)]
