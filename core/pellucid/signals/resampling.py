"""Signals at another rate."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

LARGEST_FACTOR = 4000
"""Of the two whole numbers whose ratio the rates have: 977 Hz to 500 Hz is 500 / 977."""


def ratio_of(rate_hz: float, wanted_hz: float) -> Fraction:
    """How many new samples there are for an old one, as a ratio of whole numbers.

    Parameters
    ----------
    rate_hz, wanted_hz : float

    Raises
    ------
    DataError
        If the rates have no ratio of small whole numbers.

    Examples
    --------
    >>> ratio_of(256, 128)
    Fraction(1, 2)
    """
    if not 0 < wanted_hz < np.inf:
        raise DataError(f"a rate of {wanted_hz:g} Hz is asked for; give one above 0")
    ratio = Fraction(wanted_hz / rate_hz).limit_denominator(LARGEST_FACTOR)
    if not 0 < ratio.numerator <= LARGEST_FACTOR or abs(ratio * rate_hz / wanted_hz - 1) > 1e-9:
        raise DataError(
            f"{rate_hz:g} Hz and {wanted_hz:g} Hz have no ratio of whole numbers up to {LARGEST_FACTOR}; choose another "
            "rate, or correct the header's"
        )
    return ratio


def resampled(
    signals: npt.NDArray[np.floating], rate_hz: float, wanted_hz: float, known: npt.NDArray[np.bool_] | None = None
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.bool_] | None]:
    """Signals at another rate, by polyphase filtering (``scipy.signal.resample_poly``).

    The filter passes what both rates can hold, so that nothing is folded into lower frequencies. Missing stretches are
    bridged by straight lines before, lest the filter ring at their edges, and are missing again afterwards: a new sample is
    known where both old ones beside it are. A straight line from the first to the last value is taken off and put back, so
    that an offset does not show as a step at the ends.

    Parameters
    ----------
    signals : ndarray, shape (channel, time)
    rate_hz, wanted_hz : float
    known : ndarray of bool, shape (channel, time), optional
        None where every sample is known.

    Returns
    -------
    signals : ndarray of the same type, shape (channel, ceil(time * wanted_hz / rate_hz))
        0 where nothing is known.
    known : ndarray of bool of that shape, optional

    Raises
    ------
    DataError
        If the rates have no ratio of small whole numbers.
    """
    if rate_hz == wanted_hz:
        return signals, known
    ratio = ratio_of(rate_hz, wanted_hz)
    from scipy.signal import resample_poly

    whole = signals if known is None else bridged(signals, known)
    new = resample_poly(whole.astype(np.float64), ratio.numerator, ratio.denominator, axis=1, padtype="line")
    if known is None:
        return new.astype(signals.dtype), None
    at = np.arange(new.shape[1]) / float(ratio)
    last = signals.shape[1] - 1
    before = np.minimum(np.floor(at + 1e-9).astype(int), last)
    after = np.minimum(np.ceil(at - 1e-9).astype(int), last)
    still = known[:, before] & known[:, after]
    new[~still] = 0
    return new.astype(signals.dtype), still


def bridged(signals: npt.NDArray[np.floating], known: npt.NDArray[np.bool_]) -> npt.NDArray[np.floating]:
    """Signals, shape (channel, time), with straight lines where nothing is known; the nearest known sample at the ends."""
    filled = signals.copy()
    for row, there in zip(filled, known, strict=True):
        if there.any() and not there.all():
            row[~there] = np.interp(np.flatnonzero(~there), np.flatnonzero(there), row[there])
    return filled
