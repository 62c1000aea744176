"""What if one atom were another? Molecules that differ from one in a single atom and can exist, and what a model says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pellucid.errors import DataError
from pellucid_molecules.featurising.structures import molecule_of

if TYPE_CHECKING:
    import pandas as pd
    from rdkit.Chem import Mol

    from pellucid.model import Model

ELEMENTS = ("C", "N", "O", "F", "S", "Cl", "Br")
"""Elements that are tried in the place of an atom."""


@dataclass(frozen=True)
class AtomEdit:
    """A molecule that differs from another in one atom.

    Parameters
    ----------
    molecule : Mol
        Sanitised. Where an atom was replaced, its atoms have the numbers that they had.
    atom : int
        Which atom of the original was changed.
    what : str
        ``"N for C"``, or ``"without Cl"``.
    smiles : str
        Canonical.
    """

    molecule: Mol
    atom: int
    what: str
    smiles: str


def single_atom_edits(molecule: str | Mol, elements: Sequence[str] = ELEMENTS) -> tuple[AtomEdit, ...]:
    """All molecules in which one atom is of another element, or an atom at an end is left out, as far as valence allows.

    Hydrogens follow from valence; charges and radicals go with the atom that is replaced. What cannot be sanitised is left out, and of
    edits that give the same molecule (neighbours of a symmetric one) the first alone is kept.

    Parameters
    ----------
    molecule : str or Mol
        SMILES or a molecule.
    elements : sequence of str
        Symbols.

    Raises
    ------
    DataError
        If the SMILES is of no molecule, or an element is none.

    Examples
    --------
    >>> [(one.atom, one.what, one.smiles) for one in single_atom_edits("CO", elements=("N", "F"))]
    [(0, 'N for C', 'NO'), (0, 'F for C', 'OF'), (0, 'without C', 'O'), (1, 'N for O', 'CN'), (1, 'F for O', 'CF'), (1, 'without O', 'C')]
    """
    from rdkit import Chem

    original = molecule_of(molecule) if isinstance(molecule, str) else Chem.Mol(molecule)
    table = Chem.GetPeriodicTable()
    for symbol in elements:
        try:
            known = table.GetAtomicNumber(symbol) > 0
        except RuntimeError:
            known = False
        if not known:
            raise DataError(f"{symbol!r} is no element; elements are named by their symbols: {', '.join(ELEMENTS)}")
    seen, found = {Chem.MolToSmiles(original)}, []
    for atom in original.GetAtoms():
        at, symbol = atom.GetIdx(), atom.GetSymbol()
        tried = [(f"{other} for {symbol}", _replaced(original, at, other)) for other in elements if other != symbol]
        if atom.GetDegree() == 1 and original.GetNumAtoms() > 1:
            tried.append((f"without {symbol}", _without(original, at)))
        for what, made in tried:
            smiles = "" if made is None else Chem.MolToSmiles(made)
            if made is not None and smiles not in seen:
                seen.add(smiles)
                found.append(AtomEdit(made, at, what, smiles))
    return tuple(found)


def counterfactuals(
    model: Model, molecule: str | Mol, target: str | None = None, elements: Sequence[str] = ELEMENTS
) -> pd.DataFrame:
    """What a model says of every molecule that differs in one atom, the largest change first.

    A model may be asked here about molecules unlike any that it has learnt from: what it says of them is about the model, and no
    prediction to rely on.

    Parameters
    ----------
    model : Model
        Loaded from a run, so that it takes molecules.
    molecule : str or Mol
    target : str, optional
        Name of the output; the first by default.
    elements : sequence of str

    Returns
    -------
    DataFrame
        Columns ``atom`` (from 0), ``edit``, ``smiles``, ``output`` (a probability, or the number), ``change`` from the original and,
        for classes, ``flips``: whether the decision is another one. Row 0 is the original.
    """
    import pandas as pd
    from rdkit import Chem

    original = molecule_of(molecule) if isinstance(molecule, str) else molecule
    edits = single_atom_edits(original, elements)
    output = target or model.head.outputs[0]
    said = model.predict([original, *(one.molecule for one in edits)])[output].to_numpy()
    rows = pd.DataFrame(
        {
            "atom": [-1, *(one.atom for one in edits)],
            "edit": ["as it is", *(one.what for one in edits)],
            "smiles": [Chem.MolToSmiles(original), *(one.smiles for one in edits)],
            "output": said,
            "change": said - said[0],
        }
    )
    if model.predictor.config.target.kind in ("binary", "multilabel"):
        limit = model.threshold.value if model.predictor.config.target.kind == "binary" else 0.5
        rows["flips"] = (said >= limit) != (said[0] >= limit)
    order = rows["change"].abs().iloc[1:].sort_values(ascending=False, kind="stable").index
    return rows.loc[[0, *order]].reset_index(drop=True)


def _replaced(molecule: Mol, at: int, symbol: str) -> Mol | None:
    from rdkit import Chem

    made = Chem.RWMol(molecule)
    new = Chem.Atom(symbol)
    new.SetIsAromatic(molecule.GetAtomWithIdx(at).GetIsAromatic())
    made.ReplaceAtom(at, new)
    return _sanitised(made)


def _without(molecule: Mol, at: int) -> Mol | None:
    from rdkit import Chem

    made = Chem.RWMol(molecule)
    (neighbour,) = made.GetAtomWithIdx(at).GetNeighbors()
    # Explicit hydrogens (of pyrrole's nitrogen) were counted with the bond there.
    neighbour.SetNoImplicit(False)
    made.RemoveAtom(at)
    return _sanitised(made)


def _sanitised(made: Mol) -> Mol | None:
    """The molecule, or None where valence or aromaticity does not allow it."""
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        try:
            Chem.SanitizeMol(made)
        except ValueError:
            return None
    return made.GetMol()
