"""Electrocardiograms as they are read: on paper of 25 mm/s and 10 mm/mV, true to size at 96 pixels an inch."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from pellucid.regions import TimeSpan
from pellucid.views import INK, Marked, Shown, sized
from pellucid_ecg.views.layout import Paper, Strip, laid_out
from pellucid_ecg.views.marks import Mark, draw_bars, draw_evidence, draw_marks, lanes_of, legend, marks_of, not_printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data import Signal

MM_PER_INCH = 25.4
MM_PER_MV = 10.0
IN_MV = {"mV": 1.0, "uV": 1e-3, "µV": 1e-3, "V": 1e3}
"""What a unit is in mV."""

OTHER_UNITS = 5.0
"""Of a lead in standard deviations, so many take 10 mm: an R wave of 1 mV is about five, and looks as usual then."""

FINE, STRONG, SHEET = "#f7dad5", "#ecaea4", "#fffbf9"
HEADER_MM, LINE_MM = 5.0, 3.6
"""Height of a line of text above and below the grid."""

LETTERS_A_MM, HEADING_A_MM = 0.72, 0.54
"""Letters that go into a millimetre, safely."""

NARROWEST_MM = 58.0
"""Width of a picture at least, for the words below it."""

SECONDS_MM = 6.0
"""Room of a figure along the time."""

BEAT_SCALE = 3.0


def _size(scale: float, values: np.ndarray, spec: Signal, shown: Shown) -> tuple[float, float]:
    sheet = _Sheet.of(values, spec, shown, scale)
    return sheet.paper.width_mm * scale / MM_PER_INCH, (sheet.high_mm - sheet.low_mm) * scale / MM_PER_INCH


@sized(lambda values, spec, shown: _size(1.0, values, spec, shown))
def paper(ax: Axes, values: np.ndarray, spec: Signal, shown: Shown) -> None:
    """Twelve leads in four columns over a rhythm strip of lead II; fewer leads, or a short record, as full-width strips.

    Marked places are boxes on their leads where these are printed at that time, and bars under the rhythm strip always.
    A place alone is drawn with 0.2 s around it, at the same scale.

    Parameters
    ----------
    ax : Axes
        Millimetres afterwards. On an axis that fills a figure of ``paper.inches(values, spec, shown)`` they are true.
    values : ndarray, shape (lead, time)
        In the spec's units; NaN where nothing is known.
    spec : Signal
        Channels are lead names, in any order and case. mV (uV, V) are drawn at 10 mm/mV; of other units it is said that
        amplitudes cannot be read.
    shown : Shown
    """
    _Sheet.of(values, spec, shown, 1.0).draw(ax)


@sized(lambda values, spec, shown: _size(BEAT_SCALE, values, spec, shown))
def beat(ax: Axes, values: np.ndarray, spec: Signal, shown: Shown) -> None:
    """One beat, or any window of a second or two, on paper three times magnified: a small square is 0.04 s and 0.1 mV."""
    _Sheet.of(values, spec, shown, BEAT_SCALE).draw(ax)


@dataclass(frozen=True)
class _Sheet:
    """A picture that is about to be drawn."""

    values: np.ndarray
    spec: Signal
    shown: Shown
    scale: float
    paper: Paper
    marks: tuple[Mark, ...]
    gain: float

    @classmethod
    def of(cls, values: np.ndarray, spec: Signal, shown: Shown, scale: float) -> _Sheet:
        gain = MM_PER_MV * IN_MV[spec.units] if spec.units in IN_MV else 10.0 / OTHER_UNITS
        marks = marks_of(shown.regions)
        only = shown.only if isinstance(shown.only, TimeSpan) else None
        spans = [mark.span for mark in marks]
        sheet = laid_out(values, spec, gain, only, spans, lanes=0)
        width = max(sheet.width_mm, NARROWEST_MM / scale)
        if len(marks) > 1 and sheet.rhythm:
            lanes = max(lanes_of(marks, strip, spec) for strip in sheet.rhythm)
            sheet = laid_out(values, spec, gain, only, spans, lanes=lanes)
        if only is not None and not any(mark.span == only for mark in marks):
            marks = (*marks, Mark(only, Marked(only)))
        sheet = replace(sheet, width_mm=width)
        return cls(values, spec, shown, scale, sheet, marks, gain)

    @property
    def high_mm(self) -> float:
        return self.paper.height_mm + (1.0 + HEADER_MM * len(self.header)) / self.scale

    @property
    def low_mm(self) -> float:
        # Letters are as large on a magnified sheet as on any other.
        return -(LINE_MM * len(self.footer) + 1.5) / self.scale

    @property
    def header(self) -> list[str]:
        return textwrap.wrap(self.shown.caption, max(20, int(self.paper.width_mm * self.scale * HEADING_A_MM)))

    @property
    def footer(self) -> list[str]:
        told = [self._scale_said(), *legend(self.marks, self.shown.evidence)]
        told += not_printed(self.marks, self.paper, self.spec)
        if any(_cut(self, strip) for strip in self.paper.strips):
            told.append(f"▲ ▼ cut off: the trace goes on to the value written there ({self.spec.units}).")
        wide = max(24, int(self.paper.width_mm * self.scale * LETTERS_A_MM))
        return [line for one in told for line in textwrap.wrap(one, wide)]

    def _scale_said(self) -> str:
        speed = f"{25 * self.scale:g} mm/s"
        rate = "" if self.shown.only is not None else f" · {self.spec.rate_hz:g} samples/s"
        if self.spec.units in IN_MV:
            drawn = f"{speed} · {MM_PER_MV * self.scale:g} mm/mV{rate}"
            return f"{drawn} · small square 0.04 s, 0.1 mV" if self.scale != 1 else drawn
        units = "units" if self.spec.units in ("", "1") else f"{self.spec.units}s"
        return f"{speed}{rate} · {10 * self.scale:g} mm = {OTHER_UNITS:g} {units}: amplitudes cannot be read as mV"

    def draw(self, ax: Axes) -> None:
        """Grid, evidence, traces, text: the later lies above the earlier."""
        ax.set_xlim(0, self.paper.width_mm)
        ax.set_ylim(self.low_mm, self.high_mm)
        ax.set_aspect("equal")
        ax.set_axis_off()
        _grid(ax, self.paper)
        if self.shown.evidence is not None:
            draw_evidence(ax, self.paper, self.spec, self.shown.evidence)
        draw_marks(ax, self.paper, self.spec, self.marks)
        draw_bars(ax, self.paper, self.spec, self.marks)
        for strip in self.paper.strips:
            _trace(ax, self, strip)
        for strip in {strip.base_mm: strip for strip in reversed(self.paper.strips)}.values():
            _pulse(ax, strip)
        # Under the rhythm strip, or under the lowest lead of each stretch of time.
        for strip in self.paper.rhythm or {(s.start_s, s.left_mm): s for s in self.paper.strips}.values():
            _seconds(ax, strip, self.scale)
        left, line, heading = (length / self.scale for length in (2.0, LINE_MM, HEADER_MM))
        for at, text in enumerate(self.footer):
            ax.text(left, -line * (at + 0.75), text, fontsize=7, color=INK, va="center")
        for at, text in enumerate(reversed(self.header)):
            ax.text(left, self.paper.height_mm + heading * (at + 0.6), text, fontsize=9, va="center", color=INK)


def _grid(ax: Axes, sheet: Paper) -> None:
    from matplotlib.patches import PathPatch, Rectangle
    from matplotlib.path import Path

    ax.add_patch(Rectangle((0, 0), sheet.width_mm, sheet.height_mm, facecolor=SHEET, edgecolor="none", zorder=0))
    for step, colour, width in ((1.0, FINE, 0.35), (5.0, STRONG, 0.6)):
        x, y = np.arange(0, sheet.width_mm + 1e-6, step), np.arange(0, sheet.height_mm + 1e-6, step)
        ends = [((at, 0.0), (at, sheet.height_mm)) for at in x] + [((0.0, at), (sheet.width_mm, at)) for at in y]
        # One path for all lines of a kind: a picture of hundreds of lines would be slow to open.
        lines = Path(np.asarray(ends).reshape(-1, 2), [Path.MOVETO, Path.LINETO] * len(ends))
        ax.add_patch(PathPatch(lines, fill=False, edgecolor=colour, linewidth=width, zorder=0.1))


def _part(sheet: _Sheet, strip: Strip) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and millimetres above zero of a strip's samples, NaN where nothing is known."""
    rate = sheet.spec.rate_hz
    # The sample at the end belongs to the next column too, so that no gap shows between columns of one lead.
    first, last = int(np.ceil(strip.start_s * rate - 1e-6)), int(np.floor(strip.stop_s * rate + 1e-6))
    trace = np.asarray(sheet.values[strip.row, first : last + 1], float) * sheet.gain
    return (first + np.arange(len(trace))) / rate, trace


