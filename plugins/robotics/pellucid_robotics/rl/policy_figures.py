"""Return against true steps, and the equations of next state, reward and policy with the range of each coefficient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.protocols.dynamics.equation_card import drawn as card
from pellucid.views.drawing import COLOURS, MARKS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ABOUT = ("next state", "reward", "policy")


def drawn(rows: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """Figures of the first fold of each part, by caption."""
    figures = {}
    for part, own in context.own_rows(rows):
        facts = told(own, "learning")[0]
        first = own[own["fold"] == own["fold"].min()] if "fold" in own else own
        caption = (
            f"“{part}”, first fold: mean return from the seeds of test {context.several} against true steps (the grey line is the target, "
            f"bands are the middle half of the {context.several}); dotted: actions at random"
        )
        figures[caption] = _curves(first, facts["target"])
        for what, one in zip(ABOUT, facts["equations"], strict=True):
            arrays = {name: np.array(one[name], float) for name in ("found", "low", "high", "inclusion")}
            caption = (
                f"Equations of the {what} of “{part}” in the first fold: coefficients with their 5 to 95 % range over members; numbers say "
                f"how many members keep the term. {'; '.join(one['text'])}"
            )
            figures[caption] = card({"terms": one["terms"], "outputs": one["outputs"], **arrays})
    return figures


def _curves(rows: pd.DataFrame, target: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.axhline(target, color="0.6", lw=1)
    axes.axhline(float(rows["random"].mean()), color="0.6", lw=1, ls=":")
    for at, (kind, name) in enumerate((("round", "in the equations"), ("look", "without a model"))):
        found = [column for column in rows.columns if str(column).startswith(f"{kind}:") and rows[column].notna().any()]
        found.sort(key=lambda column: int(column.partition(":")[2]))
        steps = np.array([int(column.partition(":")[2]) for column in found])
        values = rows[found].to_numpy(float)
        axes.plot(steps, values.mean(0), color=COLOURS[at], marker=MARKS[at], ms=4, label=name)
        low, high = np.quantile(values, [0.25, 0.75], axis=0)
        axes.fill_between(steps, low, high, color=COLOURS[at], alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_xlabel("true steps")
    axes.set_ylabel("return of an episode")
    axes.legend(fontsize=8)
    return figure
