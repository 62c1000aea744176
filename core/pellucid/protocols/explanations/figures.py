"""Figures of the explanation audit: deletion and insertion curves, and what correcting concepts gains."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.explanations.rows import STEPS
from pellucid.statistics.bootstrap import interval, subject_weights, weighted_mean
from pellucid.views.drawing import COLOURS, NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def drawn(rows: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """Figures by caption, of the parts that have what they show."""
    found: dict[str, Figure] = {}
    removed = [p for p in context.predictors if _known(rows, p, "deletion_step0")]
    if removed:
        caption = (
            "How sure the models stay when what they rest on is taken away (left) or put back (right), most important "
            f"first; in grey, in random order. Bands: {context.bars}. The further apart, the truer."
        )
        found[caption] = _curves(rows, removed, context)
    mended = [p for p in context.predictors if _known(rows, p, "mended0")]
    if mended:
        found["What is gained when predicted ratings are replaced by what people said, in random order."] = _mended(
            rows, mended, context
        )
    return found


def _curves(rows: pd.DataFrame, parts: list[str], context: Context) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.4 * len(parts) + 0.4), layout="constrained")
    grid = figure.subplots(len(parts), 2, squeeze=False, sharex=True, sharey="row")
    share = np.linspace(0, 100, STEPS + 1)
    for part, axes in zip(parts, grid, strict=True):
        own = rows[rows["part"] == part]
        for name, ax in zip(("deletion", "insertion"), axes, strict=True):
            _banded(ax, own, share, f"{name}_random_step", NEUTRAL, ":", "random order", context)
            _banded(ax, own, share, f"{name}_step", COLOURS[0], "-", "explanation's order", context)
            ax.set_title(f"{part}: {name}", fontsize=10, loc="left")
        axes[0].set_ylabel(_height(context))
        axes[0].legend(frameon=False, fontsize=8)
    grid[-1][0].set_xlabel("taken away, %")
    grid[-1][1].set_xlabel("put back, %")
    return figure


def _mended(rows: pd.DataFrame, parts: list[str], context: Context) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 3.4), layout="constrained")
    ax = figure.subplots()
    steps = sum(str(c).startswith("mended") for c in rows.columns)
    for at, part in enumerate(parts):
        own = rows[rows["part"] == part]
        _banded(ax, own, np.arange(steps), "mended", COLOURS[at % len(COLOURS)], "-", part, context)
    ax.set_xlabel("ratings corrected")
    kind = context.spec.target(context.target).kind
    ax.set_ylabel("minus error, SD" if kind == "regression" else "probability of the truth")
    ax.legend(frameon=False, fontsize=8)
    return figure


def _banded(
    ax: Axes, rows: pd.DataFrame, x: np.ndarray, prefix: str, colour: str, line: str, label: str, context: Context
) -> None:
    curves = rows[[f"{prefix}{at}" for at in range(len(x))]].to_numpy(np.float64)
    folds = rows["fold"].to_numpy() if "fold" in rows.columns else None
    weights = subject_weights(rows["subject"].to_numpy(), folds, replicates=200, seed=context.seed)
    found = np.array([interval(partial(weighted_mean, c), weights) for c in curves.T])
    ax.plot(x, found[:, 0], color=colour, linestyle=line, linewidth=1.8, label=label)
    ax.fill_between(x, found[:, 1], found[:, 2], color=colour, alpha=0.25, linewidth=0)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _height(context: Context) -> str:
    regression = context.spec.target(context.target).numeric
    return "output, SD" if regression else "probability of\nthe side taken"


def _known(rows: pd.DataFrame, part: str, column: str) -> bool:
    return column in rows.columns and bool(rows.loc[rows["part"] == part, column].notna().any())