def _cut(sheet: _Sheet, strip: Strip) -> list[tuple[float, float, float]]:
    """Where a trace leaves its strip: seconds of the peak, edge in mm (signed), and the peak in mm."""
    seconds, trace = _part(sheet, strip)
    beyond = np.where(trace > strip.up_mm, 1, np.where(trace < -strip.down_mm, -1, 0))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], beyond, [0]])))
    found = []
    for start, stop in pairwise(edges):
        if beyond[start]:
            peak = start + int(np.argmax(np.abs(trace[start:stop])))
            edge = strip.up_mm if beyond[start] > 0 else -strip.down_mm
            found.append((float(seconds[peak]), edge, float(trace[peak])))
    return found


def _trace(ax: Axes, sheet: _Sheet, strip: Strip) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.2, foreground=SHEET)]
    seconds, trace = _part(sheet, strip)
    x, y = strip.left_mm + 25.0 * (seconds - strip.start_s), np.clip(trace, -strip.down_mm, strip.up_mm) + strip.base_mm
    ax.plot(x, y, color=INK, linewidth=0.75 * sheet.scale**0.5, solid_joinstyle="round", zorder=3)
    if not np.isfinite(trace).any():
        ax.text(strip.left_mm + 12, strip.base_mm, "not recorded", fontsize=7, va="center", color=INK, zorder=4)
    # Where a column of a page begins, so that two leads are not read as one trace.
    if strip.left_mm > 10:
        ax.plot([strip.left_mm] * 2, [strip.base_mm - 2.5, strip.base_mm + 2.5], color=INK, linewidth=0.6, zorder=3)
    place = (strip.left_mm + 1, strip.high_mm - 0.4)
    ax.text(*place, strip.lead, fontsize=8.5, weight="bold", va="top", color=INK, zorder=4, path_effects=halo)
    for second, edge, peak in _cut(sheet, strip):
        marker, above = ("^", -1) if edge > 0 else ("v", 1)
        at = (strip.x_mm(second), strip.base_mm + edge)
        ax.plot(*at, marker=marker, markersize=4, color=INK, zorder=4)
        side, alignment = (1.0, "left") if at[0] + 8 < strip.right_mm else (-1.0, "right")
        value = f"{peak / sheet.gain:.3g}"
        place = (at[0] + side, at[1] + above)
        ax.text(*place, value, fontsize=6, ha=alignment, va="center", zorder=4, path_effects=halo)


