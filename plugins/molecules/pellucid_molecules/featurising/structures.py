"""Molecules out of text: SMILES and blocks of SDF files, each refused with what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pellucid.errors import DataError

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Format = Literal["smiles", "block"]
"""What a structure is written as: SMILES, or a block of an SDF file."""

Salts = Literal["keep", "largest"]
"""What becomes of a structure of several molecules: all of it is one sample, or its largest molecule."""

SHOWN = 60
"""Characters of a structure that a message repeats."""


def molecule_of(text: str, format: Format = "smiles") -> Mol:
    """The molecule that a text describes, without the hydrogens that follow from valence.

    Raises
    ------
    DataError
        If it describes none, or one that cannot be: says which atom has too many bonds, which ring cannot be aromatic.

    Examples
    --------
    >>> molecule_of("OCC").GetNumAtoms()
    3
    >>> molecule_of("C(C)(C)(C)(C)C")
    Traceback (most recent call last):
    pellucid.errors.DataError: 'C(C)(C)(C)(C)C' cannot be a molecule: Explicit valence for atom # 0 C, 5, is greater than permitted
    """
    from rdkit import Chem, rdBase

    # RDKit says on the standard error what is raised here in words.
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(text) if format == "smiles" else Chem.MolFromMolBlock(text)
        if molecule is not None:
            return molecule
        raw = Chem.MolFromSmiles(text, sanitize=False) if format == "smiles" else Chem.MolFromMolBlock(text, False)
        problems = [] if raw is None else [one.Message() for one in Chem.DetectChemistryProblems(raw)]
    said = shown(text) if format == "smiles" else "the structure"
    if raw is None:
        kind = "SMILES" if format == "smiles" else "block of an SDF file"
        raise DataError(f"{said} is no {kind}")
    raise DataError(f"{said} cannot be a molecule: {problems[0] if problems else 'RDKit cannot bring it into order'}")


def largest_part(molecule: Mol) -> tuple[Mol, int]:
    """The largest molecule of a structure, and how many the structure has.

    That of the most atoms beside hydrogen; of several, the heaviest, and then the first in the order of canonical SMILES.

    Examples
    --------
    >>> from rdkit import Chem
    >>> part, count = largest_part(molecule_of("CC(=O)[O-].[Na+].[K+]"))
    >>> Chem.MolToSmiles(part), count
    ('CC(=O)[O-]', 3)
    """
    from rdkit import Chem
    from rdkit.Chem.rdMolDescriptors import CalcExactMolWt

    count = len(Chem.GetMolFrags(molecule))
    if count < 2:
        return molecule, count
    parts = Chem.GetMolFrags(molecule, asMols=True)
    return min(parts, key=lambda part: (-part.GetNumAtoms(), -CalcExactMolWt(part), Chem.MolToSmiles(part))), count


def shown(text: str) -> str:
    """A structure as a message repeats it."""
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")
