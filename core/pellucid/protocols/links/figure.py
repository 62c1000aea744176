"""A pair and the known links that its score rests on, as a small bipartite graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.protocols.audited import told
from pellucid.views.network import draw_neighbourhood, from_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

WIDE = 44
"""Letters of a name that fit beside a picture of a figure's width."""


def drawn(rows: pd.DataFrame) -> dict[str, Figure]:
    """One figure a part with a pair in each panel, by caption; none of parts whose encoders know no links."""
    from matplotlib.figure import Figure

    figures = {}
    for part, some in rows.groupby("part", sort=False):
        kept = [one for of_fold in told(some, "support") for one in of_fold if one["links"]["change"]]
        if not kept:
            continue
        figure = Figure(figsize=(7.2, 2.5 * len(kept)), layout="constrained")
        for ax, one in zip(figure.subplots(len(kept), squeeze=False)[:, 0], kept, strict=True):
            around = from_columns(one["roles"], one["pair"], one["links"])
            draw_neighbourhood(ax, around, longest=WIDE)
            ax.set_title(f"{around.pair[0]} and {around.pair[1]}", fontsize=9)
        figures[
            f"Likeliest pairs of “{part}” without an observed link, and the known links that they rest on (orange, solid: raises the "
            "score; blue, broken: lowers it; numbers: by how much it falls without that link)"
        ] = figure
    return figures
