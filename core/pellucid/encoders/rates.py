"""Paths that nodes take over time, of encoders that know how often events between two nodes happen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OUTLYING = 6.0
"""Median absolute deviations above the median at which a turn of all nodes together counts as a change."""


@dataclass(frozen=True, eq=False)
class NodePaths:
    """Where nodes are in a plane (or another space) over time, and how much each takes part in events.

    The logarithm of the rate of two nodes is ``levels[i] + levels[j] - distance^2``. Only distances mean anything: the whole may be
    shifted, turned and mirrored, see :meth:`aligned`.

    Parameters
    ----------
    times : ndarray, shape (time,)
        Edges of the bins, from 0 to 1; between them nodes move straight.
    places : ndarray, shape (time, node, dimension)
    levels : ndarray, shape (node,)
        Log-rate that a node brings to all its pairs, for the whole of time.
    names : tuple of str
        Of the nodes.
    """

    times: np.ndarray
    places: np.ndarray
    levels: np.ndarray
    names: tuple[str, ...]

    def at(self, time: np.ndarray | float) -> np.ndarray:
        """Places at some times between 0 and 1, shape of the times and then (node, dimension)."""
        when = np.asarray(time, np.float64)
        bins = np.clip(np.searchsorted(self.times, when, side="right") - 1, 0, len(self.times) - 2)
        share = (when - self.times[bins]) / (self.times[bins + 1] - self.times[bins])
        return np.asarray(self.places[bins] + share[..., None, None] * (self.places[bins + 1] - self.places[bins]))

    def distance(self, one: int, other: int, time: np.ndarray | float) -> np.ndarray:
        """How far two nodes are from each other, of the shape of the times."""
        where = self.at(time)
        return np.asarray(np.linalg.norm(where[..., one, :] - where[..., other, :], axis=-1))

    def log_rate(self, one: int, other: int, time: np.ndarray | float) -> dict[str, np.ndarray]:
        """What the logarithm of a pair's rate is made of: ``one``, ``other`` (their levels) and ``distance`` (its square, negative)."""
        away = -(self.distance(one, other, time) ** 2)
        return {
            "one": np.full_like(away, self.levels[one]),
            "other": np.full_like(away, self.levels[other]),
            "distance": away,
        }

    @property
    def speeds(self) -> np.ndarray:
        """How fast each node moves in each bin, in units of the plane for the whole of time, shape (bin, node)."""
        return np.asarray(np.linalg.norm(self._velocities, axis=-1))

    @property
    def turns(self) -> np.ndarray:
        """How much velocities change at each edge between two bins, root mean square over nodes, shape (bin - 1,)."""
        return np.asarray(np.sqrt(np.square(np.diff(self._velocities, axis=0)).sum(-1).mean(-1)))

    def changes(self, outlying: float = OUTLYING) -> np.ndarray:
        """Times at which nodes turn far more than is usual here: so many median absolute deviations above the median."""
        turns = self.turns
        if not len(turns):
            return np.zeros(0)
        middle = np.median(turns)
        spread = np.median(np.abs(turns - middle))
        return np.asarray(self.times[1:-1][turns > middle + outlying * max(spread, 1e-12)])

    def half_way(self, start: float = 0.0, stop: float = 1.0) -> float:
        """The first time at which the distances of all pairs are no farther from those at ``stop`` than from those at ``start``.

        When company has changed by half; to a thousandth of the time between.
        """
        grid = np.linspace(start, stop, 1001)
        upper = np.triu_indices(self.places.shape[1], 1)
        where = self.at(grid)
        distances = np.linalg.norm(where[:, upper[0]] - where[:, upper[1]], axis=-1)
        from_start, from_stop = (np.linalg.norm(distances - distances[at], axis=1) for at in (0, -1))
        return float(grid[np.flatnonzero(from_stop <= from_start)[0]])

    def nearest(self, one: int, other: int) -> float:
        """The time at which two nodes are nearest to each other, to a thousandth: when what they belong to merges or parts."""
        grid = np.linspace(self.times[0], self.times[-1], 1001)
        return float(grid[self.distance(one, other, grid).argmin()])

    def aligned(self, to: NodePaths) -> NodePaths:
        """The same paths, shifted, turned and mirrored (never stretched) to lie as near as they can to others.

        Parameters
        ----------
        to : NodePaths
            Of the same nodes, at whatever times.

        References
        ----------
        Schonemann (1966), doi:10.1007/BF02289451: the orthogonal Procrustes problem.
        """
        mine, others = self.places, to.at(self.times)
        centre, goal = mine.mean((0, 1)), others.mean((0, 1))
        width = mine.shape[-1]
        left, _, right = np.linalg.svd((mine - centre).reshape(-1, width).T @ (others - goal).reshape(-1, width))
        return NodePaths(self.times, (mine - centre) @ (left @ right) + goal, self.levels, self.names)

    @property
    def _velocities(self) -> np.ndarray:
        return np.asarray(np.diff(self.places, axis=0) / np.diff(self.times)[:, None, None])
