"""Bonds as places: each once, whichever way its edges go, and what atoms and bonds add is the whole output."""

import numpy as np
import pytest
import torch

from pellucid.assembly import facts_of
from pellucid.batch import collate
from pellucid.data.subset import Subset
from pellucid.graph_batch import GraphBatch
from pellucid.heads.additive_tokens import AdditiveTokens, AdditiveTokensConfig
from pellucid.model import Model
from pellucid.regions import Subgraph
from pellucid.representation import concatenated
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings
from pellucid_molecules.encoders.dmpnn import Dmpnn
from pellucid_molecules.encoders.gin import Gin
from pellucid_molecules.featurising.structures import molecule_of
from pellucid_molecules.synthetic import MoleculesSynthetic, MoleculesSyntheticConfig

DATA = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=300, long=0.0))


def encoder_of(kind=Gin, **options):
    torch.manual_seed(0)
    config = kind.config_type(inputs={"molecule": DATA.spec.input("molecule")}, hidden=16, tokens=True, **options)
    return kind(config).eval()


def additive(encoder, pool="sum"):
    encoders = {"molecule": encoder}
    config = AdditiveTokensConfig(target=DATA.spec.target("acid"), pool=pool, beside=False, **facts_of(encoders))
    return Model(encoders, AdditiveTokens(config)).eval()


@pytest.mark.parametrize("kind", [Gin, Dmpnn])
def test_tokens_are_the_atoms_and_then_the_bonds_that_the_molecule_has(kind):
    batch = collate(DATA, np.arange(12))
    with torch.no_grad():
        with_bonds, without = encoder_of(kind, bonds=True), encoder_of(kind)
        without.load_state_dict({n: v for n, v in with_bonds.state_dict().items() if not n.startswith("bond_states")})
        tokens, alone = with_bonds(batch).tokens[""], without(batch).tokens[""]
    for row in range(12):
        molecule = molecule_of(DATA.frame["smiles"].iloc[row])
        there = int(tokens.known[row].sum())
        atoms = molecule.GetNumAtoms()
        bonds = {tuple(sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))) for bond in molecule.GetBonds()}
        assert there == atoms + len(bonds)
        regions = tokens.regions_of(row)[:there]
        assert regions[:atoms] == tuple(Subgraph((at,)) for at in range(atoms))
        assert regions[atoms:] == tuple(Subgraph(pair, (pair,)) for pair in sorted(bonds))
        torch.testing.assert_close(tokens.values[row, :atoms], alone.values[row, :atoms])


@pytest.mark.parametrize("pool", ["sum", "mean"])
def test_what_atoms_and_bonds_add_is_the_logit_and_bonds_have_a_part_in_it(pool):
    model = additive(encoder_of(bonds=True), pool)
    some = Subset(DATA, np.arange(30))
    found = model.explain(some, "acid")
    total = found.baseline + found.contributions.sum(1)
    torch.testing.assert_close(total, model.logits(some)[:, 0], atol=1e-5, rtol=1e-5)
    regions = {one.region for evidence in found.evidence for one in evidence}
    assert any(one.edges for one in regions)
    counts = [int((found.known[row] & (found.contributions[row] != 0)).sum()) for row in range(30)]
    assert counts > DATA.frame["atoms"].iloc[:30].tolist()


def test_tokens_of_several_batches_and_of_some_samples_keep_their_ends():
    model = additive(encoder_of(bonds=True))
    together = model.representation(Subset(DATA, np.arange(20))).tokens["molecule"]
    apart = [model.representation(Subset(DATA, np.array([at]))) for at in range(20)]
    put_together = concatenated(apart).tokens["molecule"]
    assert torch.equal(put_together.ends, together.ends)
    apart = [one.tokens["molecule"] for one in apart]
    for row, one in enumerate(apart):
        count = int(one.known.sum())
        assert together.regions_of(row)[:count] == one.regions_of(0)
        assert together.rows(torch.tensor([row])).regions_of(0) == together.regions_of(row)


def test_numbering_atoms_otherwise_changes_no_bond():
    graphs = GraphBatch.of(DATA.read(np.arange(1)).inputs["molecule"])
    order = torch.randperm(len(graphs.nodes), generator=torch.Generator().manual_seed(0))
    other = GraphBatch(
        graphs.nodes[order],
        order.argsort()[graphs.edge_index].flip(1),
        graphs.edge_values.flip(0),
        graphs.graph_of_node,
        1,
    )
    encoder = encoder_of(bonds=True)
    batch = collate(DATA, np.arange(1))
    said = []
    for one in (graphs, other):
        batch.inputs["molecule"] = one
        with torch.no_grad():
            tokens = encoder(batch).tokens[""]
        names = order.tolist() if one is other else list(range(len(order)))
        said.append(
            {
                frozenset(names[at] for at in pair): tokens.values[0, place]
                for place, pair in enumerate(tokens.ends[0].tolist())
            }
        )
    assert said[0].keys() == said[1].keys()
    for where, values in said[0].items():
        torch.testing.assert_close(values, said[1][where], atol=1e-5, rtol=1e-5)


def test_bonds_without_atoms_are_refused():
    with pytest.raises(ValueError, match="set tokens to true"):
        Gin.config_type(inputs={"molecule": DATA.spec.input("molecule")}, bonds=True)


def test_a_model_of_atoms_and_bonds_learns_and_points_at_the_acid():
    train, validation, test = (Subset(DATA, np.arange(*ends)) for ends in ((0, 200), (200, 240), (240, 300)))
    made = additive(encoder_of(bonds=True))
    settings = TrainingSettings(epochs=12, learning_rate=5e-3, batch_size=32)
    model, _ = fit_model(
        dict(made.named_encoders()), made.head, Sides(train, validation, "acid"), settings, name="head additive"
    )
    found = model.eval().explain(test, "acid")
    label = test.frame["acid"].to_numpy()
    nearer = []
    for row in np.flatnonzero(label == 1):
        atoms = {atom for region in test.planted("acid")[row] for atom in region.nodes}
        best = max(found.evidence[row], key=lambda one: float(found.contributions[row, found.names.index(one.unit)]))
        nearer.append(bool(atoms & set(best.region.nodes)))
    print(f"strongest place lies at the acid in {np.mean(nearer):.2f} of {len(nearer)}")
    assert np.mean(nearer) > 0.8
