"""Acceptance of the graph networks of molecules on made-up ones: what they must reach, what must not, and where they look.

Networks are 64 wide here in place of 300, as eight fits must fit in a few minutes of one core; figures of each seed stand in
docs/systems.md. The controls (linear models of counts, sums of atoms, depth) were never loosened but for one: labels by lot were
first asked of a single fit within 0.15 of one half. One such fit points in a direction of its own by chance (0.32 to 0.78 over
twelve), so the mean of several is asked for, within 0.10.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from pellucid.batch import Batch, collate
from pellucid.data.spec import MultiLabel
from pellucid.data.subset import Subset
from pellucid.encoders.base import Encoder
from pellucid.graph_batch import GraphBatch
from pellucid.heads.additive_tokens import AdditiveTokens
from pellucid.heads.base import target_loss
from pellucid.heads.mlp import Mlp
from pellucid.model import Model
from pellucid.protocols.splitting.subject_holdout import SubjectHoldout, SubjectHoldoutConfig
from pellucid.training.fit import Sides, fit_model, prepare_encoder
from pellucid.training.settings import TrainingSettings
from pellucid_datasets.molecules.grammar import GROUPS
from pellucid_molecules.encoders.dmpnn import Dmpnn, messages, opposite
from pellucid_molecules.encoders.features import GraphFeatures
from pellucid_molecules.encoders.gin import Gin
from pellucid_molecules.featurising.fingerprints import morgan_counts
from pellucid_molecules.featurising.structures import molecule_of
from pellucid_molecules.gnn_explainer import GnnExplainer, GnnExplainerConfig
from pellucid_molecules.synthetic import MoleculesSynthetic, MoleculesSyntheticConfig

pytestmark = [pytest.mark.reproduction, pytest.mark.xdist_group("baseline-molecules")]

FIT = TrainingSettings(epochs=12, batch_size=64, learning_rate=3e-3, patience=None)
NETWORKS = {"dmpnn": (Dmpnn, {"hidden": 64, "readout": "norm"}), "gin": (Gin, {"hidden": 64, "layers": 3, "readout": "norm"})}  # fmt: skip
BITS = 2048


@dataclass(frozen=True)
class Learning(Sides):
    test: Subset = field(kw_only=True)


def sides(data: MoleculesSynthetic, seed: int, target: str) -> Learning:
    """Molecules to learn from, to stop by and to be judged on, no two of these with one scaffold."""
    some = data.labelled(target)
    (split,) = SubjectHoldout(SubjectHoldoutConfig(test=0.2, validation=0.1)).splits(some, target, seed)
    return Learning(some.subset(split.train), some.subset(split.validation), target, test=some.subset(split.test))


def fit(some: Learning, kind, options, head=Mlp, seed: int = 0, settings: TrainingSettings = FIT, **about) -> Model:
    torch.manual_seed(seed)
    spec = some.train.spec
    encoder: Encoder = kind(kind.config_type(inputs={"molecule": spec.input("molecule")}, **options))
    tokens = {"molecule": encoder.token_shapes[""]} if encoder.token_shapes else {}
    units = tuple(f"molecule:{name}" for name in encoder.names)
    made = head(head.config_type(units=units, target=spec.target(some.target), tokens=tokens, **about))
    prepare_encoder(encoder, some)
    model, _ = fit_model({"molecule": encoder}, made, some, settings.model_copy(update={"seed": seed}))
    return model


def labels(some: Subset, target: str) -> np.ndarray:
    return some.target_values(target)[:, 0]


def score(model: Model, some: Learning) -> float:
    found, known = model.logits(some.test).numpy()[:, 0], labels(some.test, some.target)
    return r2_score(known, found) if some.target == "group-sum" else roc_auc_score(known, found)


def atom_sums(some: Subset) -> np.ndarray:
    """What is left of a molecule where atoms are counted and bonds forgotten, shape (molecule, feature)."""
    features = GraphFeatures(some.spec.input("molecule"))
    graphs = GraphBatch.of(some.read(np.arange(len(some))).inputs["molecule"])
    return graphs.summed(features.nodes(graphs)).numpy()


SEEDS = [0, pytest.param(1, marks=pytest.mark.nightly), pytest.param(2, marks=pytest.mark.nightly)]


@dataclass
class Compact:
    """Molecules of ordinary size, and what was learnt of them."""

    seed: int

    @cached_property
    def data(self) -> MoleculesSynthetic:
        return MoleculesSynthetic(MoleculesSyntheticConfig(molecules=3000, long=0.0, seed=self.seed))

    def learning(self, target: str) -> Learning:
        return sides(self.data, self.seed, target)

    def score(self, name: str, target: str, settings: TrainingSettings = FIT, **about) -> float:
        some = self.learning(target)
        return score(fit(some, *NETWORKS[name], seed=self.seed, settings=settings, **about), some)


@pytest.fixture(scope="module", params=SEEDS)
def compact(request) -> Compact:
    return Compact(request.param)


# --- 1: what travels where, exactly -----------------------------------------------------------------------------------


def along_a_path(length: int) -> GraphBatch:
    torch.manual_seed(0)
    ahead = torch.arange(length - 1)
    edges = torch.cat([torch.stack([ahead, ahead + 1]), torch.stack([ahead + 1, ahead])], 1)
    values = torch.randn(length - 1, 2).repeat(2, 1)
    return GraphBatch(torch.randn(length, 2), edges, values, torch.zeros(length, dtype=torch.long), 1)


def test_no_message_goes_back_at_once():
    path = along_a_path(5)
    states, back = torch.randn(8, 3), opposite(path.edge_index, path.edge_values, 5)
    gathered = messages(states, path.edge_index, back, 5)
    for edge, (source, goal) in enumerate(path.edge_index.t().tolist()):
        from_goal = path.edge_index[0] == goal
        other = messages(states + 50 * from_goal[:, None], path.edge_index, back, 5)
        torch.testing.assert_close(other[edge], gathered[edge], atol=1e-4, rtol=0)
        # What the other neighbour says is all there is.
        rest = [at for at in range(8) if path.edge_index[1, at] == source and path.edge_index[0, at] != goal]
        torch.testing.assert_close(gathered[edge], states[rest].sum(0), atol=1e-5, rtol=0)


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_an_atom_sees_as_many_bonds_away_as_the_network_is_deep(depth):
    from pellucid.data.spec import Graph

    torch.manual_seed(0)
    spec = Graph(node_features=("a", "b"), edge_features=("c", "d"))
    encoder = Dmpnn(Dmpnn.config_type(inputs={"x": spec}, depth=depth)).eval()
    path = along_a_path(depth + 2)
    nodes = path.nodes.requires_grad_(True)
    (seen,) = torch.autograd.grad(encoder.states(path.with_nodes(nodes))[0].sum(), nodes)
    assert (seen[:-1].abs().sum(1) > 0).all()
    assert (seen[-1] == 0).all()


# --- 2: sums of groups ------------------------------------------------------------------------------------------------


def test_a_forest_on_fingerprints_adds_groups_up(compact):
    some = compact.learning("group-sum")
    x = [np.stack([morgan_counts(molecule_of(text), BITS) for text in one.frame["smiles"]]) for one in (some.train, some.test)]  # fmt: skip
    y = [labels(one, some.target) for one in (some.train, some.test)]
    found = []
    for kind in (lambda counts: counts, lambda counts: counts > 0):
        forest = RandomForestRegressor(100, max_features=0.3, random_state=0).fit(kind(x[0]), y[0])
        found.append(r2_score(y[1], forest.predict(kind(x[1]))))
    constant = r2_score(y[1], np.full(len(y[1]), y[0].mean()))
    print(f"R2 of forests on counts {found[0]:.3f}, on bits {found[1]:.3f}; constant {constant:.3f}")
    assert found[0] >= 0.85
    assert constant == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(("name", "least"), [("dmpnn", 0.90), ("gin", 0.88)])
def test_networks_add_groups_up(compact, name, least):
    found = compact.score(name, "group-sum")
    print(f"R2 of {name}: {found:.3f}")
    assert found >= least


# --- 3: one kind of group but not both --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_tell_one_kind_of_group_from_both(compact, name):
    # Either-or gives no slope to begin with: nothing is learnt for some ten epochs, and then all of it. A head without dropout,
    # as chemprop has it, gets there sooner.
    settings = FIT.model_copy(update={"epochs": 20, "batch_size": 32, "learning_rate": 2e-3})
    found = compact.score(name, "one-kind", settings, hidden=(128,), dropout=0.0)
    print(f"AUROC of {name}: {found:.3f}")
    assert found >= 0.97


def test_neither_counts_of_groups_nor_of_atoms_tell_it_to_a_linear_model(compact):
    some = compact.learning("one-kind")
    y = [labels(one, some.target) for one in (some.train, some.test)]
    columns = [f"count:{name}" for name in GROUPS]
    tables = {"groups": lambda one: one.frame[columns].to_numpy(), "atoms": atom_sums}
    for name, table in tables.items():
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(table(some.train), y[0])
        found = roc_auc_score(y[1], linear.decision_function(table(some.test)))
        print(f"AUROC of a linear model of counts of {name}: {found:.3f}")
        assert found <= 0.60


# --- 4: what lies far apart -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_what_lies_far_apart_takes_depth(seed):
    data = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=1200, long=1.0, seed=seed))
    some = sides(data, seed, "far-rings")
    settings = FIT.model_copy(update={"epochs": 16, "batch_size": 32, "learning_rate": 2e-3})
    about = {"hidden": (128,), "dropout": 0.0}
    found = {}
    for depth in (3, 6):
        network = {"hidden": 64, "readout": "norm", "depth": depth}
        found[depth] = score(fit(some, Dmpnn, network, seed=seed, settings=settings, **about), some)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    linear.fit(atom_sums(some.train), labels(some.train, some.target))
    toy = roc_auc_score(labels(some.test, some.target), linear.decision_function(atom_sums(some.test)))
    print(f"AUROC at depth 3 {found[3]:.3f}, at depth 6 {found[6]:.3f}; of sums of atoms {toy:.3f}")
    assert found[6] >= 0.95
    assert found[3] <= found[6] - 0.05
    assert toy <= 0.60


# --- 5: order, scaffolds, missing labels ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Dmpnn, Gin])
def test_numbering_atoms_otherwise_changes_nothing(kind):
    data = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=40, seed=5))
    graphs = GraphBatch.of(data.read(np.arange(40)).inputs["molecule"])
    drawn = torch.rand(len(graphs.nodes), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    order = (graphs.graph_of_node + drawn).argsort()
    other = GraphBatch(
        graphs.nodes[order], order.argsort()[graphs.edge_index], graphs.edge_values, graphs.graph_of_node, len(graphs)
    )
    encoder = kind(kind.config_type(inputs={"molecule": data.spec.input("molecule")})).eval()
    with torch.no_grad():
        found = [encoder(Batch({"molecule": one})).values for one in (graphs, other)]
    torch.testing.assert_close(*found, atol=1e-5, rtol=1e-5)


def test_no_scaffold_stands_on_two_sides_and_the_split_is_the_same_each_time():
    data = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=400, seed=1))
    first, again, other = (sides(data, seed, "acid") for seed in (0, 0, 1))
    groups = [set(one.frame["scaffold"]) for one in (first.train, first.validation, first.test)]
    assert not groups[0] & groups[1]
    assert not (groups[0] | groups[1]) & groups[2]
    assert first.test.frame.index.equals(again.test.frame.index)
    assert not first.test.frame.index.equals(other.test.frame.index)


def test_a_missing_label_teaches_nothing():
    target = MultiLabel(names=("a", "b"), partial=True)
    logits = torch.tensor([[0.3, -0.2], [1.0, 0.5]], requires_grad=True)
    known = torch.tensor([[1.0, float("nan")], [0.0, 1.0]])
    target_loss(target, logits, Batch({"x": torch.zeros(2, 1)}, targets=known)).backward()
    assert logits.grad is not None
    assert logits.grad[0, 1] == 0
    assert (logits.grad[[0, 1, 1], [0, 0, 1]] != 0).all()


# --- where they look --------------------------------------------------------------------------------------------------


def found_atoms(said: list[np.ndarray], truth: list) -> float:
    """AUROC of what is said of atoms against the planted ones, mean over the molecules that have some."""
    scores = []
    for values, regions in zip(said, truth, strict=True):
        planted = np.zeros(len(values), int)
        planted[[atom for region in regions for atom in region.nodes]] = 1
        if 0 < planted.sum() < len(planted):
            scores.append(roc_auc_score(planted, values))
    return float(np.mean(scores))


def acids(seed: int, molecules: int = 2000, **options) -> Learning:
    data = MoleculesSynthetic(MoleculesSyntheticConfig(molecules=molecules, long=0.0, seed=seed, **options))
    return sides(data, seed, "acid")


def by_atom(some: Learning, seed: int, epochs: int = 8) -> tuple[float, float]:
    """AUROC of the label, and of atoms, by what each atom adds."""
    network = {"hidden": 64, "layers": 3, "tokens": True}
    settings = FIT.model_copy(update={"epochs": epochs, "learning_rate": 2e-3})
    model = fit(some, Gin, network, AdditiveTokens, seed, settings, pool="sum", beside=False)
    explanation = model.explain(some.test, "acid")
    assert explanation.known is not None
    assert explanation.gap.abs().max() < 1e-4
    rows = zip(explanation.contributions.numpy(), explanation.known.numpy(), strict=True)
    said = [values[there] for values, there in rows]
    return score(model, some), found_atoms(said, some.test.planted("acid"))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_atoms_add_points_at_the_planted_group_on_unseen_scaffolds(seed):
    label, atoms = by_atom(acids(seed), seed)
    print(f"gin with additive-tokens: AUROC of the label {label:.3f}, of atoms {atoms:.3f}")
    assert label >= 0.97
    assert atoms >= 0.90


def test_of_labels_by_lot_nothing_is_learnt_and_atoms_are_found_no_more_often_than_not():
    # Atoms of one kind are said the same of everywhere, so a single fit that learnt nothing may point at acids or away from them:
    # over several fits these cancel, and none comes near to what is asked for.
    found = np.array([by_atom(acids(seed, 600, random_labels=True), seed, epochs=4) for seed in range(12)])
    label, atoms = found.mean(0)
    print(
        f"labels by lot: AUROC of the label {label:.3f}, of atoms {atoms:.3f}, {found[:, 1].min():.3f} to {found[:, 1].max():.3f}"
    )
    assert label == pytest.approx(0.5, abs=0.05)
    assert atoms == pytest.approx(0.5, abs=0.10)
    assert found[:, 1].max() < 0.90


class OfVectors(nn.Module):
    """A model as torch_geometric's explainers want it: vectors of nodes and edges in, logits out."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model
        (self.encoder,) = (one for _, one in model.named_encoders())

    def nodes(self, graphs: GraphBatch) -> torch.Tensor:
        return self.x

    def edges(self, graphs: GraphBatch) -> torch.Tensor:
        return self.e

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor, e: torch.Tensor) -> torch.Tensor:
        self.x, self.e = x, e
        graphs = GraphBatch(x, edge_index, e, torch.zeros(len(x), dtype=torch.long), 1)
        features, self.encoder._modules["features"] = self.encoder.features, self
        try:
            return self.model(Batch({"molecule": graphs}))
        finally:
            self.encoder._modules["features"] = features


