"""Power over time and frequency: of one window, and the mean over many stretches against what is usual."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.regions import FrequencyBand, TimeSpan
from pellucid.views import INK, Marked, Shown
from pellucid.views.drawing import mark_style
from pellucid.views.stretches import DrawsStretches, Floats, MeanStretch, Measured, with_stretches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from pellucid.data.spec import Signal

SLICE_S = 1.0
"""What one column is computed from: frequencies are told apart by 1.5 Hz. Half of what there is, where that is shorter."""

COLUMNS = 8
"""Columns a slice."""

TOP_HZ = 40.0
"""Up to which frequencies are drawn, unless what is marked lies higher: above, muscles are louder than brains."""

LEAST_DB = 3.0
"""Least reach of the colours, so that noise does not look like a finding: a doubling of power."""


def slice_samples(spec: Signal) -> int:
    """Samples of a slice."""
    return max(2, min(round(SLICE_S * spec.rate_hz), spec.length // 2))


def power(values: Floats, spec: Signal) -> Measured:
    """Power spectral density over time, in the square of the signal's units per Hz.

    Hann windows, each around its own mean; only those that lie inside the signal, so that no edge is made up.

    Parameters
    ----------
    values : ndarray, shape (signal, time)
        NaN where nothing is known: a column that would need such a value is NaN.
    spec : Signal

    Examples
    --------
    >>> from pellucid.data.spec import Signal
    >>> spec = Signal(channels=("Cz",), length=512, rate_hz=128.0, units="uV")
    >>> wave = np.cos(2 * np.pi * 10 * np.arange(512) / 128)[None]
    >>> found = power(wave, spec)
    >>> float(found.levels[found.values[0].mean(1).argmax()]), float(found.times_s[0])
    (10.0, 0.5)
    """
    from scipy.signal import ShortTimeFFT
    from scipy.signal.windows import hann

    size = slice_samples(spec)
    hop = max(1, size // COLUMNS)
    known = np.isfinite(values)
    transform = ShortTimeFFT(
        hann(size, sym=False), hop, fs=spec.rate_hz, mfft=2 * size, scale_to="psd", fft_mode="onesided2X"
    )
    first, end = transform.lower_border_end[1], transform.upper_border_begin(values.shape[1])[1]
    filled = np.where(known, values, 0.0)
    found = transform.spectrogram(filled, detr="constant", p0=first, p1=end, axis=-1)
    starts = np.arange(first, end) * hop - transform.m_num_mid
    whole = np.all(np.lib.stride_tricks.sliding_window_view(known, size, axis=-1)[:, starts], axis=-1)
    # Below one cycle a slice there is what is left of a mean that was taken away.
    kept = transform.f >= spec.rate_hz / size
    return Measured(
        np.where(np.expand_dims(whole, 1), found[:, kept], np.nan),
        transform.f[kept],
        transform.t(values.shape[1], first, end),
    )


def decibels(stretch: MeanStretch) -> npt.NDArray[np.float64]:
    """Mean power against the usual one of the same frequency, dB, shape (frequency, time)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(stretch.mean / stretch.usual[:, None]), np.float64)


def draw_stretches(axes: Sequence[Axes], stretches: Sequence[MeanStretch]) -> None:
    """Draw how far mean power is from what is usual, on one scale; what is covered lies between broken lines."""
    found = [decibels(one) for one in stretches]
    top_hz = max(_top_hz(one.covered, one.levels) for one in stretches)
    seen = [values[one.levels <= top_hz] for one, values in zip(stretches, found, strict=True)]
    known = np.concatenate([np.abs(one[np.isfinite(one)]) for one in seen])
    reach = max(LEAST_DB, float(np.quantile(known, 0.99))) if known.size else LEAST_DB
    for ax, one, values in zip(axes, stretches, found, strict=True):
        image = _draw(ax, values, one.levels, one.times_s, "RdBu_r", (-reach, reach))
        ax.set_ylim(top=top_hz)
        _lines(ax, one.covered)
        _bar(ax, image, "dB")
        ax.set_title(one.caption, fontsize=8)


def _about(spec: Signal) -> str:
    slice_s = slice_samples(spec) / spec.rate_hz
    return (
        f"Mean power over time and frequency in dB against the mean power at the same frequency over all their windows and channels: "
        f"red is more, blue is less, 10 dB is ten times as much. Each column is {slice_s:.3g} s of signal around its time, so the "
        f"first and the last {slice_s / 2:.3g} s of a window have none."
    )


STRETCHES = DrawsStretches(power, draw_stretches, _about)


