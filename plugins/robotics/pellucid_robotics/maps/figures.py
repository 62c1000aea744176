"""A map beside the maze it was read in, and a way on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.protocols.audited import told
from pellucid.protocols.base import Context
from pellucid.views.drawing import COLOURS, INK, MARKS
from pellucid_robotics.maps.agreement import places_of
from pellucid_robotics.maps.cognitive_map import CognitiveMap
from pellucid_robotics.maps.mazes import Maze, Whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DRAWN = 400
"""Places of a maze that can still be told apart in a picture; of a larger one nothing is drawn."""


def drawing(found: CognitiveMap, nodes: Whole, places: Whole, maze: Maze, path: Sequence[int]) -> dict[str, Any] | None:
    """What the figure needs, as plain values; None for a maze of too many places.

    Parameters
    ----------
    found : CognitiveMap
    nodes, places : ndarray of int64, shape (walk, step)
        Of the training walks.
    maze : Maze
    path : sequence of int
        Places of a way, from its start to its goal.
    """
    if len(maze) > MOST_DRAWN:
        return None
    known = nodes >= 0
    uses = np.bincount(nodes[known], minlength=len(found))
    middle = np.column_stack(
        [np.bincount(nodes[known], maze.at[places[known], axis], len(found)) / np.maximum(uses, 1) for axis in (0, 1)]
    )
    _, often = places_of(nodes, places, len(found))
    return {
        "observations": list(maze.observations),
        "maze": {"at": maze.at.tolist(), "seen": maze.seen.tolist(), "edges": maze.edges[:, [0, 2]].tolist()},
        "map": {
            "at": np.round(middle, 4).tolist(),
            "seen": found.seen.tolist(),
            "edges": found.edges[:, [0, 2]].tolist(),
            "uses": uses.tolist(),
            "pure": np.round(often / np.maximum(uses, 1), 4).tolist(),
        },
        "path": list(path),
    }


def drawn(rows: pd.DataFrame, context: Context) -> dict[str, Figure]:
    """One figure a part, by caption."""
    from matplotlib.figure import Figure

    figures = {}
    for part, own in context.own_rows(rows):
        pictures = told(own, "drawing")
        if not pictures or pictures[0] is None:
            continue
        one = pictures[0]
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        path = np.array(one["maze"]["at"])[one["path"]]
        draw_graph(left, one["maze"], one["observations"], path, "the maze")
        draw_graph(right, one["map"], one["observations"], path, f"the map: {len(one['map']['at'])} nodes")
        caption = (
            f"“{part}”, first fold: the maze, and the map that was read from codes of the {context.several} learnt from. A node stands at "
            "the mean place of its codes, and is the larger the more often it was used; colour and mark say what is seen; a pale rim "
            "where less than nine of ten steps were at one place. The line is the farthest way that was planned and arrived"
        )
        figures[caption] = figure
    return figures


def draw_graph(ax: Axes, graph: Mapping[str, Any], observations: Sequence[str], path: np.ndarray, title: str) -> None:
    """Nodes with marks for what is seen there, edges between them, and a way."""
    at, seen = np.array(graph["at"], float).reshape(-1, 2), np.array(graph["seen"], int)
    pairs = {tuple(sorted(one)) for one in graph["edges"]}
    for one, other in sorted(pairs):
        ax.plot(*at[[one, other]].T, color="#9aa0a6", linewidth=0.8, zorder=1)
    uses = np.array(graph.get("uses", np.ones(len(at))), float)
    sizes = 40 + 60 * np.sqrt(uses / max(uses.max(initial=0), 1))
    rims = [INK if pure >= 0.9 else "#c9ced6" for pure in graph.get("pure", np.ones(len(at)))]
    for level in np.unique(seen):
        here = np.flatnonzero(seen == level)
        ax.scatter(
            at[here, 0], at[here, 1], s=sizes[here], color=COLOURS[level % len(COLOURS)], marker=MARKS[level % len(MARKS)], zorder=3,
            edgecolors=[rims[node] for node in here], linewidths=0.8,
            label=observations[level] if len(observations) <= 12 else None,
        )  # fmt: skip
    if len(path) > 1:
        ax.plot(*path.T, color=INK, linewidth=2.5, alpha=0.55, zorder=2)
        ax.annotate("", path[-1], path[-2], arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 2.5}, zorder=2)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(title, fontsize=9)
    if len(observations) <= 12 and len(seen):
        ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=6, frameon=False)