def _pulse(ax: Axes, strip: Strip) -> None:
    """The calibration pulse: 10 mm high, 0.2 s long."""
    x = strip.left_mm - 10 + np.array([1.0, 2.5, 2.5, 7.5, 7.5, 9.0])
    y = strip.base_mm + np.array([0.0, 0.0, 10.0, 10.0, 0.0, 0.0])
    ax.plot(x, y, color=INK, linewidth=0.75, zorder=3)


def _seconds(ax: Axes, strip: Strip, scale: float) -> None:
    """Figures along the time: whole seconds, or parts of them where only a few are drawn."""
    span = strip.stop_s - strip.start_s
    step = 1.0 if span >= 3 else next(step for step in (0.1, 0.2, 0.5) if 25 * scale * step >= SECONDS_MM)
    y = strip.low_mm + 0.3
    first, last = np.ceil(strip.start_s / step - 1e-6), np.floor(strip.stop_s / step + 1e-6)
    for at in range(int(first), int(last) + 1):
        second = at * step
        x = strip.x_mm(second)
        if at == last and strip.right_mm - x < SECONDS_MM / scale:
            # No room for its figure.
            break
        ax.plot([x, x], [y - 0.4, y + 0.6], color=INK, linewidth=0.6, zorder=2.5)
        ax.text(x + 0.4, y + 0.2, f"{second:g} s", fontsize=5.5, color="#5b5148", va="bottom", zorder=2.5)
