"""Spectra of a signal's channels: how places between two frequencies are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.regions import FrequencyBand
from pellucid.views.contract import Marked, Shown
from pellucid.views.drawing import INK, NEUTRAL, mark_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import Signal

AROUND = 1.0
"""What is drawn on each side of a band that is drawn alone, as a share of its width."""


def about_bands(shown: Shown) -> bool:
    """Whether what is to be marked, or drawn alone, lies between frequencies."""
    return any(isinstance(one, FrequencyBand) for one in (shown.only, *(marked.region for marked in shown.regions)))


def amplitudes(values: npt.NDArray[np.floating], spec: Signal) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Frequencies in Hz, and the amplitude of each channel there in the signal's units; missing values are its mean.

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> spec = Signal(channels=("a",), length=100, rate_hz=100.0, units="uV")
    >>> hz, found = amplitudes(5 + 3 * np.cos(2 * np.pi * 10 * np.arange(100) / 100)[None], spec)
    >>> float(hz[found[0].argmax()]), round(float(found.max()), 3)
    (10.0, 3.0)
    """
    known = np.isfinite(values)
    mean = np.where(known, values, 0).sum(1, keepdims=True) / np.maximum(known.sum(1, keepdims=True), 1)
    spectrum = np.abs(np.fft.rfft(np.where(known, values - mean, 0.0)))
    return np.fft.rfftfreq(values.shape[1], 1 / spec.rate_hz), 2 * spectrum / values.shape[1]


def spectra(ax: Axes, values: npt.NDArray[np.floating], spec: Signal, shown: Shown) -> None:
    """Draw the amplitude of each channel over frequency: bands that are marked as shades, channels with one in front.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel, time)
        In the spec's units; NaN where nothing is known.
    spec : Signal
    shown : Shown
        Its evidence, which is of moments, is left out.
    """
    hz, found = amplitudes(values, spec)
    marked = [one for one in shown.regions if isinstance(one.region, FrequencyBand)]
    if isinstance(shown.only, FrequencyBand) and not marked:
        marked = [Marked(shown.only)]
    bands = [(one, one.region) for one in marked if isinstance(one.region, FrequencyBand)]
    named = {channel for _, band in bands for channel in band.channels}
    for channel, line in zip(spec.channels, found, strict=True):
        front = channel in named
        ax.plot(hz, line, color=INK if front else NEUTRAL, linewidth=1.0 if front else 0.4, alpha=1.0 if front else 0.5)
    low, high = _looked_at(spec, shown)
    inside = (hz >= low) & (hz <= high)
    top = 1.15 * (float(found[:, inside].max()) if inside.any() and len(found) else 1.0) or 1.0
    for row, (one, band) in enumerate(bands):
        colour, style = mark_style(one.weight)
        ax.axvspan(band.low_hz, band.high_hz, facecolor=colour, alpha=0.12, linewidth=0)
        for edge in (band.low_hz, band.high_hz):
            ax.axvline(edge, color=colour, linestyle=style, linewidth=1.0)
        if one.label:
            ax.text(band.low_hz, top * (0.99 - 0.08 * row), f" {one.label}", fontsize=7, color=colour, va="top")
    ax.set_xlim(low, high)
    ax.set_ylim(0, top)
    ax.set_axis_on()
    ax.set_xlabel("frequency (Hz)", fontsize=8)
    ax.set_ylabel(f"amplitude ({spec.units})", fontsize=8)
    ax.tick_params(labelsize=7)
    ax.set_title(shown.caption, fontsize=8)


def _looked_at(spec: Signal, shown: Shown) -> tuple[float, float]:
    """From where to where, in Hz."""
    end = spec.rate_hz / 2
    if not isinstance(shown.only, FrequencyBand):
        return 0.0, end
    around = AROUND * max(shown.only.high_hz - shown.only.low_hz, spec.rate_hz / spec.length)
    return max(0.0, shown.only.low_hz - around), min(end, shown.only.high_hz + around)
