"""Scaffolds: what molecules are built around, and whom a split keeps together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pellucid.errors import DataError
from pellucid_molecules.featurising.structures import largest_part

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def scaffold_of(molecule: Mol) -> str:
    """The Bemis-Murcko scaffold as SMILES without stereo marks; of a molecule without rings its own.

    The rings, the chains between them and what is bound to these by a double bond. Atoms keep their elements and bonds their
    orders. Salts that are kept have the rings of all their parts.

    References
    ----------
    Bemis and Murcko (1996), doi:10.1021/jm9602928. As in RDKit, exocyclic double bonds stay, which the paper cuts off.

    Examples
    --------
    >>> from rdkit import Chem
    >>> [scaffold_of(Chem.MolFromSmiles(text)) for text in ("Cc1ccccc1CCN", "C/C=C/O", "C[C@H]1CCC(=O)C1")]
    ['c1ccccc1', 'CC=CO', 'O=C1CCCC1']
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

    if molecule.GetRingInfo().NumRings():
        with rdBase.BlockLogs():
            found: str = MurckoScaffoldSmiles(mol=molecule, includeChirality=False)
        if found:
            return found
    return Chem.MolToSmiles(molecule, isomericSmiles=False)


def parent_of(molecule: Mol) -> str:
    """A name that a molecule shares with its ions, its tautomers, its stereoisomers, its salts and its labelled forms.

    It is a hash, not to be read: one substance, drawn in several ways, has one. Of a structure of several molecules the largest counts.

    References
    ----------
    The parent compound of registration systems, as RDKit's ``SuperParent`` has it. Protons that move between atoms other than carbon are
    told by the hash ``HetAtomProtomer`` (O'Boyle and Sayle, "Making a hash of your molecules", 2019), which takes a fiftieth of the time
    of going through all tautomers. Keto and enol forms, where a proton moves to carbon, stay two.

    Examples
    --------
    >>> from rdkit import Chem
    >>> twins = ("Cc1cnc[nH]1", "Cc1c[nH]cn1", "Cc1c[nH]c[nH+]1.[Cl-]")
    >>> len({parent_of(Chem.MolFromSmiles(text)) for text in twins})
    1
    >>> parent_of(Chem.MolFromSmiles("CCO")) == parent_of(Chem.MolFromSmiles("COC"))
    False
    """
    from rdkit import Chem, rdBase
    from rdkit.Chem import rdMolHash

    with rdBase.BlockLogs():
        plain = Chem.Mol(largest_part(molecule)[0])
        for atom in plain.GetAtoms():
            atom.SetIsotope(0)
        plain = Chem.RemoveHs(plain)
        Chem.RemoveStereochemistry(plain)
        found: str = rdMolHash.MolHash(plain, rdMolHash.HashFunction.HetAtomProtomer)
    return found


def largest_first(
    scaffolds: Sequence[str], shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> npt.NDArray[np.str_]:
    """MoleculeNet's scaffold split: the largest sets are learnt from, rare scaffolds are judged on. Nothing is drawn.

    Sets of one scaffold are taken by size, those of one size by their first sample, the last of them first. Each goes to the
    training side while that has room for all of it, then to the validation side, else to the test side.

    Parameters
    ----------
    scaffolds : sequence of str
    shares : (float, float, float)
        Of training, validation and test; they add up to 1.

    Returns
    -------
    ndarray of str, shape (sample,)
        ``train``, ``validation`` or ``test``.

    Raises
    ------
    DataError
        If a side stays empty.

    References
    ----------
    Wu et al. (2018), doi:10.1039/C7SC02664A, and its software DeepChem, whose order among sets of one size is followed.

    Examples
    --------
    >>> largest_first(["a"] * 6 + ["b", "b", "c", "d"]).tolist()[-4:]
    ['train', 'train', 'test', 'validation']
    """
    members: dict[str, list[int]] = {}
    for at, scaffold in enumerate(scaffolds):
        members.setdefault(scaffold, []).append(at)
    room = shares[0] * len(scaffolds), (shares[0] + shares[1]) * len(scaffolds)
    side = np.full(len(scaffolds), "test", dtype="<U10")
    trained = chosen = 0
    for these in sorted(members.values(), key=lambda those: (len(those), those[0]), reverse=True):
        if trained + len(these) <= room[0]:
            side[these], trained = "train", trained + len(these)
        elif trained + chosen + len(these) <= room[1]:
            side[these], chosen = "validation", chosen + len(these)
    for name in ("train", "validation", "test"):
        if name not in side:
            raise DataError(
                f"a scaffold split of {len(scaffolds)} molecules with {len(members)} scaffolds leaves nothing for the side {name!r}; "
                "give more molecules, or leave the option scaffold_split out"
            )
    return side
