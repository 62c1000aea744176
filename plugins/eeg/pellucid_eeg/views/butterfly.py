"""All electrodes over each other, and maps of the scalp where the field is strongest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.regions import TimeSpan
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES, Shown, evidence_colours, sized
from pellucid.views.contract import with_channels
from pellucid.views.spectra import about_bands
from pellucid.views.stretches import with_stretches
from pellucid_eeg.views.bands import bands
from pellucid_eeg.views.scalp import draw_map, draw_shares, drawable
from pellucid_eeg.views.time_frequency import STRETCHES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from pellucid.data.spec import Signal

MAPS = 4
"""Maps of the scalp at most, beside that of the evidence."""

APART_S = 0.06
"""Least time between two maps: neighbouring peaks of one wave look alike."""

WIDTH, APART = 0.155, 0.165
"""Of the maps, as shares of the picture's width."""


@with_stretches(STRETCHES)
@with_channels(draw_shares)
@sized(lambda values, spec, shown: (7.0, 4.3 if drawable(spec.channels) else 2.6))
def butterfly(ax: Axes, values: npt.NDArray[np.floating], spec: Signal, shown: Shown) -> None:
    """A butterfly plot, shaded where evidence or marked places are, over maps at peaks of the global field power.

    Positive is up and red. With evidence the last map is that of the evidence, summed over time: orange raises the output
    and blue lowers it, as in the shading. Where places lie between frequencies it draws spectra and maps of those bands
    instead: see :func:`~pellucid_eeg.views.bands.bands`.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel, time)
        In the spec's units; NaN where nothing is known.
    spec : Signal
    shown : Shown
    """
    if about_bands(shown):
        bands(ax, values, spec, shown)
        return
    ax.set_axis_off()
    ax.set_title(shown.caption, fontsize=8)
    rows = drawable(spec.channels)
    lines = ax.inset_axes((0.08, 0.52 if rows else 0.18, 0.9, 0.42 if rows else 0.74))
    begin_s, end_s = _looked_at_s(spec, shown)
    time_ms = 1e3 * np.arange(values.shape[1]) / spec.rate_hz
    lines.plot(time_ms, values.T, color=INK, linewidth=0.4, alpha=0.55)
    with np.errstate(invalid="ignore"):
        field = np.nan_to_num(np.nanstd(values, axis=0)) if np.isfinite(values).any() else np.zeros(values.shape[1])
    lines.plot(time_ms, field, color="#1b7f5c", linewidth=1.4, label="global field power")
    _shade(lines, time_ms, spec, shown)
    lines.set_xlim(1e3 * begin_s, 1e3 * end_s)
    lines.axhline(0, color=NEUTRAL, linewidth=0.6, zorder=1)
    lines.set_title(_what(values, spec), fontsize=7, loc="left", pad=3)
    lines.set_xlabel("time (ms)", fontsize=7, labelpad=1)
    lines.set_ylabel(f"{spec.units}, positive up", fontsize=7, labelpad=1)
    lines.tick_params(labelsize=6)
    lines.spines[["top", "right"]].set_visible(False)
    lines.legend(fontsize=6, frameon=False, loc="upper right")
    if rows:
        _maps(ax, values, peaks(field, spec.rate_hz, begin_s, end_s, MAPS), spec, shown, rows)


def _what(values: npt.NDArray[np.floating], spec: Signal) -> str:
    known = int(np.isfinite(values).any(1).sum())
    kind = "electrodes" if drawable(spec.channels) else "channels"
    return f"{known} {kind}, one line each" + (f"; {len(values) - known} not known" if known < len(values) else "")


