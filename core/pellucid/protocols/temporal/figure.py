"""Paths of nodes in a plane, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pellucid.encoders.rates import NodePaths
from pellucid.protocols.audited import told
from pellucid.views.paths import FINE, draw_log_rate, draw_paths, paths_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAIRS = 3
"""Whose distance is drawn: those that change the most."""


def drawn(rows: pd.DataFrame) -> dict[str, Figure]:
    """One figure for each part whose nodes have paths that move, by caption."""
    figures = {}
    for part, some in rows.groupby("part", sort=False):
        kept = [one for one in told(some, "paths") if paths_of(one, one["names"]).speeds.any()]
        if not kept:
            continue
        paths = paths_of(kept[0], kept[0]["names"])
        figures[
            f"“{part}”, first fold: paths of all nodes from dark (the beginning) to bright (the end); distances of the pairs that change "
            "the most; of one training pair, what its log-rate is made of and its events; and how much all nodes turn at each edge of "
            "bins, with outlying turns marked"
        ] = four_views(paths, kept[0]["pair"], np.array(kept[0]["events"]))
    return figures


def four_views(paths: NodePaths, pair: list[int], events: np.ndarray) -> Figure:
    """Paths, distances, parts of a log-rate, and turns.

    Parameters
    ----------
    paths : NodePaths
    pair : list of int
        Of which the log-rate is taken apart.
    events : ndarray, shape (bin,)
        Of that pair.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 6.4), layout="constrained")
    (in_plane, far), (parts, turning) = figure.subplots(2, 2)
    draw_paths(in_plane, paths)
    draw_distances(far, paths, most_changing(paths))
    draw_log_rate(parts, paths, (pair[0], pair[1]), events)
    draw_turns(turning, paths)
    for ax in (far, parts, turning):
        ax.set_xlabel("time, 1: the whole", fontsize=7)
    for ax in (in_plane, far, parts, turning):
        ax.tick_params(labelsize=7)
    return figure


def most_changing(paths: NodePaths) -> list[tuple[int, int]]:
    """The pairs of nodes whose distance changes the most, the first :data:`PAIRS`."""
    one, other = np.triu_indices(paths.places.shape[1], 1)
    far = np.linalg.norm(paths.places[:, one] - paths.places[:, other], axis=-1)
    order = np.argsort(-np.ptp(far, axis=0), kind="stable")[:PAIRS]
    return [(int(one[at]), int(other[at])) for at in order]


def draw_distances(ax: Axes, paths: NodePaths, pairs: list[tuple[int, int]]) -> None:
    """Draw how far pairs are from each other over time."""
    grid = np.linspace(0, 1, FINE)
    for (one, other), style in zip(pairs, ("-", "--", ":"), strict=False):
        ax.plot(
            grid, paths.distance(one, other, grid), style, label=f"{paths.names[one][:16]}, {paths.names[other][:16]}"
        )
    ax.set_title("distance", fontsize=8)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=6)


def draw_turns(ax: Axes, paths: NodePaths) -> None:
    """Draw how much velocities change at each edge between two bins, and mark outlying changes."""
    ax.plot(paths.times[1:-1], paths.turns, color="0.3", linewidth=1)
    for time in paths.changes():
        ax.axvline(time, color="#d55e00", linestyle="--", linewidth=0.8)
    ax.set_title("turns of all nodes", fontsize=8)
    ax.set_ylim(bottom=0)
