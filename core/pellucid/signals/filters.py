"""Filters without delay: each is run forward and backward, so that nothing is shifted in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError

SETTLING = 3
"""A signal must be as long as so many periods of its high-pass edge: in less, the filter has not settled anywhere."""


def filtered(
    signals: npt.NDArray[np.floating],
    rate_hz: float,
    *,
    high_pass_hz: float | None = None,
    low_pass_hz: float | None = None,
    order: int = 4,
) -> npt.NDArray[np.floating]:
    """Keep what lies between two frequencies, by a Butterworth filter.

    Parameters
    ----------
    signals : ndarray, shape (..., time)
    rate_hz : float
    high_pass_hz, low_pass_hz : float, optional
        Edges, at which half of the amplitude is left. Without either, the signals come back as they are.
    order : int
        Of each of the two runs.

    Returns
    -------
    ndarray of the same type and shape
        Near its ends, up to about a period of the slowest edge, a signal is less well filtered.

    Raises
    ------
    DataError
        If an edge is not below half the rate, the edges are in the wrong order, or the signal is too short for the slowest.
    """
    edges = {"high_pass_hz": high_pass_hz, "low_pass_hz": low_pass_hz}
    asked = {name: hz for name, hz in edges.items() if hz is not None}
    if not asked:
        return signals
    check_edges(asked, rate_hz)
    if high_pass_hz is not None:
        check_length(signals.shape[-1], rate_hz, high_pass_hz)
    sections = _butterworth(asked, rate_hz, order)
    return _forward_and_backward(sections, signals, rate_hz / min(asked.values()))


def without_line(
    signals: npt.NDArray[np.floating], rate_hz: float, line_hz: float, quality: float = 30.0
) -> npt.NDArray[np.floating]:
    """Take out the hum of the mains and its harmonics below half the rate, by a notch filter at each.

    Parameters
    ----------
    signals : ndarray, shape (..., time)
    rate_hz : float
    line_hz : float
        50 or 60.
    quality : float
        Of each notch: its frequency over its width (where half the power is left after one run).

    Returns
    -------
    ndarray of the same type and shape

    Raises
    ------
    DataError
        If the hum is not below half the rate.
    """
    check_edges({"line_hz": line_hz}, rate_hz)
    for hz, sections in _notches(rate_hz, line_hz, quality):
        signals = _forward_and_backward(sections, signals, quality * rate_hz / hz)
    return signals


def settling_s(
    rate_hz: float,
    *,
    high_pass_hz: float | None = None,
    low_pass_hz: float | None = None,
    line_hz: float | None = None,
    order: int = 4,
    quality: float = 30.0,
    left: float = 1e-9,
) -> float:
    """Seconds in which what :func:`filtered` and :func:`without_line` make of a signal's end has died away.

    A long signal can be filtered in pieces that overlap by as much on either side.

    Parameters
    ----------
    rate_hz, high_pass_hz, low_pass_hz, line_hz, order, quality
        See there.
    left : float
        Share that is left then, by the slowest pole of each filter.

    Examples
    --------
    >>> 5 < settling_s(256, high_pass_hz=1) < 15
    True
    """
    edges = {"high_pass_hz": high_pass_hz, "low_pass_hz": low_pass_hz}
    asked = {name: hz for name, hz in edges.items() if hz is not None}
    check_edges(asked, rate_hz)
    filters = [_butterworth(asked, rate_hz, order)] if asked else []
    if line_hz is not None:
        check_edges({"line_hz": line_hz}, rate_hz)
        filters += [sections for _, sections in _notches(rate_hz, line_hz, quality)]
    # The second half of each section is the denominator.
    slowest = [max(abs(root) for one in sections for root in np.roots(one[3:])) for sections in filters]
    return float(sum(np.log(left) / np.log(max(pole, 1e-9)) for pole in slowest) / rate_hz)


def check_edges(edges: dict[str, float], rate_hz: float) -> None:
    """Refuse edges that a rate cannot hold.

    Parameters
    ----------
    edges : dict of str to float
        By the name of the option, in Hz; two are those of a band.
    rate_hz : float

    Raises
    ------
    DataError
        If an edge is not between 0 and half the rate, or the high-pass is not below the low-pass.
    """
    for name, hz in edges.items():
        if not 0 < hz < rate_hz / 2:
            raise DataError(
                f"{name} is {hz:g}, but at {rate_hz:g} samples a second an edge must lie between 0 and {rate_hz / 2:g} Hz"
            )
    if len(edges) == 2 and edges["high_pass_hz"] >= edges["low_pass_hz"]:
        raise DataError(
            f"high_pass_hz {edges['high_pass_hz']:g} is not below low_pass_hz {edges['low_pass_hz']:g}: nothing would be left"
        )


def check_length(samples: int, rate_hz: float, high_pass_hz: float) -> None:
    """Refuse a signal that is too short for a high-pass filter.

    Parameters
    ----------
    samples : int
    rate_hz, high_pass_hz : float

    Raises
    ------
    DataError
        If it is shorter than :data:`SETTLING` periods.
    """
    if samples / rate_hz < SETTLING / high_pass_hz:
        raise DataError(
            f"{samples / rate_hz:.3g} s are too short for a high-pass at {high_pass_hz:g} Hz, which settles in "
            f"{SETTLING / high_pass_hz:.3g} s; filter the recording before it is cut, or choose "
            f"{SETTLING * rate_hz / samples:.3g} Hz or more"
        )


def _butterworth(edges_hz: dict[str, float], rate_hz: float, order: int) -> npt.NDArray[Any]:
    from scipy.signal import butter

    kind = "bandpass" if len(edges_hz) == 2 else "highpass" if "high_pass_hz" in edges_hz else "lowpass"
    at = list(edges_hz.values()) if len(edges_hz) == 2 else min(edges_hz.values())
    return butter(order, at, kind, fs=rate_hz, output="sos")


def _notches(rate_hz: float, line_hz: float, quality: float) -> Iterator[tuple[float, npt.NDArray[Any]]]:
    from scipy.signal import iirnotch, tf2sos

    for hz in np.arange(line_hz, rate_hz / 2 - line_hz / quality, line_hz):
        yield hz, tf2sos(*iirnotch(hz, quality, fs=rate_hz))


def _forward_and_backward(
    sections: npt.NDArray[Any], signals: npt.NDArray[np.floating], settles: float
) -> npt.NDArray[np.floating]:
    from scipy.signal import sosfiltfilt

    # The usual padding is a few samples, whatever the edge; a slow filter still swings where the signal begins then.
    padding = min(max(round(settles), 3 * (2 * len(sections) + 1)), max(signals.shape[-1] - 1, 0))
    return sosfiltfilt(sections, signals.astype(np.float64), axis=-1, padlen=padding).astype(signals.dtype)
