"""Atoms of neighbouring cells: who is near whom, each periodic image counted for itself."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pellucid_molecules.crystals.crystal import Crystal, Floats

Ints = npt.NDArray[np.int64]

SELF_ANGSTROM = 1e-6
"""An atom is not its own neighbour; its images are."""


class Neighbours(NamedTuple):
    """Pairs of neighbours, each in both directions.

    Parameters
    ----------
    edges : ndarray of int64, shape (edge, 2)
        From the neighbour to the atom whose neighbour it is.
    distances_angstrom : ndarray, shape (edge,)
    shifts : ndarray of int64, shape (edge, 3)
        In which cell the neighbour is, seen from the atom's.
    """

    edges: Ints
    distances_angstrom: Floats
    shifts: Ints


class Images(NamedTuple):
    """Atoms in and around a cell.

    Parameters
    ----------
    of : ndarray of int64, shape (image,)
        Which atom of the cell each is.
    shifts : ndarray of int64, shape (image, 3)
        In which cell it is.
    positions : ndarray, shape (image, 3), angstrom
    """

    of: Ints
    shifts: Ints
    positions: Floats


def images(crystal: Crystal, margin_angstrom: float) -> Images:
    """All atoms, and their images outside the cell that are nearer to one of its faces than a margin."""
    parts = margin_angstrom / crystal.heights
    reach = np.ceil(parts).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1).reshape(-1, 3)
    found = crystal.fractions[:, None] + grid
    near = ((found >= -parts) & (found <= 1 + parts)).all(-1)
    of, at = np.nonzero(near)
    return Images(of, grid[at], found[of, at] @ crystal.cell)


def neighbours(crystal: Crystal, radius_angstrom: float, nearest: int | None = None) -> Neighbours:
    """Who is within a radius of each atom, images counted for themselves; perhaps the nearest of them alone.

    Parameters
    ----------
    crystal : Crystal
        With fractions from 0 to 1.
    radius_angstrom : float
    nearest : int, optional
        How many neighbours an atom has at most. Of several that are equally far the first in the order of atoms and cells.

    Returns
    -------
    Neighbours
        Sorted by the atom whose neighbour it is, then by distance.
    """
    from scipy.spatial import cKDTree

    around = images(crystal, radius_angstrom)
    pairs = cKDTree(crystal.positions).sparse_distance_matrix(
        cKDTree(around.positions), radius_angstrom, output_type="ndarray"
    )
    pairs = pairs[pairs["v"] > SELF_ANGSTROM]
    centre, image, distance = pairs["i"], pairs["j"], pairs["v"]
    # Rounded, so that equal distances stay in one order whatever the last digit says.
    order = np.lexsort((image, distance.round(6), centre))
    centre, image, distance = centre[order], image[order], distance[order]
    if nearest is not None:
        first = np.searchsorted(centre, np.arange(len(crystal)))
        rank = np.arange(len(centre)) - first[centre]
        centre, image, distance = (one[rank < nearest] for one in (centre, image, distance))
    edges = np.stack([around.of[image], centre], 1).astype(np.int64)
    return Neighbours(edges, distance, around.shifts[image])


def closest_pair(crystal: Crystal, within_angstrom: float) -> tuple[int, int, float]:
    """The two atoms that are nearest to each other, and how far apart; infinitely where none are within a distance."""
    found = neighbours(crystal, within_angstrom)
    if not len(found.edges):
        return 0, 0, float("inf")
    at = int(found.distances_angstrom.argmin())
    one, other = sorted(found.edges[at].tolist())
    return one, other, float(found.distances_angstrom[at])
