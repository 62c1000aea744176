"""Bits of fingerprints stand for atoms of the graph that a sample is, whatever the order in which its SMILES was written."""

import numpy as np
import pytest
from rdkit import Chem

from pellucid_molecules.featurising.drawable import molecule_from
from pellucid_molecules.featurising.fingerprints import (
    morgan_counts,
    neighbourhoods,
    pair_counts,
    places_of_bits,
    places_of_pairs,
)
from pellucid_molecules.tables.smiles_table import SmilesTable

SMILES = ["OC(=O)c1ccccc1N", "CCO", "C", "[Na+].CC(=O)[O-]", "C1CC1C(F)(F)F", "c1ccc2c(c1)[nH]c1ccccc12"]


@pytest.fixture
def data():
    return SmilesTable.of_objects(SMILES, SmilesTable.config_type(morgan=512, atom_pairs=256, cache=False))


@pytest.mark.parametrize("smiles", SMILES)
def test_places_are_as_many_as_are_counted(smiles):
    molecule = Chem.MolFromSmiles(smiles)
    counts = morgan_counts(molecule, 512)
    places = places_of_bits(molecule, 512)
    assert {bit: len(some) for bit, some in places.items()} == {int(b): int(counts[b]) for b in counts.nonzero()[0]}
    assert all(some == neighbourhoods(molecule, bit, 512) for bit, some in places.items())
    pairs = pair_counts(molecule, 256)
    assert {b: len(some) for b, some in places_of_pairs(molecule, 256).items()} == {
        int(b): int(pairs[b]) for b in pairs.nonzero()[0]
    }


def test_numbers_of_a_sample_and_their_places_agree(data):
    arrays = data.read(np.arange(len(data)))
    for index in range(len(data)):
        for input, word in (("morgan", "bit"), ("atom_pairs", "pair")):
            places = data.places(input, index)
            counts = arrays.inputs[input][index]
            assert {name: len(some) for name, some in places.items()} == {
                f"{word} {at}": counts[at] for at in counts.nonzero()[0]
            }
    assert data.places("molecule", 0) == {}


def test_atoms_are_those_of_the_graph(data):
    for index in range(len(data)):
        molecule = molecule_from(data.read(np.array([index])).inputs["molecule"])
        for some in data.places("morgan", index).values():
            for place in some:
                assert place.input == "molecule"
                centre = molecule.GetAtomWithIdx(place.region.nodes[0]).GetSymbol()
                assert centre.lower() in place.text.removeprefix("substructure ").lower()
        for some in data.places("atom_pairs", index).values():
            for place in some:
                first, second = (molecule.GetAtomWithIdx(at).GetSymbol() for at in place.region.nodes)
                assert place.text.startswith(f"{first} and {second}, ")


def test_a_pair_says_how_far_its_atoms_are_apart(data):
    told = {
        frozenset(place.text.split(", ")[0].split(" and "))
        for some in data.places("atom_pairs", 1).values()
        for place in some
    }
    assert told == {frozenset("C"), frozenset("CO")}
    far = [place.text.split(", ")[1] for some in data.places("atom_pairs", 1).values() for place in some]
    assert sorted(far) == ["1 bond apart", "1 bond apart", "2 bonds apart"]
