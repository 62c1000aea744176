"""Paths of nodes in a plane, and what follows from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.encoders.rates import Trajectories

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FINE = 400
"""Times at which a curve is drawn."""

NAMED = 30
"""Where there are more nodes, their names would hide their paths."""

PAIRS = 3
"""Whose distance is drawn: those that change the most."""


def drawn(rows: pd.DataFrame) -> dict[str, Figure]:
    """One figure for each part whose nodes have paths that move, by caption."""
    figures = {}
    for part, some in rows[rows["paths"] != ""].groupby("part", sort=False):
        told = json.loads(some["paths"].iloc[0])
        paths = paths_of(told)
        if not paths.speeds.any():
            continue
        figures[
            f"“{part}”, first fold: paths of all nodes from dark (the beginning) to bright (the end); distances of the pairs that change "
            "the most; of one training pair, what its log-rate is made of and its events; and how much all nodes turn at each edge of "
            "bins, with outlying turns marked"
        ] = four_views(paths, told["pair"], np.array(told["events"]))
    return figures


def paths_of(told: dict[str, Any]) -> Trajectories:
    """Paths from plain values."""
    times, places, levels = (np.array(told[name]) for name in ("times", "places", "levels"))
    return Trajectories(times, places, levels, tuple(told["names"]))


def four_views(paths: Trajectories, pair: list[int], events: np.ndarray) -> Figure:
    """Paths, distances, parts of a log-rate, and turns.

    Parameters
    ----------
    paths : Trajectories
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


def most_changing(paths: Trajectories) -> list[tuple[int, int]]:
    """The pairs of nodes whose distance changes the most, the first :data:`PAIRS`."""
    one, other = np.triu_indices(paths.places.shape[1], 1)
    far = np.linalg.norm(paths.places[:, one] - paths.places[:, other], axis=-1)
    order = np.argsort(-np.ptp(far, axis=0), kind="stable")[:PAIRS]
    return [(int(one[at]), int(other[at])) for at in order]


def draw_paths(ax: Axes, paths: Trajectories) -> None:
    """Draw where nodes go, coloured by time; of more than two dimensions the two in which they spread most."""
    from matplotlib.collections import LineCollection

    places = in_two(paths.places)
    for node, name in enumerate(paths.names):
        way = places[:, node]
        lines = LineCollection(list(np.stack([way[:-1], way[1:]], axis=1)), cmap="viridis", linewidth=1.2, alpha=0.8)
        lines.set_array(paths.times[:-1])
        ax.add_collection(lines)
        ax.plot(way[-1, 0], way[-1, 1], "o", markersize=3, color="0.2")
        if len(paths.names) <= NAMED:
            ax.text(way[-1, 0], way[-1, 1], f" {name[:16]}", fontsize=5)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_title("paths", fontsize=8)


def draw_distances(ax: Axes, paths: Trajectories, pairs: list[tuple[int, int]]) -> None:
    """Draw how far pairs are from each other over time."""
    grid = np.linspace(0, 1, FINE)
    for (one, other), style in zip(pairs, ("-", "--", ":"), strict=False):
        ax.plot(
            grid, paths.distance(one, other, grid), style, label=f"{paths.names[one][:16]}, {paths.names[other][:16]}"
        )
    ax.set_title("distance", fontsize=8)
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=6)


def draw_log_rate(ax: Axes, paths: Trajectories, pair: tuple[int, int], events: np.ndarray) -> None:
    """Draw what a pair's log-rate is the sum of, over the events it had."""
    grid = np.linspace(0, 1, FINE)
    parts = paths.log_rate(*pair, grid)
    level = parts["one"] + parts["other"]
    ax.plot(grid, level, "--", color="0.4", label="levels of both")
    ax.plot(grid, parts["distance"], ":", color="#0072b2", label="-distance squared")
    ax.plot(grid, level + parts["distance"], color="#d55e00", label="log-rate")
    beside = ax.twinx()
    middles = (paths.times[1:] + paths.times[:-1]) / 2
    beside.bar(middles, events, width=np.diff(paths.times), color="0.85", zorder=0)
    beside.set_ylabel("events", fontsize=7)
    beside.tick_params(labelsize=7)
    ax.set_zorder(beside.get_zorder() + 1)
    ax.patch.set_visible(False)
    ax.set_title(f"{paths.names[pair[0]][:16]} and {paths.names[pair[1]][:16]}", fontsize=8)
    ax.legend(fontsize=6)


def draw_turns(ax: Axes, paths: Trajectories) -> None:
    """Draw how much velocities change at each edge between two bins, and mark outlying changes."""
    ax.plot(paths.times[1:-1], paths.turns, color="0.3", linewidth=1)
    for time in paths.changes():
        ax.axvline(time, color="#d55e00", linestyle="--", linewidth=0.8)
    ax.set_title("turns of all nodes", fontsize=8)
    ax.set_ylim(bottom=0)


def in_two(places: np.ndarray) -> np.ndarray:
    """Places in the two directions in which they spread most, shape (time, node, 2); as they are where there are two."""
    width = places.shape[-1]
    if width == 1:
        return np.concatenate([places, np.zeros_like(places)], axis=-1)
    if width == 2:
        return places
    centred = places - places.mean((0, 1))
    _, _, axes = np.linalg.svd(centred.reshape(-1, width), full_matrices=False)
    return np.asarray(centred @ axes[:2].T)
