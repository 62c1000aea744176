"""Nodes that move: where they go, and what the rate of events of a pair is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.views.drawing import INK, LOWERS, NEUTRAL, RAISES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pellucid.encoders.rates import NodePaths
    from pellucid.views.contract import Shown

FINE = 400
"""Times at which a curve is drawn."""

NAMED = 30
"""Where there are more nodes, their names would hide their paths."""

MOMENTS = 5
"""Times at which the two nodes of a pair are joined by a line."""

BARS = 0.4
"""Height of the tallest bar of events, as a share of the picture's."""


def node_paths(ax: Axes, values: np.ndarray, spec: Any, shown: Shown) -> None:
    """Draw where the two nodes of a pair go among those that come near them, and what their rate of events is made of over time.

    Parameters
    ----------
    ax : Axes
    values : ndarray of int, shape (2,)
    spec : Nodes
        With two roles of one type.
    shown : Shown
        ``network`` holds the paths; see :func:`pellucid.attribution.network.network_around`. Among ``beside``, an array of counts in
        bins is drawn under the rate: its first row, NaN where a bin is hidden.
    """
    ax.set_axis_off()
    ax.set_title(shown.caption, fontsize=8, pad=12)
    names = spec.names[spec.types[0]]
    if "places" not in shown.network:
        told = " and ".join(names[int(node)] for node in values)
        ax.text(0.5, 0.5, f"{told}\n(no paths known)", ha="center", va="center", fontsize=8, transform=ax.transAxes)
        return
    paths = paths_of(shown.network, tuple(names[int(node)] for node in shown.network["nodes"]))
    # Two pictures below each other: side by side, each would be too small for its names.
    plane, rate = ax.inset_axes((0.02, 0.5, 0.96, 0.5)), ax.inset_axes((0.1, 0.06, 0.78, 0.32))
    draw_paths(plane, paths, pair=(0, 1))
    plane.set_title("")
    counts = next(
        (one[0] for one in shown.beside.values() if one.ndim == 2 and one.shape[1] == len(paths.times) - 1), None
    )
    draw_log_rate(rate, paths, (0, 1), counts)
    rate.set_title("")
    rate.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=6.5, frameon=False)
    rate.set_xlabel("time, 1: the whole", fontsize=7)
    rate.tick_params(labelsize=7)


def paths_in_words(network: Any, names: Sequence[str]) -> str:
    """What the picture shows, for who cannot see it."""
    paths = paths_of({**network, "places": network["places"][:, :2], "levels": network["levels"][:2]}, names)
    far = paths.distance(0, 1, np.array([paths.times[0], paths.times[-1]]))
    told = f"paths of {names[0]} and {names[1]}: {far[0]:.2g} apart at the beginning, {far[1]:.2g} at the end"
    nearest = paths.nearest(0, 1)
    return f"{told}, nearest at {nearest:.2g} of the time ({float(paths.distance(0, 1, nearest)):.2g})"


def paths_of(network: Any, names: Sequence[str]) -> NodePaths:
    """Paths from the arrays that a view is given."""
    from pellucid.encoders.rates import NodePaths

    times, places, levels = (np.asarray(network[name], np.float64) for name in ("times", "places", "levels"))
    return NodePaths(times, places, levels, tuple(names))


