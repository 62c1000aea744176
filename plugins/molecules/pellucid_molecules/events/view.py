"""Events of one pair over time, and the paths of its two nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.regions import TimeSpan
from pellucid.views import LOWERS, RAISES, mark_style
from pellucid.views import paths as drawing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.views import Shown

COUNTED = "0.6"


def event_counts(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Draw how many events a pair has in each bin, in the data's own time, with evidence as shading; hidden bins are hatched.

    Parameters
    ----------
    ax : Axes
    values : ndarray, shape (channel, bin)
        The first channel counts; NaN where a bin is hidden.
    spec : Signal
        Its ``preparation`` says when the data begin and end, and in which unit.
    shown : Shown
    """
    told = spec.preparation
    start, stop = float(told.get("start", 0.0)), float(told.get("stop", spec.length / spec.rate_hz))
    unit = told.get("unit", "s")
    edges = np.linspace(start, stop, spec.length + 1)
    width = edges[1] - edges[0]
    hidden = np.isnan(values[0])
    counts = np.where(hidden, 0.0, values[0])
    tallest = max(1.0, float(counts.max()))
    if shown.evidence is not None:
        strength = np.nan_to_num(np.asarray(shown.evidence, float)).sum(0)
        most = np.abs(strength).max() or 1.0
        for at, weight in enumerate(strength):
            if weight:
                ax.axvspan(
                    edges[at],
                    edges[at + 1],
                    color=RAISES if weight > 0 else LOWERS,
                    alpha=0.4 * abs(weight) / most,
                    lw=0,
                )
    ax.bar(edges[:-1], counts, width=width, align="edge", color=COUNTED, edgecolor="white", linewidth=0.3)
    if hidden.any():
        ax.bar(
            edges[:-1][hidden], np.full(hidden.sum(), tallest), width=width, align="edge", facecolor="none", edgecolor="0.7",
            hatch="///", linewidth=0,
        )  # fmt: skip

    def along(region: TimeSpan) -> tuple[float, float]:
        return start + region.start_s * spec.rate_hz * width, start + region.stop_s * spec.rate_hz * width

    for marked in shown.regions:
        if isinstance(marked.region, TimeSpan):
            colour, line = mark_style(marked.weight)
            first, last = along(marked.region)
            ax.axvspan(first, last, fill=False, edgecolor=colour, linestyle=line, linewidth=1.4)
            ax.text(first, tallest, marked.label, fontsize=6, va="top")
    ax.set_xlim(*(along(shown.only) if isinstance(shown.only, TimeSpan) else (start, stop)))
    ax.set_xlabel("time" if unit == "1" else f"time, {unit}", fontsize=7)
    ax.set_ylabel("events", fontsize=7)
    ax.tick_params(labelsize=7)
    ax.set_title(shown.caption, fontsize=8)


def node_paths(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Draw the paths of the two nodes of a pair among those that come near, and what their rate of events is made of over time.

    Parameters
    ----------
    ax : Axes
    values : ndarray of int, shape (2,)
        Numbers of the two nodes.
    spec : Nodes
    shown : Shown
        ``network`` holds the paths, as ``pivem`` knows them; without it only names are drawn. The pair's events stand ``beside``.
    """
    drawing.node_paths(ax, values, spec, shown)
