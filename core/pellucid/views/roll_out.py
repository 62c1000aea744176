"""What really happened and what a model said of it, row by row along time."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.regions import Steps, TimeSpan
from pellucid.unit_names import unit_sign
from pellucid.views.contract import Shown, for_kinds, sized
from pellucid.views.drawing import COLOURS, INK, LOWERS, NEUTRAL, RAISES, mark_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import OverTime

SAID = "predicted"
"""Under which name what a model said stands beside the values, in their shape."""

MOST = 6
"""Rows; more names are not drawn, which the picture says."""

WIDE, TITLE, EACH, FOOT = 6.2, 0.5, 0.72, 0.42
"""Inches: the picture, the caption with the legend, each row, and the scale of time below."""

LEFT, BREADTH = 0.22, 0.75
"""Where rows begin and how wide they are, as shares of the picture."""


LETTERS = 15
"""Of a name on one line; names stand on two at most."""


def _size(values: np.ndarray, spec: OverTime, shown: Shown) -> tuple[float, float]:
    return WIDE, TITLE + FOOT + EACH * min(MOST, len(_rows(spec, shown)))


@for_kinds("trajectory", "signal")
@sized(_size)
def roll_out(ax: Axes, values: np.ndarray, spec: OverTime, shown: Shown) -> None:
    """Draw each name over seconds in its own unit, and over it in a broken line what a model said (``shown.beside["predicted"]``).

    A marked place is shaded with its label: the steps from which a prediction is outside its tolerance, say. Evidence shades steps.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (name, step)
        What happened; NaN where it is not known.
    spec : Signal or Trajectory
    shown : Shown
    """
    every = _rows(spec, shown)
    names, said = every[:MOST], shown.beside.get(SAID)
    seconds = np.arange(spec.length) / spec.rate_hz
    limits = _limits(spec, shown)
    whole = TITLE + FOOT + EACH * len(names)
    ax.set_axis_off()
    more = f" ({len(every) - MOST} more names)" if len(every) > MOST else ""
    ax.text(0.02, 1 - 0.14 / whole, shown.caption + more, fontsize=8, va="center", transform=ax.transAxes)
    top = 0.0 if shown.evidence is None else float(np.nanmax(np.abs(np.nan_to_num(shown.evidence))))
    for place, name in enumerate(names):
        row = spec.channels.index(name)
        panel = ax.inset_axes(
            (LEFT, (FOOT + EACH * (len(names) - 1 - place) + 0.06) / whole, BREADTH, (EACH - 0.12) / whole)
        )
        panel.plot(seconds, values[row], color=INK, linewidth=1.1, label="real")
        if said is not None:
            panel.plot(seconds, said[row], color=COLOURS[0], linewidth=1.1, linestyle="--", label="predicted")
        if shown.evidence is not None and top > 0:
            for step, adds in enumerate(np.nan_to_num(shown.evidence[row])):
                if adds:
                    edges = (step - 0.5) / spec.rate_hz, (step + 0.5) / spec.rate_hz
                    colour = RAISES if adds > 0 else LOWERS
                    panel.axvspan(*edges, color=colour, alpha=0.45 * abs(adds) / top, linewidth=0)
        for marked in shown.regions:
            _mark(panel, name, spec, marked, labelled=place == 0 or name in _about(marked.region)[:1])
        _scale(panel, [values[row]] + ([] if said is None else [said[row]]), seconds, limits)
        sign = unit_sign(spec.channel_units[row])
        label = "\n".join([*wrap(name, LETTERS)[:2], *([f"({sign})"] if sign else [])])
        panel.set_ylabel(label, fontsize=8, rotation=0, ha="right", va="center", labelpad=20)
        panel.tick_params(labelsize=7, labelbottom=place == len(names) - 1)
        for side in ("right", "top"):
            panel.spines[side].set_visible(False)
        if place == len(names) - 1:
            panel.set_xlabel("time (s)", fontsize=8)
        if place == 0 and said is not None:
            panel.legend(
                fontsize=7, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.1, handlelength=2.2
            )  # fmt: skip


def _rows(spec: OverTime, shown: Shown) -> list[str]:
    """All names, or those that a place drawn alone is about."""
    about = _about(shown.only)
    return [name for name in spec.channels if not about or name in about]


def _about(region: Any) -> tuple[str, ...]:
    return region.channels if isinstance(region, Steps | TimeSpan) else ()


def _seconds(region: Any, spec: OverTime) -> tuple[float, float] | None:
    if isinstance(region, TimeSpan):
        return region.start_s, region.stop_s
    return (region.start / spec.rate_hz, region.stop / spec.rate_hz) if isinstance(region, Steps) else None


def _limits(spec: OverTime, shown: Shown) -> tuple[float, float]:
    """From the first step to the last, or around a place that is drawn alone."""
    end = (spec.length - 1) / spec.rate_hz
    if (alone := _seconds(shown.only, spec)) is None:
        return 0.0, max(end, 1e-9)
    around = 0.25 * (alone[1] - alone[0])
    return max(0.0, alone[0] - around), min(end, alone[1] + around)


def _mark(panel: Axes, name: str, spec: OverTime, marked: Any, *, labelled: bool) -> None:
    there, about = _seconds(marked.region, spec), _about(marked.region)
    if there is None or (about and name not in about):
        return
    colour, line = mark_style(marked.weight)
    panel.axvspan(*there, facecolor=colour if marked.weight else NEUTRAL, alpha=0.13, linewidth=0)
    for edge in there:
        panel.axvline(edge, color=colour, linestyle=line, linewidth=1.1)
    if labelled:
        across = panel.get_xaxis_transform()
        panel.text(
            there[0], 0.97, f" {marked.label}", fontsize=7, color=colour, va="top", clip_on=True, transform=across,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip


def _scale(panel: Axes, lines: list[np.ndarray], seconds: np.ndarray, limits: tuple[float, float]) -> None:
    """What is in sight, and not what lies outside or runs away by more than the real values are wide."""
    panel.set_xlim(*limits)
    inside = (seconds >= limits[0]) & (seconds <= limits[1])
    known = [line[inside & np.isfinite(line)] for line in lines]
    if not known[0].size:
        return
    low, high = float(known[0].min()), float(known[0].max())
    wide = (high - low) or 1.0
    for line in known[1:]:
        if line.size:
            low, high = max(low - wide, min(low, float(line.min()))), min(high + wide, max(high, float(line.max())))
    panel.set_ylim(low - 0.12 * wide, high + 0.12 * wide)
