"""Figures and lists as a clinician can read them."""

from __future__ import annotations

import math

from pellucid.phrases import listed, plural
from pellucid.result import Result

__all__ = ["interval", "listed", "number", "plural", "sentence_case"]


def sentence_case(text: str) -> str:
    """First letter large, the others as they are."""
    return text[:1].upper() + text[1:]


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
