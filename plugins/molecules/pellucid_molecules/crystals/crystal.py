"""A crystal: atoms in a cell that repeats in three directions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, reduce
from math import gcd

import numpy as np
import numpy.typing as npt

from pellucid_molecules.crystals.elements import IS_METAL, MASSES, NUMBERS, SYMBOLS

G_CM3 = 1.66053907
"""Grams per cubic centimetre of one unit of atomic mass per cubic angstrom."""

Floats = npt.NDArray[np.float64]

MOST_ATOMS = 100_000

THINNEST_ANGSTROM, LONGEST_ANGSTROM = 0.5, 1000.0
"""Between opposite faces of a cell, where atoms of two cells may not be nearer; and of its edges."""


@dataclass(frozen=True, eq=False)
class Crystal:
    """Atoms in a cell.

    Parameters
    ----------
    numbers : ndarray of int64, shape (atom,)
        Atomic numbers.
    fractions : ndarray, shape (atom, 3)
        Where each atom is, in parts of the cell's edges, 0 to 1.
    cell : ndarray, shape (3, 3), angstrom
        One edge a row.

    Examples
    --------
    >>> salt = Crystal(np.array([11, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), 4.0 * np.eye(3))
    >>> salt.formula, round(salt.density_g_cm3, 3), salt.metals
    ('ClNa', 1.516, ('Na',))
    """

    numbers: npt.NDArray[np.int64]
    fractions: Floats
    cell: Floats

    def __len__(self) -> int:
        return len(self.numbers)

    @cached_property
    def positions(self) -> Floats:
        """Shape (atom, 3), angstrom."""
        return self.fractions @ self.cell

    @property
    def volume_angstrom3(self) -> float:
        """Of the cell."""
        return abs(float(np.linalg.det(self.cell)))

    @property
    def heights(self) -> Floats:
        """How far opposite faces of the cell are apart, shape (3,), angstrom."""
        return 1 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)

    @property
    def parameters(self) -> Floats:
        """Lengths a, b, c in angstrom, then angles alpha, beta, gamma in degrees; shape (6,)."""
        lengths = np.linalg.norm(self.cell, axis=1)
        cosines = (self.cell @ self.cell.T) / np.outer(lengths, lengths)
        angles = np.degrees(np.arccos(np.clip([cosines[1, 2], cosines[0, 2], cosines[0, 1]], -1, 1)))
        return np.concatenate([lengths, angles])

    @property
    def density_g_cm3(self) -> float:
        """Mass of the cell's atoms over its volume."""
        return float(MASSES[self.numbers].sum()) / self.volume_angstrom3 * G_CM3

    @property
    def counts(self) -> Counter[str]:
        """How many atoms of each element there are."""
        return Counter(SYMBOLS[number - 1] for number in self.numbers.tolist())

    @property
    def formula(self) -> str:
        """Elements in alphabetical order, with the smallest whole numbers."""
        counts = self.counts
        by = reduce(gcd, counts.values(), 0) or 1
        return "".join(f"{one}{counts[one] // by if counts[one] > by else ''}" for one in sorted(counts))

    @property
    def metals(self) -> tuple[str, ...]:
        """Its metals, in alphabetical order."""
        return tuple(sorted(one for one in self.counts if IS_METAL[NUMBERS[one]]))


def cell_of(lengths_angstrom: npt.ArrayLike, angles_deg: npt.ArrayLike) -> Floats:
    """Edges of a cell from its lengths and angles: the first along x, the second in the plane of x and y.

    Parameters
    ----------
    lengths_angstrom : array of 3
        a, b, c.
    angles_deg : array of 3
        alpha (between b and c), beta, gamma.

    Returns
    -------
    ndarray, shape (3, 3), angstrom
        NaN in the last edge where there is no cell with these angles.
    """
    a, b, c = np.asarray(lengths_angstrom, float)
    alpha, beta, gamma = np.cos(np.radians(np.asarray(angles_deg, float)))
    sine = np.sqrt(1 - gamma**2)
    y = (alpha - beta * gamma) / sine
    rest = 1 - beta**2 - y**2
    z = np.sqrt(rest) if rest > 0 else np.nan
    return np.array([[a, 0, 0], [b * gamma, b * sine, 0], [c * beta, c * y, c * z]])


def fault_of_cell(cell: Floats) -> str:
    """Why a cell cannot be worked with, in words that follow what it is called; empty where it can.

    Beyond these bounds periodic images, or the way to the next atom, would fill the memory.

    Examples
    --------
    >>> fault_of_cell(4.0 * np.eye(3))
    ''
    >>> fault_of_cell(np.diag([4.0, 4.0, 1e-6]))[:50]
    'the cell has opposite faces 1e-06 angstrom apart; '
    """
    if not np.isfinite(cell).all():
        return "an edge of the cell is no number"
    faces = np.linalg.norm(np.cross(cell[[1, 2, 0]], cell[[2, 0, 1]]), axis=1)
    thinnest = abs(np.linalg.det(cell)) / max(faces.max(), np.finfo(float).tiny)
    longest = float(np.linalg.norm(cell, axis=1).max())
    if longest > LONGEST_ANGSTROM:
        told = f"an edge of {longest:g} angstrom"
    elif thinnest < THINNEST_ANGSTROM:
        told = f"opposite faces {thinnest:.3g} angstrom apart"
    else:
        return ""
    return (
        f"the cell has {told}; edges are up to {LONGEST_ANGSTROM:g} angstrom long, and faces {THINNEST_ANGSTROM:g} or more apart "
        "(the unit is angstrom)"
    )


def too_many(atoms: int) -> str:
    """That a cell has more atoms than can be worked with; empty where it has not."""
    return f"has {atoms:,} atoms in a cell, more than {MOST_ATOMS:,}" if atoms > MOST_ATOMS else ""
