"""Pores of a crystal on a grid: how far each point is from the nearest atom, and how large a ball fits in and comes through."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid_molecules.crystals.crystal import Crystal, Floats
from pellucid_molecules.crystals.elements import RADII_ANGSTROM
from pellucid_molecules.crystals.images import images

SPACING_ANGSTROM = 0.5
"""Of grids, unless a cell is so large that it would take more than :data:`MOST_POINTS`."""

MOST_POINTS = 40_000

MARGIN_ANGSTROM = 5.0
"""Around a cell, at first: atoms further away matter in the middle of large pores alone."""


class Pores(NamedTuple):
    """What the pores of a crystal are like.

    Parameters
    ----------
    largest_sphere_angstrom : float
        Diameter of the largest ball that touches no atom; negative where atoms fill everything.
    centre : ndarray, shape (3,)
        Where it is, in parts of the cell's edges.
    free_path_angstrom : float
        Diameter of the largest ball that comes through: that can move from a place to the same place in another cell.
    free_fraction : ndarray, shape (radius,)
        Parts of the volume where the centre of a ball with each of :data:`PROBES_ANGSTROM` as its radius can be.
    """

    largest_sphere_angstrom: float
    centre: Floats
    free_path_angstrom: float
    free_fraction: Floats


PROBES_ANGSTROM = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def grid_shape(crystal: Crystal, spacing_angstrom: float = SPACING_ANGSTROM) -> tuple[int, int, int]:
    """Points along each edge, so that neighbours are at most so far apart; fewer where there would be too many."""
    spacing = max(spacing_angstrom, (crystal.volume_angstrom3 / MOST_POINTS) ** (1 / 3))
    a, b, c = (max(4, int(np.ceil(length / spacing))) for length in crystal.parameters[:3])
    return a, b, c


def surface_distance(crystal: Crystal, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """How far each point of a grid is from the surface of the nearest atom, in angstrom; negative inside an atom.

    Parameters
    ----------
    crystal : Crystal
    shape : (int, int, int)
        Points along each edge of the cell, the first one at 0.
    """
    return distance_at(crystal, grid_fractions(shape)).reshape(shape)


def grid_fractions(shape: tuple[int, int, int]) -> Floats:
    """Points of a grid in parts of the cell's edges, shape (point, 3)."""
    return np.stack(np.meshgrid(*(np.arange(n) / n for n in shape), indexing="ij"), -1).reshape(-1, 3)


def distance_at(crystal: Crystal, fractions: Floats) -> npt.NDArray[np.float32]:
    """:func:`surface_distance` at some places of the cell, shape (place,)."""
    radii = RADII_ANGSTROM[crystal.numbers]
    points = fractions % 1.0 @ crystal.cell
    found = np.full(len(points), np.inf)
    margin, left = MARGIN_ANGSTROM, np.arange(len(points))
    while len(left):
        found[left] = _nearest(crystal, points[left], margin, radii)
        # An atom outside the margin is further than it from every point of the cell.
        left = left[found[left] > margin - radii.max()]
        margin *= 2
    return found.astype(np.float32)


def _nearest(crystal: Crystal, points: Floats, margin: float, radii: Floats) -> Floats:
    from scipy.spatial import cKDTree

    around = images(crystal, margin)
    best = np.full(len(points), np.inf)
    of = radii[around.of]
    for radius in np.unique(radii):
        distance, _ = cKDTree(around.positions[of == radius]).query(points, distance_upper_bound=margin + 1e-9)
        best = np.minimum(best, distance - radius)
    return best


def pores(crystal: Crystal) -> Pores:
    """Pores as a grid of half an angstrom shows them.

    The largest ball is a little too small, and the largest that comes through too, by up to half the grid's spacing: no point need
    lie in the middle. Steps go along the grid's axes.
    """
    distance = surface_distance(crystal, grid_shape(crystal))
    at = np.unravel_index(int(distance.argmax()), distance.shape)
    return Pores(
        2 * float(distance.max()),
        np.array(at) / distance.shape,
        2 * free_path_radius(distance),
        np.array([float((distance >= radius).mean()) for radius in PROBES_ANGSTROM]),
    )


def free_path_radius(distance: npt.NDArray[np.floating]) -> float:
    """Largest value that a path through a periodic grid keeps to, from a point to the same point in another cell.

    Parameters
    ----------
    distance : ndarray, shape (a, b, c)

    Examples
    --------
    A tunnel along the first axis that is as wide as its narrowest point:

    >>> grid = np.full((4, 5, 5), -1.0)
    >>> grid[:, 2, 2] = [3.0, 2.0, 1.5, 2.0]
    >>> round(free_path_radius(grid), 3)
    1.5
    """
    values = np.unique(distance)
    low, high = 0, len(values) - 1
    if comes_through(distance >= values[high]):
        return float(values[high])
    # The smallest value lets everything through.
    for _ in range(64):
        if high - low <= 1:
            break
        middle = (low + high) // 2
        low, high = (middle, high) if comes_through(distance >= values[middle]) else (low, middle)
    return float(values[low])


def comes_through(open_: npt.NDArray[np.bool_]) -> bool:
    """Whether open points of a periodic grid join a point with the same point in another cell."""
    from scipy.ndimage import label

    parts, count = label(open_)
    if not count:
        return False
    # Each part is a vertex; where parts meet over a face of the cell an edge says so, with the cell that is entered.
    parent = np.arange(count + 1)
    shift = np.zeros((count + 1, 3), int)

    def root(one: int) -> tuple[int, npt.NDArray[np.int_]]:
        total = np.zeros(3, int)
        while parent[one] != one:
            total = total + shift[one]
            one = int(parent[one])
        return one, total

    for axis in range(3):
        last, first = np.take(parts, -1, axis).ravel(), np.take(parts, 0, axis).ravel()
        both = (last > 0) & (first > 0)
        step = np.eye(3, dtype=int)[axis]
        for one, other in np.unique(np.stack([last[both], first[both]], 1), axis=0).tolist():
            (top, to_one), (bottom, to_other) = root(one), root(other)
            # Places of parts, seen from their root; the other lies a cell further along this axis.
            gap = to_one + step - to_other
            if top == bottom:
                if gap.any():
                    return True
                continue
            parent[bottom], shift[bottom] = top, gap
    return False
