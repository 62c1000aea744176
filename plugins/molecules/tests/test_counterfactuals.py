"""Molecules that differ in one atom: all that valence allows, none that it does not, and what a model makes of them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from pellucid.data.spec import Binary
from pellucid.errors import DataError
from pellucid_molecules.counterfactuals import ELEMENTS, counterfactuals, single_atom_edits

SMILES = ["CC(=O)Oc1ccccc1C(=O)O", "c1ccncc1", "CC(C)(C)C", "C[N+](C)(C)C", "O=C=O", "c1cc[nH]c1", "[Na+].CC(=O)[O-]"]


@pytest.mark.parametrize("smiles", SMILES)
def test_every_edit_can_exist_and_differs_in_one_atom(smiles):
    original = Chem.MolFromSmiles(smiles)
    edits = single_atom_edits(smiles)
    assert len({one.smiles for one in edits} | {Chem.MolToSmiles(original)}) == len(edits) + 1
    for one in edits:
        assert Chem.MolFromSmiles(one.smiles) is not None
        before = [atom.GetSymbol() for atom in original.GetAtoms()]
        after = [atom.GetSymbol() for atom in one.molecule.GetAtoms()]
        if one.what.startswith("without"):
            assert one.what == f"without {before.pop(one.atom)}"
            assert after == before
            continue
        new, _, old = one.what.partition(" for ")
        assert before[one.atom] == old
        before[one.atom] = new
        assert after == before
        bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in one.molecule.GetBonds()]
        assert bonds == [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in original.GetBonds()]


def test_what_valence_does_not_allow_is_left_out():
    made = {one.what for one in single_atom_edits("CC(C)(C)C") if one.atom == 1}
    # Four bonds: no halogen, no oxygen, no neutral nitrogen; sulphur may have four.
    assert made == {"S for C"}
    assert {one.what for one in single_atom_edits("c1ccncc1") if one.atom == 3} == {"C for N"}
    # Every atom is tried with every element: as many as brute force finds.
    ethane = single_atom_edits("CC")
    assert {one.smiles for one in ethane} == {"CN", "CO", "CF", "CS", "CCl", "CBr", "C"}
    assert len(ELEMENTS) == 7


def test_strange_elements_and_molecules_are_refused():
    with pytest.raises(DataError, match="'Xx' is no element"):
        single_atom_edits("CC", elements=("Xx",))
    with pytest.raises(DataError):
        single_atom_edits("C1CC")


class Fluorines:
    """Says the share of fluorine among the atoms."""

    head = SimpleNamespace(outputs=("yes",))
    predictor = SimpleNamespace(config=SimpleNamespace(target=Binary(names=("no", "yes"))))
    threshold = SimpleNamespace(value=0.3)

    def predict(self, molecules):
        share = [np.mean([atom.GetSymbol() == "F" for atom in one.GetAtoms()]) for one in molecules]
        return pd.DataFrame({"yes": share})


def test_the_largest_change_comes_first_and_flips_are_said():
    found = counterfactuals(Fluorines(), "CCF")
    assert found.loc[0, ["atom", "edit", "smiles"]].tolist() == [-1, "as it is", "CCF"]
    assert found["change"].abs().iloc[1:].is_monotonic_decreasing
    without = found[found["edit"] == "O for F"].iloc[0]
    assert without["change"] == pytest.approx(-1 / 3)
    assert without["flips"]
    more = found[(found["edit"] == "F for C") & (found["atom"] == 0)]
    assert more.empty or more["change"].iloc[0] == pytest.approx(1 / 3)
    assert not found.loc[0, "flips"]
