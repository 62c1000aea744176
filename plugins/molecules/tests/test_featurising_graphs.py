"""Graphs of molecules: the features of torch_geometric's from_smiles, atom by atom and bond by bond; and back to molecules."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from pellucid.data.graphs import Graphs
from pellucid.errors import DataError
from pellucid.loading.csv_tables import read_csv
from pellucid.testing.real_data import real_data
from pellucid_molecules.featurising.codes import molecule_input
from pellucid_molecules.featurising.drawable import molecule_from
from pellucid_molecules.featurising.graphs import graphs_of, packed

SETS = ("bace", "bbbp", "clintox", "esol", "freesolv", "lipophilicity", "tox21")

STRANGE = (
    "C",
    "[H][H]",
    "[Na+].[Cl-]",
    "CC(=O)[O-].[NH4+]",
    "N[C@@H](C)C(=O)O",
    "N[C@H](C)C(=O)O",
    "F/C=C/F",
    "F/C=C\\F",
    "C[N+](C)(C)C",
    "[CH3]",
    "[O][O]",
    "FS(F)(F)(F)(F)F",
    "FP(F)(F)(F)F",
    "[2H]OC",
    "c1cc[nH]c1",
    "C#N",
    "N->[Pt](<-N)(Cl)Cl",
    "[Fe+3]",
    "[U]",
    "OS(=O)(=O)O",
    "C1CC1C=C=C",
    "*c1ccccc1",
    "B(O)(O)c1ccccc1",
    "[Si](C)(C)(C)C",
)


def theirs(texts):
    """What torch_geometric makes of them, put together."""
    from torch_geometric.utils import from_smiles

    data = [from_smiles(text) for text in texts]
    return Graphs(
        np.concatenate([one.x.numpy() for one in data]).astype(np.float32),
        np.concatenate([one.edge_index.numpy().T for one in data]),
        [len(one.x) for one in data],
        [one.edge_index.shape[1] for one in data],
        np.concatenate([one.edge_attr.numpy() for one in data]).astype(np.float32),
    )


def same(one, other):
    names = ("nodes", "edges", "node_counts", "edge_counts", "edge_values")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.mark.parametrize("text", STRANGE)
def test_an_unusual_molecule_has_the_features_of_from_smiles(text):
    ours = graphs_of([Chem.MolFromSmiles(text)])
    assert same(ours, theirs([text]))
    ours.check(molecule_input(), "here")


@pytest.mark.parametrize("name", SETS)
def test_every_molecule_of_a_table_has_the_features_of_from_smiles(name):
    texts = read_csv(real_data("molecules", "moleculenet") / f"{name}.csv")["smiles"]
    assert same(graphs_of(map(Chem.MolFromSmiles, texts)), theirs(texts))


@pytest.mark.parametrize("name", SETS)
def test_every_molecule_of_a_table_can_be_made_again_from_its_graph(name):
    texts = dict.fromkeys(read_csv(real_data("molecules", "moleculenet") / f"{name}.csv")["smiles"])
    for text in texts:
        molecule = Chem.MolFromSmiles(text)
        again = molecule_from(graphs_of([molecule]))
        # Without stereo marks and isotopes.
        assert Chem.MolToSmiles(again, isomericSmiles=False) == Chem.MolToSmiles(molecule, isomericSmiles=False)
        assert [atom.GetAtomicNum() for atom in again.GetAtoms()] == [
            atom.GetAtomicNum() for atom in molecule.GetAtoms()
        ]


def test_a_molecule_without_atoms_is_an_empty_graph():
    none, one = graphs_of([Chem.MolFromSmiles(""), Chem.MolFromSmiles("C")])
    assert (len(none.nodes), len(none.edges)) == (0, 0)
    assert one.nodes.shape == (1, 9)


def test_molecules_do_not_depend_on_those_before_them():
    texts = list(STRANGE)
    together = packed(map(Chem.MolFromSmiles, texts))
    assert [packed([Chem.MolFromSmiles(text)])[0] for text in texts] == together
    assert packed(map(Chem.MolFromSmiles, texts[::-1])) == together[::-1]


@pytest.mark.parametrize(
    ("text", "said"), [("[Mn+7]", "formal_charge_plus_5 of 12"), ("[C-6]", "formal_charge_plus_5 of -1")]
)
def test_an_atom_without_a_code_is_refused(text, said):
    molecule = Chem.MolFromSmiles(text, sanitize=False)
    molecule.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(molecule)
    with pytest.raises(DataError, match=said.replace("+", r"\+")):
        graphs_of([molecule])


def test_a_decoded_graph_that_is_no_molecule_can_be_drawn_all_the_same():
    graph = graphs_of([Chem.MolFromSmiles("CCO")])
    nodes = graph.nodes + 0.3
    nodes[0, 5] = 1
    five = Graphs.of(nodes, [*graph.edges.tolist(), [0, 2]], [*graph.edge_values.tolist(), [2.6, 0, 0]])
    made = molecule_from(five)
    assert made.GetNumAtoms() == 3
    assert made.GetAtomWithIdx(0).GetNumRadicalElectrons() == 1
    assert made.GetBondBetweenAtoms(0, 2).GetBondType() == Chem.BondType.TRIPLE
    with pytest.raises(DataError, match="a graph with 2 features of each node"):
        molecule_from(Graphs.of([[1.0, 2.0]], []))
    with pytest.raises(DataError, match="2 are given"):
        molecule_from(Graphs.joined([graph, graph]))
