"""Morgan fingerprints: how often each circular neighbourhood occurs, and which atoms a bit stands for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data import Vector
from pellucid.errors import DataError
from pellucid.regions import Atoms

if TYPE_CHECKING:
    from rdkit.Chem import Mol

RADIUS = 2
"""Bonds from the atom in the middle: ECFP4, which is named by its diameter."""


def morgan_input(bits: int) -> Vector:
    """Spec of the input ``morgan``: counts, one for each bit."""
    return Vector(names=tuple(f"bit {at}" for at in range(bits)), units="1")


def morgan_counts(molecule: Mol, bits: int) -> npt.NDArray[np.uint32]:
    """How often each bit's neighbourhoods occur in a molecule, shape (bit,).

    References
    ----------
    Rogers and Hahn (2010), doi:10.1021/ci100050t.
    """
    counts: npt.NDArray[np.uint32] = _generator(bits).GetCountFingerprintAsNumPy(molecule)
    return counts


@dataclass(frozen=True)
class Neighbourhood:
    """One place where a bit of a fingerprint comes from.

    Parameters
    ----------
    region : Atoms
        The atoms up to ``radius`` bonds from the one in the middle, which stands first, and the bonds among those that are counted.
    smiles : str
        These atoms and bonds to read. Atoms at its edge are bound to others, of which it says nothing but what their hydrogens do.
    radius : int
        0 for a single atom.
    """

    region: Atoms
    smiles: str
    radius: int


def neighbourhoods(molecule: Mol, bit: int, bits: int) -> tuple[Neighbourhood, ...]:
    """Where in a molecule a bit of its Morgan fingerprint comes from; none where the bit's count is 0.

    Different neighbourhoods may share a bit: the number of bits is smaller than that of neighbourhoods. What is given here is
    what set this bit in this molecule.

    Parameters
    ----------
    molecule : Mol
    bit, bits : int
        Which bit, of how many.

    Raises
    ------
    DataError
        If there is no such bit.

    Examples
    --------
    >>> from rdkit import Chem
    >>> ethanol = Chem.MolFromSmiles("OCC")
    >>> counts = morgan_counts(ethanol, 2048)
    >>> [[one.smiles for one in neighbourhoods(ethanol, bit, 2048)] for bit in counts.nonzero()[0].tolist()]
    [['C'], ['OC'], ['CC'], ['O'], ['C'], ['C(C)O']]
    """
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    if not 0 <= bit < bits:
        raise DataError(f"there is no bit {bit} of a fingerprint of {bits}")
    output = rdFingerprintGenerator.AdditionalOutput()
    output.AllocateBitInfoMap()
    _generator(bits).GetCountFingerprint(molecule, additionalOutput=output)
    found = []
    for middle, radius in output.GetBitInfoMap().get(bit, ()):
        bonds = list(Chem.FindAtomEnvironmentOfRadiusN(molecule, radius, middle, enforceSize=False)) if radius else []
        pairs = [_ends(molecule.GetBondWithIdx(bond)) for bond in bonds]
        atoms = tuple(dict.fromkeys((middle, *sorted({atom for pair in pairs for atom in pair}))))
        smiles = Chem.MolFragmentToSmiles(molecule, atoms, bonds, rootedAtAtom=middle)
        found.append(Neighbourhood(Atoms(atoms, tuple(sorted(pairs))), smiles, radius))
    return tuple(found)


def _ends(bond: Any) -> tuple[int, int]:
    begin, end = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
    return begin, end


@cache
def _generator(bits: int) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=bits)
