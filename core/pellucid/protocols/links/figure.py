"""A pair and the known links that its score rests on, as a small bipartite graph."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = 6
"""Known links that are drawn of a pair, the strongest."""

RAISES, LOWERS = "#d55e00", "#0072b2"


def drawn(rows: pd.DataFrame) -> dict[str, Figure]:
    """One figure a part with a pair in each panel, by caption; none of parts whose encoders know no links."""
    from matplotlib.figure import Figure

    figures = {}
    for part, some in rows[rows["support"] != ""].groupby("part", sort=False):
        told = [
            one
            for one in map(json.loads, some.sort_values("score", ascending=False)["support"])
            if one["links"]["change"]
        ]
        if not told:
            continue
        figure = Figure(figsize=(7.2, 2.5 * len(told)), layout="constrained")
        for ax, one in zip(figure.subplots(len(told), squeeze=False)[:, 0], told, strict=True):
            bipartite(ax, one)
        figures[
            f"Likeliest pairs of “{part}” without an observed link, and the known links that they rest on (orange raises the score, "
            "blue lowers it; numbers: by how much it falls without that link)"
        ] = figure
    return figures


def bipartite(ax: Axes, told: dict[str, Any]) -> None:
    """Draw a pair (broken line) and the known links of its two nodes that count most (solid lines).

    Parameters
    ----------
    ax : Axes
    told : dict
        ``roles``, ``pair`` (names) and ``links``: columns of
        :func:`~pellucid.protocols.links.hidden.neighbour_attribution`.
    """
    one, other = told["roles"]
    links = list(zip(told["links"][one], told["links"][other], told["links"]["change"], strict=True))[:LINES]
    sides = []
    for at, name in enumerate(told["pair"]):
        rest = dict.fromkeys(link[at] for link in links if link[at] != name)
        sides.append([name, *rest])
    places = [{name: -row for row, name in enumerate(side)} for side in sides]
    strongest = max((abs(change) for *_, change in links), default=1.0) or 1.0
    ax.plot([0, 1], [0, 0], color="0.5", linestyle="--", linewidth=1.2)
    for first, second, change in links:
        ends = places[0][first], places[1][second]
        colour = RAISES if change > 0 else LOWERS
        ax.plot([0, 1], ends, color=colour, linewidth=0.8 + 2.2 * abs(change) / strongest)
    for at, (side, align) in enumerate(zip(sides, ("right", "left"), strict=True)):
        changes = {link[at]: link[2] for link in links if link[at] != told["pair"][at]}
        for name in side:
            own = name == told["pair"][at]
            said = name[:40] if own else f"{name[:40]} ({changes[name]:+.2f})"
            ax.text(at + (0.03 if at else -0.03), places[at][name], said, ha=align, va="center", fontsize=8,
                    fontweight="bold" if own else "normal")  # fmt: skip
    ax.set_xlim(-0.9, 1.9)
    ax.set_ylim(-max(map(len, sides)) + 0.4, 0.7)
    ax.set_title(f"{told['pair'][0]} and {told['pair'][1]}", fontsize=9)
    ax.axis("off")
