"""Figures of the report, drawn with matplotlib alone, small enough to be read on a telephone."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.report.names import distinct, measured, number, readable
from pellucid.views import INK, LOWERS, NEUTRAL, RAISES, Shown, View, inches, is_to_scale

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pellucid.explanation import Explanation

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


@dataclass(frozen=True)
class Bars:
    """What one case's bars show: names, what each unit was, what it added, and what stays."""

    labels: tuple[str, ...]
    contributions: np.ndarray
    baseline: float
    output: float
    gap: float
    target: str
    said: str = ""

    @classmethod
    def of(cls, explanation: Explanation, sample: int) -> Bars:
        """One sample of an explanation."""
        values = explanation.values
        return cls(
            tuple(
                _label(name, np.nan if values is None else float(values[sample, at]))
                for at, name in enumerate(explanation.names)
            ),
            explanation.contributions[sample].detach().double().numpy(),
            float(explanation.baseline[sample]),
            float(explanation.output[sample]),
            float(explanation.gap[sample]),
            explanation.target,
        )

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, units: Mapping[str, str], *, singly: bool = False) -> Bars:
        """One sample of ``explanations.parquet``; learnt units of one input, which nobody can read singly, as one bar.

        Parameters
        ----------
        rows : DataFrame
        units : mapping of str to str
            Physical units of the representation's units, by their names, where they have any.
        singly : bool
            Whether each learnt unit can be read by itself after all: a prototype is a training sample.
        """
        learnt = ~rows["comparable"].to_numpy(bool) & (not singly)
        shown = rows[~learnt]
        told = [
            measured(unit, value, units.get(unit, ""))
            for unit, value in zip(shown["unit"], shown["value"], strict=True)
        ]
        names = distinct(name for name, _ in told)
        known = np.isfinite(shown["value"].to_numpy(float))
        labels = [f"{name} = {text}" if k else name for name, (_, text), k in zip(names, told, known, strict=True)]
        parts = list(shown["contribution"])
        for source, some in rows[learnt].groupby(rows["unit"].str.partition(":")[0], sort=False):
            labels.append(
                f"learnt code of {source} ({len(some)} units)" if len(some) > 1 else readable(some["unit"].iloc[0])
            )
            parts.append(some["contribution"].sum())
        first = rows.iloc[0]
        baseline, output, gap = (float(first[name]) for name in ("baseline", "output", "gap"))
        return cls(tuple(labels), np.asarray(parts, float), baseline, output, gap, str(first["target"]))

    def strongest(self, top: int) -> Bars:
        """The strongest first; where there are more than ``top``, the others as one bar, so that nothing is left out."""
        order = np.argsort(-np.abs(self.contributions), kind="stable")
        kept, others = order[:top], order[top:]
        if len(others) < 2:
            kept, others = order, order[:0]
        labels, parts = [self.labels[i] for i in kept], self.contributions[kept]
        if len(others):
            labels.append(f"{len(others)} weaker ones together")
            parts = np.append(parts, self.contributions[others].sum())
        return replace(self, labels=tuple(labels), contributions=parts)

    def words(self) -> str:
        """The same in words, for who cannot see the bars."""
        told = "; ".join(f"{name} {part:+.2f}" for name, part in zip(self.labels, self.contributions, strict=True))
        return f"Starting point {self.baseline:+.2f}; {told}; gap {self.gap:+.2g}; output {self.output:+.2f}."


def _label(name: str, value: float) -> str:
    return readable(name) if np.isnan(value) else " = ".join(measured(name, value))


def contribution_bars(explanation: Explanation, sample: int = 0, top: int = 10, ax: Axes | None = None) -> Axes:
    """Draw what each unit adds to the output of one sample: the strongest, the others summed, the gap as a bar of its own.

    Parameters
    ----------
    explanation : Explanation
    sample : int
        Position in the explanation.
    top : int
        Bars of single units.
    ax : Axes, optional
        A new figure's by default.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.2, 0.26 * (min(top, len(explanation.names)) + 4) + 0.6), layout="constrained")
    return draw_bars(ax, Bars.of(explanation, sample).strongest(top))


def draw_bars(ax: Axes, bars: Bars) -> Axes:
    """Bars from the starting point at the top to the output at the bottom; figures stand at their ends."""
    output = f"output ({bars.said})" if bars.said else "output"
    # A value stays on one line with its sign of equality.
    labels = [
        textwrap.fill(one.replace(" = ", " =\u00a0"), 30)
        for one in ("starting point", *bars.labels, "gap (unexplained)", output)
    ]
    lengths = np.array([bars.baseline, *bars.contributions, bars.gap, bars.output])
    rows = np.arange(len(labels))
    colours = [NEUTRAL, *(RAISES if part > 0 else LOWERS for part in bars.contributions), "white", INK]
    ax.barh(rows, lengths, color=colours, height=0.72)
    ax.patches[len(labels) - 2].set(hatch="////", edgecolor=INK, linewidth=0.8)
    span = max(float(np.abs(lengths).max()), 1e-9)
    for row, length in enumerate(lengths):
        text = f"{length:+.2f}" if abs(length) >= 0.005 else "0" if length == 0 else f"{length:+.0e}"
        ax.text(
            length + np.copysign(0.02 * span, length),
            row,
            text,
            va="center",
            ha="left" if length >= 0 else "right",
            fontsize=8,
        )
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.axhline(0.5, color="#c9cdd2", linewidth=0.8)
    ax.axhline(len(labels) - 1.5, color="#c9cdd2", linewidth=0.8)
    low, high = min(0.0, float(lengths.min())), max(0.0, float(lengths.max()))
    # Room for the figures at the ends of the bars.
    room = 0.24 * max(high - low, span)
    ax.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 else 0))
    ax.set_yticks(rows, labels, linespacing=0.95)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"← lowers   “{bars.target}”   raises →")
    return ax


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
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
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
