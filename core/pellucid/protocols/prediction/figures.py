"""Figures of the prediction assessment: ROC curves, reliability curves, and predicted against true numbers.

Parts differ by colour, by line and by mark, so that a figure is read in grey and by every eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.base import Context
from pellucid.protocols.prediction.metrics import MANY
from pellucid.protocols.prediction.predictions import Predictions
from pellucid.statistics.bootstrap import subject_weights
from pellucid.statistics.calibration import reliability_curve
from pellucid.statistics.ranking import auroc, over_folds, roc_curve
from pellucid.statistics.regression import explained_variance_share
from pellucid.unit_names import unit_sign
from pellucid.views.drawing import COLOURS, MARKS, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (3, 1, 1, 1, 1, 1)), (0, (5, 1)), (0, (1, 1)))

MOST_POINTS = 1000
"""Points of a panel that are drawn one by one; of more a picture is made, as a page of drawings of many thousands opens slowly."""

GRID = np.linspace(0.0, 1.0, 201)


def drawn(predictions: Mapping[str, Predictions], context: Context, *, seed: int) -> dict[str, Figure]:
    """Figures by caption, as the kind of target has them."""
    target = context.spec.target(context.target)
    if target.yes_or_no:
        return {**_roc(predictions), **_reliability(predictions, seed, context.bars)}
    return _numbers(predictions) if target.numeric else {}


def fold_mean_roc(p: Predictions) -> tuple[np.ndarray, np.ndarray] | None:
    """ROC curve averaged over folds at equal false-positive rates, as the area is; None if no fold has both classes."""
    curves, mass = [], []
    for fold in np.unique(p.folds):
        here = p.folds == fold
        labels, scores = p.labels[here, 0], p.outputs[here, 0]
        if 0 < labels.sum() < len(labels):
            false_rate, true_rate = roc_curve(labels, scores)
            # Of several points at one false-positive rate the highest counts to the right, the lowest at the start.
            curves.append(np.interp(GRID, false_rate, true_rate))
            mass.append(here.sum())
    if not curves:
        return None
    true_rate = np.average(curves, axis=0, weights=mass)
    return np.concatenate([[0.0], GRID]), np.concatenate([[0.0], true_rate])


def _roc(said: Mapping[str, Predictions]) -> dict[str, Figure]:
    figure = _figure(4.6, 4.4)
    ax = figure.subplots()
    for at, (part, p) in enumerate(said.items()):
        curve = fold_mean_roc(p)
        if curve is None:
            continue
        area = float(over_folds(auroc, p.labels[:, 0], p.outputs[:, 0], p.folds, np.ones(len(p.labels))))
        last = at == len(said) - 1
        ax.plot(
            *curve,
            color=NEUTRAL if last else COLOURS[at % len(COLOURS)],
            linestyle=":" if last else LINES[at % len(LINES)],
            linewidth=1.8,
            label=f"{part} ({area:.3f})",
        )
    if not ax.lines:
        return {}
    ax.plot([0, 1], [0, 1], color="#b9bec4", linewidth=0.9, zorder=0)
    ax.annotate("chance", (0.62, 0.58), color=NEUTRAL, rotation=45, ha="center", va="center", fontsize=8)
    yes, no = _classes(next(iter(said.values())))
    ax.set(xlabel=f"{no} called {yes} (1 - specificity)", ylabel=f"{yes} found (sensitivity)")
    ax.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    ax.legend(loc="lower right", fontsize=8, title="area under the curve", title_fontsize=8, framealpha=0.9)
    _plain(ax)
    return {"ROC curves, averaged over folds, with the area under each; the diagonal is chance.": figure}


def _reliability(said: Mapping[str, Predictions], seed: int, bars: str) -> dict[str, Figure]:
    columns = min(3, len(said))
    rows = -(-len(said) // columns)
    figure = _figure(2.5 * columns + 0.3, 2.7 * rows + 0.2)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for at, (ax, (part, p)) in enumerate(zip(panels, said.items(), strict=False)):
        weights = subject_weights(p.subjects, p.folds, replicates=300, seed=seed)
        curve = reliability_curve(p.labels[:, 0], p.outputs[:, 0], weights)
        ax.plot([0, 1], [0, 1], color="#b9bec4", linewidth=0.9, zorder=0)
        known = np.isfinite(curve.low)
        ax.vlines(curve.predicted[known], curve.low[known], curve.high[known], color=NEUTRAL, linewidth=1.2)
        colour = NEUTRAL if at == len(said) - 1 else COLOURS[at % len(COLOURS)]
        ax.plot(
            curve.predicted, curve.observed, color=colour, marker=MARKS[at % len(MARKS)], markersize=4, linewidth=1.2
        )
        ax.set_title(part, fontsize=9)
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        _plain(ax)
    for ax in panels[len(said) :]:
        ax.set_axis_off()
    figure.supxlabel("Stated probability", fontsize=9)
    figure.supylabel(f"Observed rate of {_classes(next(iter(said.values())))[0]}", fontsize=9)
    caption = (
        f"Reliability: observed rate against stated probability in ten groups of equal size, with {bars}; on the diagonal "
        "probabilities can be taken at their word."
    )
    return {caption: figure}


def _numbers(said: Mapping[str, Predictions]) -> dict[str, Figure]:
    figures = {}
    target = next(iter(said.values())).target
    if len(target.names) > MANY:
        return _many(said, target.names)
    for column, name in enumerate(target.names):
        columns = min(3, len(said))
        rows = -(-len(said) // columns)
        figure = _figure(2.5 * columns + 0.3, 2.7 * rows + 0.2)
        panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for at, (ax, (part, p)) in enumerate(zip(panels, said.items(), strict=False)):
            truth, predicted = p.labels[:, column], p.outputs[:, column]
            many = len(truth) > MOST_POINTS
            ax.scatter(
                truth, predicted, s=6, alpha=0.5, color=COLOURS[at % len(COLOURS)], edgecolors="none", rasterized=many
            )
            ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
            ax.plot(ends, ends, color=NEUTRAL, linewidth=0.9, zorder=0)
            ax.set_title(part, fontsize=9)
            _plain(ax)
        for ax in panels[len(said) :]:
            ax.set_axis_off()
        sign = unit_sign(target.units[column] if column < len(target.units) else "")
        unit = f" ({sign})" if sign else ""
        figure.supxlabel(f"True {name}{unit}", fontsize=9)
        figure.supylabel(f"Predicted {name}{unit}", fontsize=9)
        figures[f"Predicted against true {name}; on the diagonal both agree."] = figure
    return figures


def _many(said: Mapping[str, Predictions], names: Sequence[str]) -> dict[str, Figure]:
    """A line a part over all numbers of a target, in its order."""
    figure = _figure(6.6, 3.0)
    ax = figure.subplots()
    place = np.arange(len(names))
    for at, (part, p) in enumerate(said.items()):
        even = np.ones(len(p.labels))
        shares = [
            float(explained_variance_share(truth, predicted, even))
            for truth, predicted in zip(p.labels.T, p.outputs.T, strict=True)
        ]
        style = {
            "color": COLOURS[at % len(COLOURS)],
            "linestyle": LINES[at % len(LINES)],
            "marker": MARKS[at % len(MARKS)],
        }
        ax.plot(place, shares, label=part, markersize=3, linewidth=1.2, **style)
    ax.axhline(0, color=NEUTRAL, linewidth=0.9, zorder=0)
    # What is worse than always saying the mean is off the picture: by how much says nothing.
    ax.set_ylim(-0.55, 1.05)
    some = place[:: max(1, len(names) // 12)]
    ax.set_xticks(some, [names[at] for at in some], rotation=45, ha="right", fontsize=7)
    ax.set_ylabel("R²", fontsize=9)
    ax.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _plain(ax)
    return {"Share of the variation of each number that is predicted; 0 is no better than its mean.": figure}


def _classes(p: Predictions) -> tuple[str, str]:
    """Names of yes and no."""
    return p.target.outputs[0], p.target.no_name()


def _figure(width: float, height: float) -> Figure:
    # Not pyplot: it keeps every figure alive, and its state is shared by the whole process.
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _plain(ax: Axes) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
