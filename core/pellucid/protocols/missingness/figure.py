"""Figures of inputs that are missing, and of what inputs are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.result import Result
from pellucid.views.drawing import COLOURS, MARKS, NEUTRAL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = {"nothing": "nothing missing", "same": "missing as in training", "flipped": "missing the other way round"}


def drawn(rows: pd.DataFrame, results: Sequence[Result], bars: str) -> dict[str, Figure]:
    """AUROC of each part under each pattern, with a bar for its oracle."""
    from matplotlib.figure import Figure

    parts = list(dict.fromkeys(result.part for result in results))
    if not parts:
        return {}
    figure = Figure(figsize=(7.2, 0.55 * len(parts) + 1.6), layout="constrained")
    ax = figure.subplots()
    for at, (pattern, label) in enumerate(SHOWN.items()):
        some = [result for result in results if result.metric == f"auroc_{pattern}_missing"]
        height = np.array([parts.index(result.part) for result in some]) + (at - 1) * 0.2
        ends = np.array([[r.value - r.low, r.high - r.value] for r in some]).T
        ax.errorbar(
            [result.value for result in some], height, xerr=np.nan_to_num(ends).clip(min=0), fmt=MARKS[at],
            color=COLOURS[at], label=label, capsize=2,
        )  # fmt: skip
        if at == 0:
            oracle = [result.baseline for result in some]
            ax.vlines(oracle, height - 0.15, height + 0.55, colors=NEUTRAL, label="learnt with nothing missing")
    ax.axvline(0.5, color=NEUTRAL, linestyle=":", label="chance")
    ax.set_yticks(range(len(parts)), parts)
    ax.set_ylim(len(parts) - 0.4, -0.6)
    ax.set_xlim(0, 1)
    ax.set_xlabel("AUROC")
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    name = ", ".join(f"“{one}”" for one in dict.fromkeys(rows["input"]))
    caption = (
        f"Models that have learnt while {name} was missing by label: AUROC where nothing is missing, where it is missing by "
        "the same rule, and by the rule turned round. The further apart the last two, the more a model goes by who lacks "
        f"what. Bars: {bars}."
    )
    return {caption: figure}


def worths(results: Sequence[Result], bars: str) -> dict[str, Figure]:
    """What each input adds in each part, with the spread over orders as the interval of a second, thinner bar."""
    from matplotlib.figure import Figure

    some = [result for result in results if result.metric.startswith("importance:")]
    if not some:
        return {}
    spread = {(r.part, r.metric.partition(":")[2]): r.value for r in results if r.metric.startswith("importance_sd:")}
    figure = Figure(figsize=(7.2, 0.4 * len(some) + 1.2), layout="constrained")
    ax = figure.subplots()
    for at, result in enumerate(some):
        sd = spread[result.part, result.metric.partition(":")[2]]
        ax.hlines(at, result.value - sd, result.value + sd, colors=NEUTRAL, linewidth=5, alpha=0.5)
        ax.errorbar(
            [result.value], [at], xerr=np.nan_to_num([[result.value - result.low], [result.high - result.value]]).clip(min=0),
            fmt="o", color=COLOURS[0], capsize=2,
        )  # fmt: skip
    ax.axvline(0, color=NEUTRAL, linestyle=":")
    ax.set_yticks(range(len(some)), [f"{r.part}: {r.metric.partition(':')[2]}" for r in some])
    ax.set_ylim(len(some) - 0.5, -0.5)
    ax.set_xlabel("what reading the input adds to the score")
    caption = (
        f"What each input adds to the score when it is read, averaged over orders of reading. Thin bars: {bars}. "
        "Thick grey bars: one standard deviation over orders; where they are wide, inputs say the same."
    )
    return {caption: figure}