@with_stretches(STRETCHES)
def time_frequency(ax: Axes, values: npt.NDArray[np.floating], spec: Signal, shown: Shown) -> None:
    """Power over time and frequency, the mean over the channels that are marked or drawn alone, or over all of them.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel, time)
        In the spec's units; NaN where nothing is known.
    spec : Signal
    shown : Shown
        Its evidence is left out: it is of moments, and says nothing of frequencies.

    References
    ----------
    Many stretches as one picture, against a mean: Makeig (1993), doi:10.1016/0013-4694(93)90110-H. Here the mean is not that of the
    time before an event, which windows need not have, but that of all windows at hand.
    """
    marked = [one for one in shown.regions if isinstance(one.region, TimeSpan | FrequencyBand)]
    if isinstance(shown.only, TimeSpan | FrequencyBand) and not marked:
        marked = [Marked(shown.only)]
    named = {channel for one in marked for channel in getattr(one.region, "channels", ())}
    rows = [at for at, name in enumerate(spec.channels) if name in named] or list(range(len(spec.channels)))
    found = power(values[rows], spec)
    times = np.isfinite(found.values).sum(0)
    mean = np.where(times > 0, np.nansum(found.values, 0) / np.maximum(times, 1), np.nan)
    with np.errstate(divide="ignore"):
        level = 10 * np.log10(mean)
    ax.set_axis_on()
    known = level[np.isfinite(level)]
    low, high = np.quantile(known, (0.02, 0.995)) if known.size else (0.0, 1.0)
    image = _draw(ax, level, found.levels, found.times_s, "viridis", (float(low), max(float(high), float(low) + 1)))
    ax.set_ylim(top=max((_top_hz(one.region, found.levels) for one in marked), default=min(TOP_HZ, found.levels[-1])))
    for one in marked:
        _mark(ax, one)
    if isinstance(shown.only, TimeSpan):
        around = 0.5 * (shown.only.stop_s - shown.only.start_s)
        ax.set_xlim(shown.only.start_s - around, shown.only.stop_s + around)
    if isinstance(shown.only, FrequencyBand):
        wide = shown.only.high_hz - shown.only.low_hz
        ax.set_ylim(max(0.0, shown.only.low_hz - wide), shown.only.high_hz + wide)
    _bar(ax, image, f"dB, 0 is 1 {spec.units}²/Hz")
    whose = f"mean of {len(rows)} channels" if len(rows) > 1 else spec.channels[rows[0]]
    ax.set_title(f"{shown.caption} ({whose})" if shown.caption else whose, fontsize=8)


def _top_hz(region: object, levels: Floats) -> float:
    high = region.high_hz if isinstance(region, FrequencyBand) else 0.0
    return float(min(levels[-1], max(TOP_HZ, 1.25 * high)))


def _draw(
    ax: Axes, values: Floats, hz: Floats, times_s: Floats, colours: str, limits: tuple[float, float]
) -> AxesImage:
    across, up = (0.5 * float(axis[1] - axis[0]) if len(axis) > 1 else 0.5 for axis in (times_s, hz))
    extent = (times_s[0] - across, times_s[-1] + across, hz[0] - up, hz[-1] + up)
    image = ax.imshow(
        values, origin="lower", aspect="auto", extent=extent, cmap=colours, vmin=limits[0], vmax=limits[1],
        interpolation="nearest",
    )  # fmt: skip
    ax.set_xlabel("time (s)", fontsize=8)
    ax.set_ylabel("frequency (Hz)", fontsize=8)
    ax.tick_params(labelsize=7)
    return image


def _lines(ax: Axes, covered: TimeSpan | FrequencyBand) -> None:
    band = isinstance(covered, FrequencyBand)
    ends = (
        (covered.low_hz, covered.high_hz) if isinstance(covered, FrequencyBand) else (covered.start_s, covered.stop_s)
    )
    for end in ends:
        (ax.axhline if band else ax.axvline)(end, color=INK, linewidth=1.0, linestyle="--")


def _mark(ax: Axes, one: Marked) -> None:
    colour, style = mark_style(one.weight)
    if isinstance(one.region, FrequencyBand):
        box = ax.axhspan(one.region.low_hz, one.region.high_hz)
        at = (ax.get_xlim()[0], one.region.high_hz)
    else:
        assert isinstance(one.region, TimeSpan)
        box = ax.axvspan(one.region.start_s, one.region.stop_s)
        at = (one.region.start_s, ax.get_ylim()[1])
    box.set(facecolor="none", edgecolor="white", linestyle=style, linewidth=2.2)
    if one.label:
        ax.text(*at, f" {one.label}", fontsize=7, color="white", va="top", backgroundcolor=colour, clip_on=True)


def _bar(ax: Axes, image: AxesImage, label: str) -> None:
    bar = ax.figure.colorbar(image, ax=ax, fraction=0.06, pad=0.03)
    bar.set_label(label, fontsize=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=6, length=2)
