"""Two names of what moves against each other, with the steps of each region of a model in a colour and mark of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.errors import DataError, abridged, nearest
from pellucid.regions import Steps, TimeSpan
from pellucid.unit_names import unit_sign
from pellucid.views.contract import Marked, Shown, View, for_kinds, sized
from pellucid.views.drawing import COLOURS, INK, LOWERS, MARKS, RAISES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.data.spec import OverTime

STYLES = tuple(zip(COLOURS, MARKS, strict=True))
"""Colour and mark of each region; they differ in both."""

WAYS = {1: "raises", -1: "lowers"}

PATH = "#b0b4b8"

MANY = 300
"""Steps from which marks are small, or they would hide each other."""

SIZE = (3.9, 3.1)
"""Inches; a legend stands beside the portrait."""


def regions_of_steps(codes: np.ndarray, names: Sequence[str], spec: OverTime) -> tuple[Marked, ...]:
    """Steps that follow each other in one region of a model, as places to mark with its name.

    Parameters
    ----------
    codes : ndarray of int, shape (step,)
        Of each step its region; below 0 where it has none.
    names : sequence of str
        Of the regions.
    spec : Signal or Trajectory

    Examples
    --------
    >>> from pellucid.data.spec import Trajectory
    >>> spec = Trajectory(names=("x",), length=5, dt_s=0.1, units=("m",))
    >>> [(one.region.start, one.region.stop, one.label) for one in regions_of_steps(np.array([1, 1, 0, -1, 0]), ("-", "+"), spec)]
    [(0, 2, '+'), (2, 3, '-'), (4, 5, '-')]
    """
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    stretches = [(start, stop) for start, stop in pairwise(edges) if codes[start] >= 0]
    return tuple(
        Marked(region, label=names[int(codes[start])])
        for region, (start, stop) in zip(spec.regions([stretches]), stretches, strict=True)
    )


def portrait_of(first: str, second: str) -> View:
    """A view that draws these two names against each other.

    Raises
    ------
    DataError
        When it draws, if a name is none of the input's; the nearest is given.

    Examples
    --------
    >>> view = portrait_of("x", "z")
    """

    @for_kinds("trajectory", "signal")
    @sized(lambda values, spec, shown: SIZE)
    def view(ax: Axes, values: np.ndarray, spec: OverTime, shown: Shown) -> None:
        for name in (first, second):
            if name not in spec.channels:
                raise DataError(
                    f"the input has no {name!r}{nearest(name, spec.channels)}; it has {abridged(spec.channels)}"
                )
        _draw(ax, values, spec, shown, (first, second))

    return view


@for_kinds("trajectory", "signal")
@sized(lambda values, spec, shown: SIZE)
def phase_portrait(ax: Axes, values: np.ndarray, spec: OverTime, shown: Shown) -> None:
    """Draw two names against each other: those that places are about where these are few, else the first two states.

    Steps of a marked place are orange circles where it raises and blue squares where it lowers; places that only mark differ by their label
    (the region of a model in which they lie, see :func:`regions_of_steps`). Dense evidence gives each step the size of what its names add.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (name, step)
        NaN where a step is not known.
    spec : Signal or Trajectory
    shown : Shown
    """
    _draw(ax, values, spec, shown, _chosen(spec, shown))


def _chosen(spec: OverTime, shown: Shown) -> tuple[str, str]:
    states: tuple[str, ...] = getattr(spec, "states", spec.channels) or spec.channels
    about = [one.region for one in shown.regions] + ([shown.only] if shown.only is not None else [])
    named = [name for name in spec.channels if any(name in _names(one, spec) for one in about)]
    if 0 < len(named) < len(spec.channels):
        # One name alone is drawn against the first other one.
        states = tuple(dict.fromkeys((*named, *states)))
    return states[0], states[min(1, len(states) - 1)]


def _draw(ax: Axes, values: np.ndarray, spec: OverTime, shown: Shown, names: tuple[str, str]) -> None:
    rows = [spec.channels.index(name) for name in names]
    x, y = values[rows].astype(float)
    ax.set_axis_off()
    panel = ax.inset_axes((0.15, 0.16, 0.58, 0.74))
    there = _steps(shown.only, spec)
    at = slice(None) if there is None else slice(*there)
    panel.plot(x, y, color=PATH, linewidth=0.6, zorder=1)
    if shown.evidence is not None:
        adds = np.nan_to_num(shown.evidence[rows]).sum(0)
        top = float(np.abs(adds).max()) or 1.0
        for sign, colour, mark in ((1, RAISES, "o"), (-1, LOWERS, "s")):
            here = sign * adds > 0
            label = WAYS[sign] if here.any() else None
            panel.scatter(
                x[here], y[here], s=24 * np.abs(adds[here]) / top, color=colour, marker=mark, linewidths=0, zorder=2, label=label
            )  # fmt: skip
    else:
        panel.plot(x[at], y[at], ".", color=INK, markersize=1.6, zorder=2)
    size = 3.2 if len(x) < MANY else 2.0
    for label, (colour, mark, steps) in _marked(shown.regions, spec).items():
        style: dict[str, Any] = {"linestyle": "none", "marker": mark, "color": colour, "markersize": size}
        panel.plot(x[steps], y[steps], zorder=3, label=label or None, **style)
    panel.plot(
        x[at][:1],
        y[at][:1],
        marker="x",
        color=INK,
        markersize=7,
        markeredgewidth=1.5,
        linestyle="none",
        label="start",
        zorder=4,
    )
    if there is not None:
        _look_at(panel, x[at], y[at])
    labels = []
    for name, row in zip(names, rows, strict=True):
        unit = unit_sign(spec.channel_units[row])
        labels.append(f"{name} ({unit})" if unit else name)
    panel.set_xlabel(labels[0], fontsize=8)
    panel.set_ylabel(labels[1], fontsize=8)
    panel.tick_params(labelsize=7)
    for side in ("right", "top"):
        panel.spines[side].set_visible(False)
    # Evidence and a place may both lower: said once.
    said = dict(zip(*reversed(panel.get_legend_handles_labels()), strict=True))
    panel.legend(
        list(said.values()), list(said), fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, handletextpad=0.2,
        markerscale=1.3,
    )  # fmt: skip
    ax.set_title(shown.caption, fontsize=8, y=0.93)


def _marked(regions: Sequence[Marked], spec: OverTime) -> dict[str, tuple[str, str, np.ndarray]]:
    """Colour, mark and steps of each label."""
    found: dict[str, tuple[str, str, np.ndarray]] = {}
    for one in regions:
        if (there := _steps(one.region, spec)) is None:
            continue
        colour, mark = STYLES[len(found) % len(STYLES)]
        label = one.label
        if one.weight:
            colour, mark = (RAISES, "o") if one.weight > 0 else (LOWERS, "s")
            label = f"{label}: {WAYS[1 if one.weight > 0 else -1]}".removeprefix(": ")
        colour, mark, before = found.get(label, (colour, mark, np.array([], int)))
        found[label] = (colour, mark, np.union1d(before, np.arange(*there)))
    # The most common first, as it lies below the others.
    return dict(sorted(found.items(), key=lambda item: -len(item[1][2])))


def _steps(region: Any, spec: OverTime) -> tuple[int, int] | None:
    if not isinstance(region, Steps if spec.kind == "trajectory" else TimeSpan):
        return None
    steps = spec.steps(region)
    return steps.start, steps.stop


def _names(region: Any, spec: OverTime) -> tuple[str, ...]:
    return region.channels if isinstance(region, Steps | TimeSpan) else ()


def _look_at(panel: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Around some steps, and half as much again."""
    for values, limit in ((x, panel.set_xlim), (y, panel.set_ylim)):
        known = values[np.isfinite(values)]
        if known.size:
            around = 0.25 * (float(np.ptp(known)) or 1.0)
            limit(float(known.min()) - around, float(known.max()) + around)
