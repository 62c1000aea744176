"""Figures of the report, drawn with matplotlib alone, small enough to be read on a telephone."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.views import INK, LOWERS, Shown, View, inches, is_to_scale
from pellucid.wording import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.titlesize": 9, "axes.labelsize": 9, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8,
    "axes.spines.top": False, "axes.spines.right": False, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#8a8f95",
    "xtick.color": INK, "ytick.color": INK, "legend.frameon": False, "figure.facecolor": "white", "svg.fonttype": "none",
    "svg.hashsalt": "pellucid", "axes.prop_cycle": "cycler('color', ['#0b6aa8', '#b8500a', '#00795a', '#8f4a78', '#1b1f24', '#767676'])",
}  # fmt: skip
"""Settings of every figure. The colours stay apart for every common colour blindness and in grey."""

LARGEST_SVG = 300_000
"""Bytes; a drawing of so many points that it is larger goes into the page as pixels."""


@dataclass(frozen=True)
class Picture:
    """A figure as the page holds it: an address that carries the whole picture, what it shows in words, its width in pixels."""

    source: str
    alt: str
    width: int
    caption: str = ""
    to_scale: bool = False
    """Whether it has a size of its own, which the page must not change."""


def shape_function(ax: Axes, rows: pd.DataFrame, *, is_function: bool, limits: tuple[float, float]) -> None:
    """Draw a unit's contribution over its value: one line a fold where it is a function of it, else a dot a case."""
    for _, fold in rows.groupby("fold"):
        some = fold.sort_values("value")
        # Sixty cases, evenly spread from the smallest value to the largest, tell a curve; all of them would fill the page.
        some = some.iloc[np.unique(np.linspace(0, len(some) - 1, 60).astype(int))]
        line = {"linewidth": 1.1} if is_function else {"linestyle": "none", "marker": ".", "markersize": 3}
        ax.plot(some["value"], some["contribution"], color=LOWERS, alpha=0.75, **line)
    ax.axhline(0, color="#8a8f95", linewidth=0.8, linestyle="--")
    middle = rows["value"].quantile([0.05, 0.95]).to_numpy()
    ax.axvspan(*middle, color="#e8eef3", zorder=0)
    ax.set_ylim(limits)


def importance(ax: Axes, names: Sequence[str], widths: np.ndarray) -> None:
    """Bars of how much each unit moves the output between cases, largest first."""
    rows = np.arange(len(names))
    ax.barh(rows, widths, color=LOWERS, height=0.7)
    for row, width in enumerate(widths):
        ax.text(width, row, f" {number(float(width), 2)}", va="center", fontsize=8)
    ax.set_yticks(rows, names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, 1.22 * max(float(widths.max()), 1e-9))
    ax.set_xlabel("standard deviation between cases")


def picture(draw: Callable[[Figure], object], size: tuple[float, float], alt: str, caption: str = "") -> Picture:
    """Draw on a new figure of a size in inches and put it into an address."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        return embedded(figure, alt, caption)


def view_picture(view: View, values: np.ndarray, spec: Any, shown: Shown, alt: str, caption: str = "") -> Picture:
    """What a view draws of one sample, at the size that it asks for."""
    if not is_to_scale(view):
        size = inches(view, values, spec, shown)
        return picture(lambda figure: view(figure.add_subplot(), values, spec, shown), size, alt, caption)
    return scaled_picture([(view, values, spec, shown)], alt, caption)


def scaled_picture(views: Sequence[tuple[View, np.ndarray, Any, Shown]], alt: str, caption: str = "") -> Picture:
    """What views that have a size of their own draw, below each other, none of it shrunk."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    sizes = [inches(*one) for one in views]
    width, height = max(w for w, _ in sizes), sum(h for _, h in sizes)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        top = height
        for (view, values, spec, shown), (wide, high) in zip(views, sizes, strict=True):
            top -= high
            view(figure.add_axes((0.0, top / height, wide / width, high / height)), values, spec, shown)
        return replace(embedded(figure, alt, caption), to_scale=True)


def embedded(figure: Figure, alt: str, caption: str = "") -> Picture:
    """A drawn figure as an address that carries it: SVG, or PNG where that would be large."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        drawn, mime = io.BytesIO(), "image/svg+xml"
        figure.savefig(drawn, format="svg", dpi=200, metadata={"Date": None, "Creator": None})
        if len(drawn.getvalue()) > LARGEST_SVG:
            drawn, mime = io.BytesIO(), "image/png"
            figure.savefig(drawn, format="png", dpi=200)
    # A CSS pixel is 1/96 inch.
    return Picture(
        f"data:{mime};base64,{base64.b64encode(drawn.getvalue()).decode()}",
        alt,
        round(96 * figure.get_figwidth()),
        caption,
    )
