"""A picture of equations: each term's coefficient with its range, beside the true one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12
"""Terms of an equation that are drawn: those that are true or were kept first, then those that some members keep."""

COLUMNS = 3


def drawn(facts: Mapping[str, Any]) -> Figure:
    """One panel an equation.

    Parameters
    ----------
    facts : mapping
        ``terms``, ``outputs``, and ``found``, ``low``, ``high``, ``inclusion`` of shape (output, term); ``true`` too, where it is known.
    """
    from matplotlib.figure import Figure

    outputs = facts["outputs"]
    chosen = [_shown(facts, at) for at in range(len(outputs))]
    columns = min(len(outputs), COLUMNS)
    rows = -(-len(outputs) // columns)
    height = 0.9 + 0.28 * max(len(one) for one in chosen)
    figure = Figure(figsize=(3.1 * columns, height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(outputs) :]:
        panel.set_axis_off()
    for at, (panel, output, terms) in enumerate(zip(panels, outputs, chosen, strict=False)):
        place = np.arange(len(terms))[::-1]
        low, high, found = (facts[name][at][terms] for name in ("low", "high", "found"))
        panel.hlines(place, low, high, color="0.6", lw=2)
        panel.plot(found, place, "o", ms=4, color="C0")
        if "true" in facts:
            panel.plot(facts["true"][at][terms], place, "o", ms=9, mfc="none", color="C1")
        panel.axvline(0, color="0.8", lw=0.8, zorder=0)
        panel.set_yticks(place, [facts["terms"][term] for term in terms])
        panel.set_ylim(-0.7, len(terms) - 0.3)
        panel.margins(x=0.25)
        for where, sure in zip(place, facts["inclusion"][at][terms], strict=True):
            panel.annotate(
                f"{sure:.2f}", (1.0, where), xycoords=("axes fraction", "data"), xytext=(-2, 0), textcoords="offset points",
                ha="right", va="center", fontsize=7, color="0.4",
            )  # fmt: skip
        panel.set_title(output, fontsize=9)
        panel.tick_params(labelsize=8)
    return figure


def _shown(facts: Mapping[str, Any], at: int) -> np.ndarray:
    """Positions of the terms of one equation that are drawn, at least one."""
    surely = facts["found"][at] != 0
    if "true" in facts:
        surely = surely | (facts["true"][at] != 0)
    order = np.lexsort((-facts["inclusion"][at], ~surely))
    count = int((surely | (facts["inclusion"][at] > 0)).sum())
    return np.sort(order[: max(1, min(count, MOST))])