def draw_paths(ax: Axes, paths: NodePaths, pair: tuple[int, int] | None = None) -> None:
    """Draw where nodes go, from dark to bright in time; of more than two dimensions the two in which they spread most.

    Parameters
    ----------
    ax : Axes
    paths : NodePaths
    pair : (int, int), optional
        Drawn strongly, with lines that join the two at some moments; the others are pale then.
    """
    from matplotlib.collections import LineCollection

    places = in_two(paths.places)
    for node, name in enumerate(paths.names):
        way, strong = places[:, node], pair is None or node in pair
        if strong:
            width = 1.2 if pair is None else 2.2
            lines = LineCollection(
                list(np.stack([way[:-1], way[1:]], axis=1)), cmap="viridis", linewidth=width, alpha=0.8
            )
            lines.set_array(paths.times[:-1])
            ax.add_collection(lines)
        else:
            ax.plot(*way.T, color="0.8", linewidth=0.8, zorder=0)
        ax.plot(
            way[-1, 0],
            way[-1, 1],
            "o",
            markersize=3 if pair is None else 5 if strong else 2,
            color="0.2" if strong else "0.7",
        )
        if pair is not None and strong:
            if not np.allclose(way, way[0]):
                ax.plot(way[0, 0], way[0, 1], "o", markersize=5, color="white", markeredgecolor="0.2")
            right = way[-1, 0] >= places[-1, list(pair), 0].mean()
            ax.annotate(
                name[:24], way[-1], xytext=(5 if right else -5, 0), textcoords="offset points", fontsize=7.5, va="center",
                ha="left" if right else "right", fontweight="bold",
            )  # fmt: skip
        elif pair is None and len(paths.names) <= NAMED:
            ax.text(way[-1, 0], way[-1, 1], f" {name[:16]}", fontsize=5)
    if pair is not None:
        _joined(ax, paths, places, pair)
    ax.autoscale_view()
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_title("paths", fontsize=8)


def _joined(ax: Axes, paths: NodePaths, places: np.ndarray, pair: tuple[int, int]) -> None:
    """Join two nodes at some moments, and say what the marks are."""
    if np.ptp(places[:, list(pair)], axis=0).any():
        for time in np.linspace(paths.times[0], paths.times[-1], MOMENTS)[1:-1]:
            one, other = places[int(np.abs(paths.times - time).argmin()), list(pair)]
            ax.plot([one[0], other[0]], [one[1], other[1]], "o:", color="0.35", markersize=2.5, linewidth=0.9, zorder=3)
        ax.set_xlabel(
            "dark: beginning, bright: end; dotted: both at a quarter, half and three quarters",
            fontsize=6.5,
            color=NEUTRAL,
        )
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.margins(0.1)


def draw_log_rate(ax: Axes, paths: NodePaths, pair: tuple[int, int], events: np.ndarray | None) -> None:
    """Draw what a pair's log-rate is the sum of, over the events it had.

    Parameters
    ----------
    ax : Axes
    paths : NodePaths
    pair : (int, int)
    events : ndarray, shape (bin,), optional
        NaN where a bin is hidden.
    """
    grid = np.linspace(paths.times[0], paths.times[-1], FINE)
    parts = paths.log_rate(*pair, grid)
    level = parts["one"] + parts["other"]
    ax.plot(grid, level, "--", color=NEUTRAL, label="levels of both")
    ax.plot(grid, parts["distance"], ":", color=LOWERS, label="-distance squared")
    ax.plot(grid, level + parts["distance"], color=RAISES, label="log-rate, their sum")
    if events is not None:
        _bars(ax, paths.times, events)
    ax.set_title(f"{paths.names[pair[0]][:16]} and {paths.names[pair[1]][:16]}", fontsize=8)
    ax.legend(fontsize=6, labelcolor=INK)


def _bars(ax: Axes, times: np.ndarray, events: np.ndarray) -> None:
    """Counts as bars along the lower edge of an axis that measures something else; how many the tallest are is said."""
    along, middles, widths = ax.get_xaxis_transform(), (times[1:] + times[:-1]) / 2, np.diff(times)
    hidden, most = np.isnan(events), float(np.nan_to_num(events).max())
    if most:
        label = f"events, at most {most:.0f} in a bin"
        ax.bar(
            middles,
            BARS * np.nan_to_num(events) / most,
            width=widths,
            color="0.82",
            transform=along,
            zorder=0,
            label=label,
        )
    if hidden.any():
        hatched: dict[str, Any] = {
            "facecolor": "none",
            "edgecolor": "0.75",
            "hatch": "///",
            "linewidth": 0.0,
            "zorder": 0,
        }
        ax.bar(middles[hidden], np.full(hidden.sum(), BARS), widths[hidden], transform=along, label="hidden", **hatched)


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