def peaks(field: npt.NDArray[np.floating], rate_hz: float, begin_s: float, end_s: float, most: int) -> list[int]:
    """The highest local peaks of a curve, at least :data:`APART_S` apart, in order of time.

    Parameters
    ----------
    field : ndarray, shape (time,)
    rate_hz : float
    begin_s, end_s : float
        Between which peaks are looked for.
    most : int

    Returns
    -------
    list of int
        Samples.

    Examples
    --------
    >>> peaks(np.array([0, 1, 0, 0, 3, 0, 0, 2, 0.0]), rate_hz=30, begin_s=0, end_s=1, most=2)
    [4, 7]
    """
    inside = np.arange(len(field))[
        (np.arange(len(field)) >= begin_s * rate_hz) & (np.arange(len(field)) < end_s * rate_hz)
    ]
    local = [at for at in inside[1:-1] if field[at] > field[at - 1] and field[at] >= field[at + 1]]
    chosen: list[int] = []
    for at in sorted(local, key=lambda one: -field[one]):
        if len(chosen) < most and all(abs(at - other) >= APART_S * rate_hz for other in chosen):
            chosen.append(int(at))
    return sorted(chosen)


def _looked_at_s(spec: Signal, shown: Shown) -> tuple[float, float]:
    """From when to when, in seconds."""
    whole = spec.length / spec.rate_hz
    if not isinstance(shown.only, TimeSpan):
        return 0.0, whole
    around = 0.5 * (shown.only.stop_s - shown.only.start_s)
    return max(shown.only.start_s - around, 0.0), min(shown.only.stop_s + around, whole)


def _shade(lines: Axes, time_ms: npt.NDArray[np.floating], spec: Signal, shown: Shown) -> None:
    if shown.evidence is not None:
        over_time = shown.evidence.sum(0)
        reach = np.abs(over_time).max()
        step = 1e3 / spec.rate_hz
        for at in np.flatnonzero(np.abs(over_time) > 0.15 * reach) if reach > 0 else ():
            share = abs(over_time[at]) / reach
            lines.axvspan(
                time_ms[at],
                time_ms[at] + step,
                color=RAISES if over_time[at] > 0 else LOWERS,
                alpha=0.4 * share,
                linewidth=0,
            )
    for marked in shown.regions:
        if isinstance(marked.region, TimeSpan):
            colour = INK if marked.weight == 0 else RAISES if marked.weight > 0 else LOWERS
            start, stop = 1e3 * marked.region.start_s, 1e3 * marked.region.stop_s
            lines.axvspan(start, stop, color=colour, alpha=0.15, linewidth=0)
            if marked.label:
                lines.text(start, lines.get_ylim()[1], marked.label, fontsize=6, va="top", color=colour)


def _maps(
    ax: Axes, values: npt.NDArray[np.floating], at_peaks: list[int], spec: Signal, shown: Shown, rows: tuple[int, ...]
) -> None:
    """Maps of the electrodes in these rows at peaks, and of the evidence."""
    names = tuple(spec.channels[at] for at in rows)
    reach = max((float(np.nanmax(np.abs(values[list(rows), at]))) for at in at_peaks), default=0.0) or 1.0
    image = None
    for place, at in enumerate(at_peaks):
        inside = ax.inset_axes((0.02 + APART * place, 0.0, WIDTH, 0.36))
        image = draw_map(inside, values[list(rows), at], names, reach)
        inside.set_title(f"{1e3 * at / spec.rate_hz:.0f} ms", fontsize=7, pad=2)
    if image is not None:
        _bar(ax, image, 0.03 + APART * len(at_peaks), spec.units)
    if shown.evidence is not None:
        total = shown.evidence[list(rows)].sum(1)
        inside = ax.inset_axes((0.775, 0.0, WIDTH, 0.36))
        most = float(np.abs(total).max()) or 1.0
        image = draw_map(inside, total, names, most, evidence_colours(), smooth=False)
        inside.set_title("evidence", fontsize=7, pad=2)
        # No numbers: what a window of time is worth is drawn over all its samples, so a sum over them has no unit.
        _bar(ax, image, 0.935, "").set_yticks([-most, 0, most], ["lowers", "0", "raises"])


def _bar(ax: Axes, image: AxesImage, left: float, title: str) -> Axes:
    inside = ax.inset_axes((left, 0.06, 0.012, 0.24))
    bar = ax.figure.colorbar(image, cax=inside)
    bar.outline.set_visible(False)
    inside.locator_params(nbins=5)
    inside.set_title(title, fontsize=6, pad=3)
    inside.tick_params(labelsize=5, length=2, pad=1)
    return inside
