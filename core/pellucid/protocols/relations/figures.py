"""Figures of relations: what is lost without each beside what the model says, and what each class goes by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.relations.conclusions import Deleted
from pellucid.statistics.bootstrap import percentiles
from pellucid.views.drawing import COLOURS, MARKS, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawn(several: Sequence[Deleted]) -> dict[str, Figure]:
    """Losses of all parts in one figure, and weights by class of each part that has them."""
    found = {}
    if several:
        found[
            f"What the score loses without the edges of each relation (filled, bars: 95 % over {several[0].context.several}), and "
            "which share of its own weights a model has on choices that need the relation (hollow, where it weighs relations)."
        ] = _losses(several)
    for one in several:
        if one.choices:
            found[
                f"What “{one.part}” goes by, on average over the samples of each class; weights of a set add up to 1."
            ] = _weights(one)
    return found


def _losses(several: Sequence[Deleted]) -> Figure:
    from matplotlib.figure import Figure

    relations = several[0].relations
    figure = Figure(figsize=(7.2, 0.4 * len(relations) * max(1, len(several) / 2) + 1.6), layout="constrained")
    ax = figure.subplots()
    for at, one in enumerate(several):
        height = np.arange(len(relations)) + 0.6 * ((at + 0.5) / len(several) - 0.5)
        spans = [percentiles(float(row[0]), row[1:]) for row in one.losses]
        ends = np.array([[span.value - span.low, span.high - span.value] for span in spans]).T
        ax.errorbar(
            [span.value for span in spans], height, xerr=np.nan_to_num(ends).clip(min=0), fmt=MARKS[at % len(MARKS)],
            color=COLOURS[at % len(COLOURS)], label=f"{one.part}: loss", capsize=2,
        )  # fmt: skip
        if one.shares is not None:
            ax.plot(
                one.shares[:, 0], height, MARKS[at % len(MARKS)], markerfacecolor="none",
                color=COLOURS[at % len(COLOURS)], label=f"{one.part}: share of its weights",
            )  # fmt: skip
    ax.axvline(0, color=NEUTRAL, linestyle=":")
    ax.set_yticks(range(len(relations)), relations, fontsize=8)
    ax.set_ylim(len(relations) - 0.5, -0.5)
    ax.set_xlabel(f"loss of {several[0].metric.shown}, and share", fontsize=8)
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure


def _weights(one: Deleted) -> Figure:
    from matplotlib.figure import Figure

    groups = _groups(one)
    table = np.stack([[one.rows.loc[rows, column].mean() for _, _, column in one.choices] for rows in groups.values()])
    figure = Figure(figsize=(0.7 * len(one.choices) + 2.2, 0.45 * len(groups) + 2.2), layout="constrained")
    ax = figure.subplots()
    ax.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(table.shape):
        ax.text(
            column, row, f"{table[row, column]:.2f}", ha="center", va="center", fontsize=8,
            color="white" if table[row, column] > 0.6 else "black",
        )  # fmt: skip
    ax.set_xticks(range(len(one.choices)), [name for _, name, _ in one.choices], rotation=30, ha="right", fontsize=8)
    ax.set_yticks(range(len(groups)), list(groups), fontsize=8)
    return figure


def _groups(one: Deleted) -> dict[str, np.ndarray]:
    """Rows of each class, by its name; all of them where samples have no class."""
    if not one.target.one_class_each:
        return {"all": np.ones(len(one.rows), bool)}
    labels = one.rows[label_columns(one.target)[0]].to_numpy(np.float64)
    return {name: labels == at for at, name in enumerate(one.target.class_names()) if (labels == at).any()}
