"""Made-up molecules: RDKit finds the groups, rings and distances that were planted, and labels follow the written rules."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

import pellucid
from pellucid.errors import DataError
from pellucid_datasets.molecules import questions
from pellucid_datasets.molecules.grammar import GROUPS, compact, long
from pellucid_datasets.molecules.structures import Structure
from pellucid_molecules.synthetic import MoleculesSynthetic, MoleculesSyntheticConfig

PATTERNS = {
    "hydroxyl": "[OX2H1;!$(OC=O)]",
    "amine": "[NH2;!$(NC=O)]",
    "nitrile": "C#N",
    "nitro": "[N+](=O)[O-]",
    "acid": "C(=O)[OX2H1]",
    "amide": "C(=O)[NH2]",
    "ester": "C(=O)O[CH3]",
    "chloro": "Cl",
}
"""The groups as a chemist would look for them."""


@pytest.fixture(scope="module")
def data() -> MoleculesSynthetic:
    return MoleculesSynthetic(MoleculesSyntheticConfig(molecules=300, long=0.4, seed=3))


@pytest.mark.parametrize("kind", [compact, long])
def test_groups_rings_and_distances_are_those_that_rdkit_finds(kind):
    for at in range(150):
        drawn = kind(np.random.default_rng([7, at]))
        molecule = Chem.MolFromSmiles(drawn.smiles)
        for name, pattern in PATTERNS.items():
            found = {frozenset(one) for one in molecule.GetSubstructMatches(Chem.MolFromSmarts(pattern))}
            assert found == {frozenset(one) for one in drawn.groups.get(name, ())}, (name, drawn.smiles)
        assert {frozenset(one) for one in molecule.GetRingInfo().AtomRings()} == set(map(frozenset, drawn.rings))
        if "nitro" in drawn.groups:
            away = Chem.GetDistanceMatrix(molecule)[drawn.groups["nitro"][0][0]]
            assert drawn.far == tuple(away[list(ring)].min() for ring in drawn.rings)


def test_smiles_have_the_atoms_and_bonds_of_the_structure_in_their_order():
    rng = np.random.default_rng(0)
    orders = {"": (1.0, 1.5), "-": (1.0,), "=": (2.0,), "#": (3.0,)}
    for _ in range(60):
        made = Structure()
        of_rings = list(made.ring("cccccc"))
        for _ in range(rng.integers(1, 7)):
            free = [a for a in of_rings if made.symbols[a] in "cC" and len(made.bonds[a]) == 2]
            to = int(rng.choice(free))
            if rng.random() < 0.5:
                of_rings += made.ring(str(rng.choice(["cccccc", "CCCCC", "CCOCCC", "csccc"])), to)
            else:
                made.branch(to, GROUPS[str(rng.choice(list(GROUPS)))])
        text, order = made.smiles()
        molecule = Chem.MolFromSmiles(text)
        assert [atom.GetSymbol().lower() for atom in molecule.GetAtoms()] == [
            made.symbols[at].strip("[]+-").lower() for at in order
        ]
        found = {
            frozenset((order[b.GetBeginAtomIdx()], order[b.GetEndAtomIdx()])): b.GetBondTypeAsDouble()
            for b in molecule.GetBonds()
        }
        planted = {frozenset((a, b)): bond for a, some in made.bonds.items() for b, bond in some.items()}
        assert found.keys() == planted.keys()
        assert all(order in orders[planted[pair]] for pair, order in found.items())


def test_planted_atoms_are_nodes_of_the_graph(data):
    graphs = data.read(np.arange(len(data))).inputs["molecule"]
    assert graphs.node_counts.tolist() == data.frame["atoms"].tolist()
    elements = {"acid": [6, 8, 8], "nitrile": [6, 7], "chloro": [17], "nitro": [7, 8, 8]}
    for output, expected in elements.items():
        places = data.planted(output)
        assert sum(map(bool, places)) == data.frame[f"groups:{output}"].sum() > 20
        for at, regions in enumerate(places):
            for region in regions:
                assert graphs[at].nodes[list(region.nodes), 0].tolist() == expected


def test_labels_follow_the_rules(data):
    frame = data.frame
    counts = frame[[f"count:{name}" for name in GROUPS]].to_numpy()
    clean = counts @ np.array(list(questions.WORTH.values()))
    noise = frame["group-sum"] - clean
    assert noise.std() / clean.std() == pytest.approx(0.1, abs=0.015)
    assert ((frame["count:acid"] > 0) == frame["acid"]).all()
    assert (((frame["count:hydroxyl"] > 0) ^ (frame["count:nitrile"] > 0)) == frame["one-kind"]).all()
    # Long molecules alone are asked, and all of them have three rings.
    asked = frame["far-rings"].notna()
    assert asked.mean() == pytest.approx(0.4, abs=0.06)
    assert frame.loc[asked, "atoms"].min() > frame.loc[~asked, "atoms"].quantile(0.95)
    assert {len(one.rings) for one, asked in zip(data.drawn, frame["far-rings"].notna(), strict=True) if asked} == {3}
    far = frame["far-rings"].dropna()
    assert 90 < len(far) < 150
    assert far.mean() == pytest.approx(0.5, abs=0.12)
    assert frame.loc[~asked, "acid"].mean() == pytest.approx(0.5, abs=0.1)
    # The near and the far ring of a long molecule leave a gap, so that nothing hangs on one bond more or less.
    for one in data.drawn:
        if one.far and len(one.rings) == 4:
            assert max([0, *(away for away in one.far if away < questions.FAR)]) <= 10


def test_what_a_question_points_at_is_there_where_it_is_true(data):
    for output, column in (("one kind", "one-kind"), ("many far rings", "far-rings"), ("acid", "acid")):
        places = data.planted(output)
        assert [bool(one) for one in places] == (data.frame[column] == 1).tolist()
    assert all(len(one) == 4 for one in data.planted("many far rings") if one)
    assert data.planted("acids") is None


def test_more_molecules_leave_the_others_as_they_are_and_lots_change_labels_alone(data):
    config = data.config
    more = MoleculesSynthetic(config.model_copy(update={"molecules": 320}))
    assert more.frame["smiles"][:300].equals(data.frame["smiles"])
    lots = MoleculesSynthetic(config.model_copy(update={"random_labels": True}))
    assert lots.frame["smiles"].equals(data.frame["smiles"])
    assert lots.frame["acid"].sum() == data.frame["acid"].sum()
    assert abs(np.corrcoef(lots.frame["acid"], data.frame["acid"])[0, 1]) < 0.2
    assert lots.frame["far-rings"].isna().equals(data.frame["far-rings"].isna())
    assert lots.planted("acid") == data.planted("acid")


def test_a_folder_is_refused_as_nothing_is_read_from_it(tmp_path):
    with pytest.raises(DataError, match="is made up and reads no file"):
        pellucid.dataset("molecules-synthetic", tmp_path)
