"""A phase portrait with the regions of a model, and how its regions follow each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.protocols.dynamics.strip import drawn as strip_drawn
from pellucid.views.drawing import COLOURS, MARKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DRAWN = 8
"""Regions of a graph that can be read: the most visited ones."""

RARE = 0.005
"""Share of the steps out of a region below which a way to another is not drawn."""


def drawn(rows: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """One figure a part, by caption."""
    from matplotlib.figure import Figure

    figures = {}
    for part, own in context.own_rows(rows):
        portrait, ways = (told(own, name) for name in ("portrait", "transitions"))
        if not portrait:
            continue
        codes = ways[0] if ways else None
        figure = Figure(figsize=(8.4 if codes else 4.2, 3.9), layout="constrained")
        axes = figure.subplots(1, 2 if codes else 1, squeeze=False)[0]
        draw_portrait(axes[0], portrait[0], codes["names"] if codes else None)
        caption = f"“{part}”, first fold: a free run beside the {context.one} that it begins with (grey)"
        if codes:
            draw_transitions(axes[1], codes)
            caption += ", by the region of the model; and how regions follow each other, numbers are shares of the steps out of a region"
        figures[caption] = figure
        if strips := told(own, "strip"):
            said, strip = strip_drawn(strips[0], context)
            figures[f"“{part}”, first fold: {said}"] = strip
    return figures


def draw_portrait(ax: Axes, portrait: Mapping[str, Any], names: list[str] | None) -> None:
    """Two channels against each other; a region differs by colour and by mark."""
    real, made = np.array(portrait["real"], float), np.array(portrait["made"], float)
    ax.plot(real[:, 0], real[:, 1], ".", color="#b0b4b8", markersize=2, label="data", zorder=1)
    codes = None if portrait["codes"] is None else np.array(portrait["codes"])
    if codes is None or names is None:
        ax.plot(made[:, 0], made[:, 1], ".", color=COLOURS[0], markersize=2.5, label="free run")
    else:
        for at, code in enumerate(np.unique(codes)[: len(COLOURS)]):
            here = codes == code
            style: dict[str, Any] = {"marker": MARKS[at % len(MARKS)], "color": COLOURS[at % len(COLOURS)]}
            label = names[at] if at < len(names) else str(code)
            ax.plot(made[here, 0], made[here, 1], linestyle="none", markersize=2.5, label=label, **style)
    ax.set_xlabel(portrait["channels"][0], fontsize=8)
    ax.set_ylabel(portrait["channels"][1], fontsize=8)
    ax.tick_params(labelsize=7)
    ax.legend(fontsize=6, markerscale=2)


def draw_transitions(ax: Axes, ways: Mapping[str, Any]) -> None:
    """Regions on a circle, as large as they are visited; an arrow for each way, as wide as it is taken."""
    counts = np.array(ways["counts"], float)
    visits = counts.sum(0)
    order = np.argsort(-visits, kind="stable")[:MOST_DRAWN]
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(order)) / max(len(order), 1)
    at = np.column_stack([np.cos(angle), np.sin(angle)])
    leaving = counts.sum(1)
    for one, start in enumerate(order):
        share = counts[start] / max(leaving[start], 1)
        for other, stop in enumerate(order):
            if one == other or share[stop] < RARE:
                continue
            arrow = {
                "arrowstyle": "-|>",
                "connectionstyle": "arc3,rad=0.18",
                "color": "#1b1f24",
                "shrinkA": 16,
                "shrinkB": 16,
            }
            ax.annotate("", at[other], at[one], arrowprops={**arrow, "linewidth": 0.5 + 2 * share[stop]})
            # Beside the middle of the arrow, on the side to which it bends.
            middle, along = (at[one] + at[other]) / 2, at[other] - at[one]
            x, y = middle + 0.16 * np.array([along[1], -along[0]])
            ax.text(float(x), float(y), f"{share[stop]:.2f}", fontsize=6, ha="center")
        (x, y), label = 1.32 * at[one], f"{ways['names'][start]}\nstays {share[start]:.2f}"
        ax.text(float(x), float(y), label, fontsize=7, ha="center", va="center")
    ax.scatter(at[:, 0], at[:, 1], s=80 + 500 * visits[order] / max(visits.sum(), 1), color=COLOURS[0], zorder=3)
    ax.set_xlim(-1.7, 1.7)
    ax.set_ylim(-1.7, 1.7)
    ax.set_aspect("equal")
    ax.set_axis_off()
