"""Names and figures as a clinician can read them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pellucid.result import Result

_UNITS = {
    "mm": "mm",
    "mm2": "mm²",
    "mm3": "mm³",
    "hu": "HU",
    "hz": "Hz",
    "s": "s",
    "ms": "ms",
    "years": "years",
    "mv": "mV",
}


def sentence_case(text: str) -> str:
    """First letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def readable(name: str) -> str:
    """A unit's name for people: what it is, its unit, and the input it comes from.

    Examples
    --------
    >>> readable("covariates:area_mm2"), readable("ratings:internal_structure"), readable("ratings:spiculation:sd")
    ('area (mm²)', 'internal structure · ratings', 'disagreement on spiculation · ratings')
    """
    where, colon, what = name.partition(":")
    if not colon or what == "sd":
        where, what = "", name
    spread = what.endswith(":sd")
    what = f"number_of_{what.removeprefix('n_')}" if what.startswith("n_") else what
    *words, last = what.removesuffix(":sd").split("_")
    unit = _UNITS.get(last) if words else None
    text = f"{' '.join(words)} ({unit})" if unit else what.removesuffix(":sd").replace("_", " ").replace("-", " ")
    text = f"disagreement on {text}" if spread else text
    return text if where in ("", "covariates", "concepts") else f"{text} · {where.replace('_', ' ')}"


def measured(name: str, value: float, written: str = "") -> tuple[str, str]:
    """A named value for people: logarithms undone, units written out.

    Examples
    --------
    >>> measured("log_area", 5.0, "ln mm2"), measured("slice_thickness_mm", 2.5, "mm"), measured("x:spiculation", 3.25, "rating")
    (('area', '148 mm²'), ('slice thickness', '2.5 mm'), ('spiculation · x', '3.25'))
    """
    if written.startswith("ln "):
        where, colon, what = name.rpartition(":")
        name, value = f"{where}{colon}{what.removeprefix('log_')}", math.exp(value)
    shown, measure = readable(name), unit(written)
    if measure:
        shown = shown.replace(f" ({measure})", "")
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return shown, f"{text} {measure}" if measure and measure not in shown else text


def unit(written: str) -> str:
    """A unit as the page writes it; nothing for plain numbers and ratings, and that of the number itself for a logarithm.

    Examples
    --------
    >>> unit("ln mm2"), unit("rating"), unit("HU")
    ('mm²', '', 'HU')
    """
    one = written.removeprefix("ln ")
    return "" if one in ("", "1", "rating", "score") else _UNITS.get(one, one)


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


def number(value: float | None, digits: int = 3) -> str:
    """A figure with as many digits as mean something.

    Examples
    --------
    >>> number(0.94712), number(1.2e-7), number(1234.6), number(None), number(0.0)
    ('0.947', '1.2e-07', '1,235', 'n/a', '0.000')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if value != 0 and abs(value) < 10**-digits:
        return f"{value:.1e}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}" if abs(value) < 100 else f"{value:.1f}"


def interval(result: Result) -> str:
    """``0.931 to 0.960``, or nothing where there is no interval."""
    return (
        f"{number(result.low)} to {number(result.high)}"
        if math.isfinite(result.low) and math.isfinite(result.high)
        else ""
    )


def plural(count: int, word: str) -> str:
    """``1 case``, ``2 cases``, ``1,018 cases``."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def listed(items: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *most, last = list(items) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def readable_baseline(name: str) -> str:
    """``area alone`` for ``log_area alone``: a logarithm changes no order.

    Examples
    --------
    >>> readable_baseline("log_area + n_readers alone"), readable_baseline("training mean")
    ('area + number of readers alone', 'training mean')
    """
    return " ".join(readable(word.removeprefix("log_")) if "_" in word else word for word in name.split(" "))
