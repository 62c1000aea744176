"""Readings over time in their own units: one panel for each unit, so that sizes can be compared and read off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.spec import Trajectory
from pellucid.regions import Steps
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES, Shown, mark_style, sized

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = (("#1b1f24", "-"), ("#8a5a00", "--"), ("#5b3c9c", "-."), ("#2d7d5a", ":"))
"""Colour and line of the names of a panel, one after the other; they differ in both."""

TITLE, EACH, FOOT = 0.3, 1.05, 0.4
"""Inches of a picture: its caption, each panel, and the scale of time below."""

LEFT, WIDE = 0.15, 0.69
"""Where panels begin and how wide they are, as shares of the picture; numbers stand before them and names behind."""

MOST = 6
"""Panels; more units are not drawn, which the picture says."""


def _size(values: np.ndarray, spec: Trajectory, shown: Shown) -> tuple[float, float]:
    return 4.4, TITLE + FOOT + EACH * min(MOST, len(_panels(spec, shown)))


@sized(_size)
def readings(ax: Axes, values: np.ndarray, spec: Trajectory, shown: Shown) -> None:
    """Draw a trajectory over seconds, all names of one unit in one panel; evidence shades the steps, summed over a panel's names.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (name, step)
        NaN where a step is not known.
    spec : Trajectory
    shown : Shown
    """
    every = _panels(spec, shown)
    panels = list(every.items())[:MOST]
    seconds = np.arange(spec.length) * spec.dt_s
    only = shown.only if isinstance(shown.only, Steps) else None
    limits = (0.0, spec.length * spec.dt_s)
    if only:
        around = max(1, (only.stop - only.start) // 4)
        limits = (max(0, only.start - around) * spec.dt_s, min(spec.length, only.stop + around) * spec.dt_s)
    ax.set_axis_off()
    left = "" if len(every) <= MOST else f" ({len(every) - MOST} more units)"
    ax.set_title(shown.caption + left, fontsize=8)
    whole = FOOT + EACH * len(panels)
    strongest = _strongest(panels, spec, shown)
    for place, (unit, names) in enumerate(panels):
        bottom = (whole - EACH * (place + 0.95)) / whole
        panel = ax.inset_axes((LEFT, bottom, WIDE, 0.85 * EACH / whole))
        at = [spec.names.index(name) for name in names]
        for row, name in enumerate(names):
            colour, line = LINES[row % len(LINES)]
            panel.plot(
                seconds,
                values[at[row]],
                color=colour,
                linestyle=line,
                linewidth=1.0,
                marker=".",
                markersize=2,
                label=name,
            )
        if shown.evidence is not None and strongest > 0:
            for step, weight in enumerate(np.nan_to_num(shown.evidence[at]).sum(0)):
                edges = ((step - 0.5) * spec.dt_s, (step + 0.5) * spec.dt_s)
                colour = RAISES if weight > 0 else LOWERS
                panel.axvspan(*edges, color=colour, alpha=0.45 * abs(weight) / strongest, linewidth=0)
        for nth, marked in enumerate(shown.regions):
            # A line around everything would mark nothing.
            if (
                isinstance(marked.region, Steps)
                and set(names) & set(marked.region.variables)
                and not _all(marked.region, spec)
            ):
                # Labels of places that begin alike stand below each other, and once.
                said = any(set(before) & set(marked.region.variables) for _, before in panels[:place])
                label = "" if said else marked.label
                _mark(panel, marked.region, marked.weight, label, spec.dt_s, 0.98 - 0.15 * nth)
        if only:
            near = values[at, max(0, round(limits[0] / spec.dt_s)) : max(1, round(limits[1] / spec.dt_s))]
            if np.isfinite(near).any():
                low, high = float(np.nanmin(near)), float(np.nanmax(near))
                panel.set_ylim(low - 0.1 * (high - low or 1.0), high + 0.1 * (high - low or 1.0))
            for edge in (only.start, only.stop):
                panel.axvline((edge - 0.5) * spec.dt_s, color=NEUTRAL, linewidth=0.8, linestyle=":")
        panel.set_xlim(limits[0] - 0.5 * spec.dt_s, limits[1] - 0.5 * spec.dt_s)
        panel.set_ylabel("" if unit == "1" else unit, fontsize=7)
        panel.tick_params(labelsize=7, labelbottom=place == len(panels) - 1)
        panel.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, handlelength=1.6)
        for side in ("right", "top"):
            panel.spines[side].set_visible(False)
        if place == len(panels) - 1:
            panel.set_xlabel("time (s)", fontsize=7)


def _panels(spec: Trajectory, shown: Shown) -> dict[str, list[str]]:
    """Names by unit, those alone that a place is about where one is drawn alone."""
    only = shown.only if isinstance(shown.only, Steps) else None
    found: dict[str, list[str]] = {}
    for name, unit in zip(spec.names, spec.units, strict=True):
        if only is None or not only.variables or name in only.variables:
            found.setdefault(unit, []).append(name)
    return found


def _strongest(panels: list[tuple[str, list[str]]], spec: Trajectory, shown: Shown) -> float:
    """The largest sum of evidence over a panel's names at any step: one scale for all panels."""
    if shown.evidence is None:
        return 0.0
    rows = [[spec.names.index(name) for name in names] for _, names in panels]
    return max(float(np.abs(np.nan_to_num(shown.evidence[at]).sum(0)).max()) for at in rows)


def _all(region: Steps, spec: Trajectory) -> bool:
    return region.start <= 0 and region.stop >= spec.length and set(spec.names) <= set(region.variables)


def _mark(panel: Axes, region: Steps, weight: float, label: str, dt_s: float, height: float) -> None:
    colour, line = mark_style(weight)
    start, stop = (region.start - 0.5) * dt_s, (region.stop - 0.5) * dt_s
    panel.axvspan(start, stop, facecolor="none", edgecolor=colour, linestyle=line, linewidth=1.2)
    panel.text(
        start, height, f" {label}", fontsize=7, color=colour or INK, va="top", clip_on=True, transform=panel.get_xaxis_transform()
    )  # fmt: skip
