"""Fingerprints: how often each circular neighbourhood, or pair of atoms, occurs, and which atoms a bit stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pellucid.data import Vector
from pellucid.errors import DataError
from pellucid.regions import Subgraph

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


def pairs_input(bits: int) -> Vector:
    """Spec of the input ``atom_pairs``: counts, one for each bit."""
    return Vector(names=tuple(f"pair {at}" for at in range(bits)), units="1")


def pair_counts(molecule: Mol, bits: int) -> npt.NDArray[np.uint32]:
    """How often each bit's pairs of atoms so many bonds apart occur in a molecule, shape (bit,).

    References
    ----------
    Carhart, Smith and Venkataraghavan (1985), doi:10.1021/ci00046a002.
    """
    counts: npt.NDArray[np.uint32] = _pair_generator(bits).GetCountFingerprintAsNumPy(molecule)
    return counts


COUNTS: Mapping[str, Callable[[Mol, int], npt.NDArray[np.uint32]]] = {
    "morgan": morgan_counts,
    "atom_pairs": pair_counts,
}
"""By the name of an input, how its counts are made."""


@dataclass(frozen=True)
class Neighbourhood:
    """One place where a bit of a fingerprint comes from.

    Parameters
    ----------
    region : Subgraph
        The atoms up to ``radius`` bonds from the one in the middle, which stands first, and the bonds among those that are counted.
    smiles : str
        These atoms and bonds to read. Atoms at its edge are bound to others, of which it says nothing but what their hydrogens do.
    radius : int
        0 for a single atom.
    """

    region: Subgraph
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
    if not 0 <= bit < bits:
        raise DataError(f"there is no bit {bit} of a fingerprint of {bits}")
    return _neighbourhoods(molecule, _told(_generator(bits), molecule).get(bit, ()))


def places_of_bits(molecule: Mol, bits: int) -> dict[int, tuple[Neighbourhood, ...]]:
    """:func:`neighbourhoods` of all bits that are not 0."""
    return {bit: _neighbourhoods(molecule, told) for bit, told in _told(_generator(bits), molecule).items()}


def places_of_pairs(molecule: Mol, bits: int) -> dict[int, tuple[tuple[int, int], ...]]:
    """Which two atoms each pair of each bit that is not 0 of a fingerprint of atom pairs is."""
    return {
        bit: tuple((int(first), int(second)) for first, second in told)
        for bit, told in _told(_pair_generator(bits), molecule).items()
    }


def _told(generator: Any, molecule: Mol) -> dict[int, Any]:
    from rdkit.Chem import rdFingerprintGenerator

    output = rdFingerprintGenerator.AdditionalOutput()
    output.AllocateBitInfoMap()
    generator.GetCountFingerprint(molecule, additionalOutput=output)
    return dict(output.GetBitInfoMap())


def _neighbourhoods(molecule: Mol, told: Iterable[tuple[int, int]]) -> tuple[Neighbourhood, ...]:
    from rdkit import Chem

    found = []
    # A fragment is read from its middle on, which rdkit can do in one piece alone.
    whole = len(Chem.GetMolFrags(molecule)) == 1
    for middle, radius in told:
        bonds = list(Chem.FindAtomEnvironmentOfRadiusN(molecule, radius, middle, enforceSize=False)) if radius else []
        pairs = [_ends(molecule.GetBondWithIdx(bond)) for bond in bonds]
        atoms = tuple(dict.fromkeys((middle, *sorted({atom for pair in pairs for atom in pair}))))
        smiles = Chem.MolFragmentToSmiles(molecule, atoms, bonds, rootedAtAtom=middle if whole else -1)
        found.append(Neighbourhood(Subgraph(atoms, tuple(sorted(pairs))), smiles, radius))
    return tuple(found)


def _ends(bond: Any) -> tuple[int, int]:
    begin, end = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
    return begin, end


@cache
def _generator(bits: int) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=bits)


@cache
def _pair_generator(bits: int) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetAtomPairGenerator(fpSize=bits)
