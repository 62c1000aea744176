"""Maps of features over places, from the rows of ``spatial-autocorrelation``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid.protocols.audited import told
from pellucid.views.patterns import Grid, draw_pattern, draw_scatter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def maps_of(rows: pd.DataFrame, shown: Sequence[int], coordinates: tuple[str, ...], *, north_up: bool) -> Figure:
    """Mean codes over places, a panel a feature.

    Parameters
    ----------
    rows : DataFrame
        Of one part and fold of ``spatial-autocorrelation``.
    shown : sequence of int
        Features whose maps it holds.
    coordinates : tuple of str
        Names of the axes where places have coordinates.
    north_up : bool
        They are latitude and longitude.
    """
    from matplotlib.figure import Figure

    maps, i, where = (np.array(told(rows, name)[0], float) for name in ("maps", "i", "where"))
    maps = maps.reshape(len(shown), -1)
    where = where.reshape(maps.shape[1], -1)
    (kept,) = told(rows, "grid")
    grid = Grid.from_json(kept) if kept else None
    across = min(len(shown), 3)
    down = -(-len(shown) // across)
    width, height = (2.7, 2.3) if grid is None else grid.size_in
    figure = Figure(figsize=(min(width, 2.9) * across, (height + 0.25) * down), layout="constrained")
    for ax, feature, values in zip(figure.subplots(down, across, squeeze=False).ravel(), shown, maps, strict=False):
        if grid is None:
            # A map has north up.
            turned = slice(None, None, -1) if north_up else slice(None)
            draw_scatter(ax, values, where[:, turned], coordinates[turned])
        else:
            whole = np.full(int(np.prod(grid.shape)), np.nan)
            whole[where[:, 0].astype(int)] = values
            draw_pattern(ax, whole, grid)
        said = f"f{feature}: I {i[feature]:.2f}"
        ax.set_title(", ".join(filter(None, [said, ax.get_title()])), fontsize=9)
    for ax in figure.axes[len(shown) : down * across]:
        ax.set_axis_off()
    return figure