@pytest.mark.nightly
def test_a_mask_learnt_afterwards_stands_beside():
    from torch_geometric.explain import Explainer, GNNExplainer

    some = acids(0)
    model = fit(some, *NETWORKS["gin"], settings=FIT.model_copy(update={"epochs": 8, "learning_rate": 2e-3})).eval()
    explainer = Explainer(
        OfVectors(model),
        GNNExplainer(epochs=60),
        explanation_type="model",
        node_mask_type="object",
        model_config={"mode": "binary_classification", "task_level": "graph", "return_type": "raw"},
    )
    chosen = np.flatnonzero(labels(some.test, "acid") == 1)[:40]
    features, said = model.encoders["molecule"].features, []
    for at in chosen:
        graphs = GraphBatch.of(some.test.read(np.array([at])).inputs["molecule"])
        torch.manual_seed(int(at))
        explained = explainer(features.nodes(graphs), graphs.edge_index, e=features.edges(graphs))
        said.append(explained.node_mask[:, 0].detach().numpy())
    truth = [some.test.planted("acid")[at] for at in chosen]
    atoms = found_atoms(said, truth)
    # The reference that studies name asks about all molecules at once.
    found = GnnExplainer(GnnExplainerConfig()).places(model, collate(some.test, chosen), target="acid")
    together = found_atoms([one.scores for one in found], truth)
    alike = np.mean([spearmanr(one.scores, alone).statistic for one, alone in zip(found, said, strict=True)])
    print(
        f"gin with mlp: AUROC of the label {score(model, some):.3f}; GNNExplainer, AUROC of atoms {atoms:.3f}, together {together:.3f}"
    )
    print(f"rank correlation of masks learnt alone and together {alike:.3f}")
    assert 0.5 < atoms <= 1
    assert 0.5 < together <= 1
    assert alike > 0.5
