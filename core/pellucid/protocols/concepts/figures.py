"""Figures of the concept audit: curves of correction beside their ceiling, errors beside people's disagreement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.concepts.accuracy import rated, root_mean_square
from pellucid.protocols.concepts.interventions import Curves
from pellucid.protocols.concepts.part import AuditedPart
from pellucid.views.drawing import COLOURS, NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REPLICATES = 200
"""A band is drawn, not read off to the third digit."""


def drawn(rows: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """Figures by caption."""
    parts = [AuditedPart(own, part, context, REPLICATES) for part, own in context.own_rows(rows)]
    if not parts:
        return {}
    curves = (
        "What happens when predicted concepts are replaced by what people said, one after the other: in random order (the "
        "mean of several), and in the order that helped most among training samples. Dotted: a model that reads people's "
        f"ratings alone. Bands: {context.bars}. A curve that falls tells of concepts that carry something else."
    )
    errors = (
        "How far predicted concepts are from people's mean ratings (root mean square), beside the training mean and, where "
        f"it is known, one of the people who rated. Bars: {context.bars}."
    )
    return {curves: _curves(parts), errors: _errors(parts)}


def _curves(parts: list[AuditedPart]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(parts) + 0.4, 3.2), layout="constrained")
    panels = figure.subplots(1, len(parts), squeeze=False, sharey=True)[0]
    for audited, ax in zip(parts, panels, strict=True):
        curves = Curves(audited)
        steps = np.arange(curves.count + 1)
        random = np.array([audited.interval(one) for one in curves.random])
        ax.fill_between(steps, random[:, 1], random[:, 2], color=COLOURS[0], alpha=0.25, linewidth=0)
        ax.plot(steps, random[:, 0], color=COLOURS[0], marker="o", markersize=3, label="random order")
        ax.plot(
            steps,
            [audited.value(one) for one in curves.learnt],
            color=COLOURS[1],
            linestyle="--",
            marker="s",
            markersize=3,
            label="learnt order",
        )
        value, low, high = audited.interval(curves.alone)
        ax.axhspan(low, high, color=NEUTRAL, alpha=0.12, linewidth=0)
        ax.axhline(value, color=NEUTRAL, linestyle=":", label="people's ratings alone")
        ax.set_title(audited.part, fontsize=10, loc="left")
        ax.set_xlabel("concepts replaced")
        ax.set_xticks(steps)
        _plain(ax)
    panels[0].set_ylabel(Curves(parts[0]).score)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=8
    )
    return figure


def _errors(parts: list[AuditedPart]) -> Figure:
    from matplotlib.figure import Figure

    names = [name for name in parts[0].names if rated(parts[0], name).any()]
    figure = Figure(figsize=(6.4, 0.34 * len(names) * (1 + 0.4 * len(parts)) + 1.0), layout="constrained")
    ax = figure.subplots()
    rows = np.arange(len(names))[::-1]
    for at, audited in enumerate(parts):
        error = [root_mean_square(audited.column(f"rated:{n}") - audited.column(f"concept:{n}")) for n in names]
        found = np.array([audited.interval(one) for one in error])
        shift = 0.18 * (at - (len(parts) - 1) / 2)
        spread = np.abs(found[:, [1, 2]] - found[:, [0]]).T
        ax.errorbar(
            found[:, 0], rows - shift, xerr=spread, fmt="osD^vP"[at % 6], color=COLOURS[at % len(COLOURS)],
            markersize=4, linewidth=1.2, label=audited.part,
        )  # fmt: skip
    first = parts[0]
    usual = [first.value(root_mean_square(first.column(f"rated:{n}") - first.column(f"usual:{n}"))) for n in names]
    ax.scatter(usual, rows, marker="|", s=120, color=NEUTRAL, label="training mean")
    apart = [first.column(f"apart:{name}") for name in names]
    if any(np.isfinite(one).any() for one in apart):
        person = [first.value(root_mean_square(one)) if np.isfinite(one).any() else np.nan for one in apart]
        ax.scatter(person, rows, marker="x", s=28, color="black", label="one of the people who rated")
    ax.set_yticks(rows, [name.replace("_", " ") for name in names])
    concepts = first.context.spec.concepts
    ax.set_xlabel(f"distance ({concepts.units if concepts else 'rating'})")
    ax.set_xlim(left=0)
    ax.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    _plain(ax)
    return figure


def _plain(ax: Axes) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
