"""Crystals from memory: pymatgen's structures, files, and crystals of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid_molecules.crystals.cif import OVERLAP_ANGSTROM, read_cif
from pellucid_molecules.crystals.crystal import Crystal, fault_of_cell, too_many
from pellucid_molecules.crystals.elements import NUMBERS
from pellucid_molecules.crystals.images import closest_pair


def crystals_of(objects: Any) -> list[Crystal]:
    """Crystals of a list of objects, or of one.

    Parameters
    ----------
    objects : pymatgen.core.Structure, Path or str of a CIF file, Crystal, or a list of these

    Raises
    ------
    DataError
        If one is something else, is disordered, has atoms that overlap, or a cell beyond the bounds of one in a file; says which.
    """
    some = list(objects) if isinstance(objects, list | tuple) else [objects]
    if not some:
        raise DataError("no crystal is given")
    return [_crystal(one, f"crystal {at + 1} of {len(some)}") for at, one in enumerate(some)]


def _crystal(one: Any, where: str) -> Crystal:
    if isinstance(one, Crystal):
        found = one
    elif isinstance(one, str | Path):
        return read_cif(Path(one))
    elif hasattr(one, "frac_coords") and hasattr(one, "lattice"):
        found = _of_pymatgen(one, where)
    else:
        raise DataError(
            f"{where} is a {type(one).__name__}; give pymatgen structures, paths of CIF files, or a dataset"
        )
    if not len(found):
        raise DataError(f"{where} has no atoms")
    fault = fault_of_cell(found.cell) or too_many(len(found))
    if not fault and not np.isfinite(found.fractions).all():
        fault = f"the place of atom {int(np.flatnonzero(~np.isfinite(found.fractions).all(1))[0]) + 1} is no number"
    if fault:
        raise DataError(f"{where}: {fault}")
    first, other, distance = closest_pair(found, OVERLAP_ANGSTROM)
    if distance < OVERLAP_ANGSTROM:
        raise DataError(f"{where}: atoms {first + 1} and {other + 1} overlap, {distance:.2f} angstrom apart")
    return found


def _of_pymatgen(one: Any, where: str) -> Crystal:
    numbers = []
    for at, site in enumerate(one):
        if not site.is_ordered:
            raise DataError(f"{where}: site {at + 1} is filled in part ({site.species_string}); keep one of its places")
        symbol = str(getattr(site.specie, "symbol", site.specie))
        if symbol not in NUMBERS:
            raise DataError(f"{where}: site {at + 1} holds {symbol!r}, no element")
        numbers.append(NUMBERS[symbol])
    fractions = np.asarray(one.frac_coords, float) % 1.0
    fractions[fractions >= 1.0] = 0.0
    return Crystal(np.array(numbers, np.int64), fractions, np.asarray(one.lattice.matrix, float))
