"""Numbers of a crystal that a person can check: what it is made of, and what its pores are like."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pellucid.data import Vector
from pellucid_molecules.crystals.crystal import Crystal
from pellucid_molecules.crystals.elements import IS_METAL, NUMBERS
from pellucid_molecules.crystals.images import neighbours
from pellucid_molecules.crystals.pores import PROBES_ANGSTROM, Pores

ELEMENTS = ("H", "C", "N", "O", "F", "S", "P", "Cl", "Br", "I", "Si")
"""Whose shares of the atoms are told; the others beside metals are one."""

METALS = ("Zn", "Cu", "Cd", "Co", "Mn", "Ni", "Fe", "Zr", "Ag", "Pb", "Al", "Cr", "In", "Mg", "Ca", "U")
"""Whose shares of the metal atoms are told; lanthanides and all others are one each."""

LANTHANIDES = (57, 71)
BONDED_ANGSTROM = 2.7
"""An atom beside hydrogen and metals that is so near to a metal counts as bound to it."""

_COMPOSITION = {
    "density": "g/cm3",
    "atoms": "1",
    "atoms in 1000 cubic angstrom": "1",
    "heavy atoms in 1000 cubic angstrom": "1",
    **{f"share of {one}": "1" for one in (*ELEMENTS, "other nonmetals", "metals")},
    **{f"metals: {one}": "1" for one in (*METALS, "lanthanides", "others")},
    "neighbours of a metal": "1",
    "fewest neighbours of a metal": "1",
}


def composition_input() -> Vector:
    """Spec of the input ``composition``: 37 numbers that need no pores."""
    return Vector(names=tuple(_COMPOSITION), units=tuple(_COMPOSITION.values()))


def composition(crystal: Crystal) -> npt.NDArray[np.float32]:
    """Numbers of :func:`composition_input`; those of neighbours are NaN where there is no metal."""
    numbers, volume = crystal.numbers, crystal.volume_angstrom3 / 1000
    metal = IS_METAL[numbers]
    shares = [float((numbers == NUMBERS[one]).mean()) for one in ELEMENTS]
    of_metals = np.array([float((numbers == NUMBERS[one]).sum()) for one in METALS])
    lanthanides = float(((numbers >= LANTHANIDES[0]) & (numbers <= LANTHANIDES[1])).sum())
    count = int(metal.sum())
    beside = np.array([*of_metals, lanthanides, count - of_metals.sum() - lanthanides]) / max(count, 1)
    bound = metal_neighbours(crystal)
    return np.array(
        [
            crystal.density_g_cm3,
            len(crystal),
            len(crystal) / volume,
            (numbers > 1).sum() / volume,
            *shares,
            max(0.0, 1 - sum(shares) - metal.mean()),
            metal.mean(),
            *beside,
            bound.mean() if count else np.nan,
            bound.min() if count else np.nan,
        ],
        np.float32,
    )


def metal_neighbours(crystal: Crystal) -> npt.NDArray[np.float64]:
    """How many atoms beside hydrogen and metals are within 2.7 angstrom of each metal atom, images counted for themselves."""
    metal = IS_METAL[crystal.numbers]
    edges = neighbours(crystal, BONDED_ANGSTROM).edges
    binds = metal[edges[:, 1]] & ~metal[edges[:, 0]] & (crystal.numbers[edges[:, 0]] > 1)
    return np.bincount(edges[binds, 1], minlength=len(crystal))[metal].astype(float)


def pores_input() -> Vector:
    """Spec of the input ``pores``: ten numbers that a grid gives."""
    balls = tuple(f"volume for the centre of a ball of radius {radius:g} angstrom" for radius in PROBES_ANGSTROM)
    return Vector(
        names=("largest sphere", "largest sphere that comes through", *balls),
        units=("angstrom", "angstrom", *(("1",) * len(balls))),
    )


def pore_numbers(found: Pores) -> npt.NDArray[np.float32]:
    """Numbers of :func:`pores_input`."""
    return np.array([found.largest_sphere_angstrom, found.free_path_angstrom, *found.free_fraction], np.float32)
