"""A walk on the places that it came to: what was seen where, the way between, and where evidence lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.data.spec import Trajectory
from pellucid.regions import Region, Steps
from pellucid.views import COLOURS, LOWERS, MARKS, RAISES, Shown, mark_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PLACE = "place"
"""The input beside the walk that says where each step was, columns to the right and rows downwards."""


def walk(ax: Axes, values: np.ndarray, spec: Trajectory, shown: Shown) -> None:
    """Draw a walk on the maze, as far as it came; without the input ``place`` beside it, what was seen over the steps.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (name, step)
        NaN where a step is not known.
    spec : Trajectory
        Its first state has levels.
    shown : Shown
        Evidence makes a step's rim orange or blue, summed over names; marked steps are drawn as a line of their own.
    """
    name = spec.states[0] if spec.states else spec.names[0]
    seen = values[spec.names.index(name)]
    place = shown.beside.get(PLACE)
    steps = np.arange(spec.length)
    known = place is not None and place.shape == (2, spec.length) and bool(np.isfinite(place).any())
    at = np.asarray(place, float).T if known else np.column_stack([steps, np.nan_to_num(seen)])
    look = _only(shown.only, spec)
    ax.plot(*at[look].T, color="#9aa0a6", linewidth=0.8, zorder=1)
    rims = _rims(shown.evidence, spec.length)
    levels = spec.levels.get(name, ())
    # Decoded values lie between levels; they are drawn as the nearest.
    whole = np.where(np.isfinite(seen), np.round(np.nan_to_num(seen)), -1).astype(int)
    for level in np.unique(whole[look][whole[look] >= 0]):
        here = look[whole[look] == level]
        ax.scatter(
            at[here, 0], at[here, 1], s=38, color=COLOURS[level % len(COLOURS)], marker=MARKS[level % len(MARKS)], zorder=3,
            edgecolors=[rims[step] for step in here], linewidths=1.6,
            label=levels[level] if level < len(levels) <= 12 else None,
        )  # fmt: skip
    for marked in shown.regions:
        if isinstance(marked.region, Steps):
            some = at[max(0, marked.region.start) : marked.region.stop]
            colour, line = mark_style(marked.weight)
            ax.plot(*some.T, color=colour, linestyle=line, linewidth=2.2, zorder=2)
            if len(some):
                ax.annotate(f" {marked.label}", some[0], fontsize=7, color=colour, zorder=4)
    if len(look):
        ax.annotate("start", at[look[0]], textcoords="offset points", xytext=(4, 5), fontsize=6.5)
    if known:
        ax.invert_yaxis()
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_axis_off()
    else:
        ax.set_xlabel("step", fontsize=7)
        ax.tick_params(labelsize=7)
        if levels and len(levels) <= 12:
            ax.set_yticks(range(len(levels)), levels)
    if 0 < len(levels) <= 12 and (whole[look] >= 0).any():
        ax.legend(fontsize=6.5, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    ax.set_title(shown.caption, fontsize=8)


def _only(region: Region | None, spec: Trajectory) -> np.ndarray:
    """The steps to draw: all, or some with a quarter around them."""
    if not isinstance(region, Steps):
        return np.arange(spec.length)
    around = max(1, (region.stop - region.start) // 4)
    return np.arange(max(0, region.start - around), min(spec.length, region.stop + around))


def _rims(evidence: np.ndarray | None, length: int) -> list[str]:
    if evidence is None:
        return ["#ffffff"] * length
    weight = np.nan_to_num(evidence).sum(0)
    strongest = float(np.abs(weight).max(initial=0)) or 1.0
    # What is less than a tenth of the strongest is no evidence to look at.
    return ["#ffffff" if abs(one) < 0.1 * strongest else RAISES if one > 0 else LOWERS for one in weight]
