"""Deletion of relations on graphs of which it is known which relation an output counts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor

from pellucid.assembly import facts_of
from pellucid.batch import Batch
from pellucid.data.arrays import ArrayDataset
from pellucid.data.graphs import Graphs
from pellucid.data.spec import Binary, DataSpec, Graph, Regression, Vector
from pellucid.data.splits import Split
from pellucid.encoders.abilities import WeighsRelations
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.identity import Identity
from pellucid.errors import LeakageError, NotMeasurable
from pellucid.heads.functions.linear import Linear
from pellucid.model import Model
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.prediction.assessment import label_columns
from pellucid.protocols.relations import RelationDeletion
from pellucid.protocols.relations.deletion import RelationDeletionConfig
from pellucid.representation import Representation
from pellucid.result import NotMeasured
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

RELATIONS = (
    ("node", "decides", "node"),
    ("node", "hints", "node"),
    ("node", "is there", "node"),
    ("node", "whispers", "node"),
)


class Counts(Encoder):
    """How many edges of each relation a graph has."""

    tags = EncoderTags(accepts=("graph",))
    config_type = EncoderConfig

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for _, name, _ in RELATIONS)

    def forward(self, batch: Batch) -> Representation:
        graphs = self.graphs(batch)
        counts = torch.zeros(len(graphs), len(RELATIONS))
        counts.index_put_((graphs.graph_of_edge, graphs.edge_types), torch.ones(1), accumulate=True)
        return Representation(counts, self.names)


class Says(Counts):
    """One that says which relations it goes by, truly or not."""

    weights = (0.7, 0.3, 0.2, 0.05, 0.75)

    choice_names = ("first", "second", "first and fourth", "third", "none")
    choice_sets = (0, 0, 1, 1, 1)
    choice_relations = ((0,), (1,), (0, 3), (2,), ())

    def choice_weights(self, batch: Batch) -> Tensor:
        return torch.tensor(self.weights).expand(len(batch), 5)


def data(samples: int = 400, seed: int = 0) -> ArrayDataset:
    """Edges of four relations by lot; the label is mostly the first, less the second, little the fourth, and not the third."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (samples, 4))
    score = counts @ (1.0, 0.7, 0.0, 0.4) + rng.normal(size=samples)
    graphs = [
        Graphs.of([[0.0]] * 4, rng.integers(0, 4, (some.sum(), 2)), None, [0] * 4, np.repeat(range(4), some))
        for some in counts
    ]
    frame = pd.DataFrame(
        {"subject": [f"p{at // 2}" for at in range(samples)], "y": (score > np.median(score)).astype(float)},
        index=[f"s{at}" for at in range(samples)],
    )
    spec = DataSpec(
        name="counts",
        namespace="counts",
        inputs={
            "plain": Vector(names=("a",)),
            "graph": Graph(node_features=("x",), node_types=("node",), relations=RELATIONS),
        },
        targets={"y": Binary(names=("few", "many"))},
    )
    return ArrayDataset(spec, frame, {"plain": np.zeros((samples, 1), np.float32), "graph": Graphs.joined(graphs)})


def fitted(kind: type[Encoder] = Says, input: str = "graph") -> FittedFold:
    all_ = data()
    split = Split(0, np.arange(0, 200), np.arange(200, 240), np.arange(240, 400))
    encoders: dict[str, Encoder] = {"e": kind(kind.config_type(inputs={input: all_.spec.input(input)}))}
    head = Linear(Linear.config_type(target=all_.spec.target("y"), **facts_of(encoders)))
    sides = Sides(all_.subset(split.train), all_.subset(split.validation), "y")
    model, _ = fit_model(encoders, head, sides, TrainingSettings(epochs=30, learning_rate=0.03))
    return FittedFold(all_, "y", split, {"linear": model}, None, 0)


def concluded(fold: FittedFold):
    protocol = RelationDeletion(RelationDeletionConfig(replicates=200))
    tags = {part: model.head.tags for part, model in fold.models.items()}
    context = Context(fold.dataset.spec, "y", tags, "", 0)
    rows = protocol.examine(fold).assign(fold=0)
    return {one.metric: one for one in protocol.conclude(rows, context)}, protocol.figures(rows, context)


@pytest.fixture(scope="module")
def fold() -> FittedFold:
    return fitted()


def test_what_is_lost_is_what_the_label_was_made_of(fold):
    found, figures = concluded(fold)
    decides, hints, there, whispers = (found[f"loss:node-{name}-node"] for _, name, _ in RELATIONS)
    assert decides.value > 1.5 * hints.value > 3 * whispers.value > 0.03
    assert abs(there.value) < 0.01
    assert decides.low > hints.high
    assert there.low <= 0 <= there.high or abs(there.high) < 0.01
    assert decides.baseline == pytest.approx((decides.value + hints.value + there.value + whispers.value) / 4)
    assert f"AUROC of “linear” is {decides.value:.3f} lower" in decides.sentence
    assert decides.n_samples == 160
    assert decides.n_subjects == 80
    assert all(isinstance(one, Figure) for one in figures.values())
    assert len(figures) == 2


def test_a_loss_is_the_difference_of_scores_of_graphs_with_and_without_the_edges(fold):
    from sklearn.metrics import roc_auc_score

    found, _ = concluded(fold)
    test = fold.dataset.subset(fold.split.test)
    graphs = [test.read(np.array([at])).inputs["graph"] for at in range(len(test))]
    labels = test.target_values("y")[:, 0]
    head, names = fold.models["linear"].head, tuple(name for _, name, _ in RELATIONS)

    def score(gone: int) -> float:
        counts = [[int((one.edge_types == at).sum()) * (at != gone) for at in range(4)] for one in graphs]
        with torch.no_grad():
            said = head(Representation(torch.tensor(counts, dtype=torch.float32), names))
        return float(roc_auc_score(labels, said[:, 0]))

    for at, (_, name, _) in enumerate(RELATIONS):
        assert found[f"loss:node-{name}-node"].value == pytest.approx(score(-1) - score(at), abs=1e-9)


def test_weights_and_shares_are_those_that_the_encoder_says(fold):
    found, _ = concluded(fold)
    assert isinstance(fold.models["linear"].encoders["e"], WeighsRelations)
    assert found["weight:second"].value == pytest.approx(0.3)
    assert found["weight:second"].chance == 0.5
    assert found["agreement"].value == 1
    rows = RelationDeletion().examine(fold)
    # The first relation is needed by a choice in each of two sets.
    shares = [float(rows[f"share:node-{name}-node"].iloc[0]) for _, name, _ in RELATIONS]
    assert shares == pytest.approx([(0.7 + 0.2) / 2, 0.3 / 2, 0.05 / 2, 0.2 / 2])


def test_of_numbers_a_loss_is_how_much_larger_the_error_is_and_weights_are_means(fold):
    rng = np.random.default_rng(0)
    target = Regression(names=("size",), units=("mm",))
    spec = fold.dataset.spec.model_copy(update={"targets": {"size": target}})
    truth, near, far = rng.normal(size=(3, 40))
    names = [f"node-{name}-node" for _, name, _ in RELATIONS]
    weight = rng.random(40)
    rows = pd.DataFrame(
        {
            "part": "linear",
            "sample": [f"s{at}" for at in range(40)],
            "subject": [f"p{at // 2}" for at in range(40)],
            "fold": np.arange(40) // 20,
            **dict(zip(label_columns(target), truth[None], strict=True)),
            "whole:says:size": truth + 0.1 * near,
            **{f"without {name}:says:size": truth + 0.1 * near + at * far for at, name in enumerate(names)},
            **{f"share:{name}": weight * at for at, name in enumerate(names)},
            "weight 0:one": weight,
            "weight 0:other": 1 - weight,
            "weight 1:third": 1.0,
        }
    )
    context = Context(spec, "size", {"linear": fold.models["linear"].head.tags}, "", 0)
    found = {
        one.metric: one for one in RelationDeletion(RelationDeletionConfig(replicates=200)).conclude(rows, context)
    }
    for at, name in enumerate(names):
        expected = [
            np.abs(0.1 * near + at * far)[one].mean() - np.abs(0.1 * near)[one].mean()
            for one in (slice(20), slice(20, 40))
        ]
        assert found[f"loss:{name}"].value == pytest.approx(np.mean(expected))
    assert found[f"loss:{names[3]}"].low > 0
    assert found["weight:one"].value == pytest.approx(weight.mean())
    assert found["weight:one"].low < weight.mean() < found["weight:one"].high
    assert [found[f"weight:{name}"].chance for name in ("one", "other", "third")] == [0.5, 0.5, 1.0]
    assert found["agreement"].value == pytest.approx(1)
    assert all(one.higher_is_better for one in found.values())
    assert f"MAE of “linear” is {found[f'loss:{names[3]}'].value:.3f} higher" in found[f"loss:{names[3]}"].sentence


def test_an_encoder_that_says_the_opposite_does_not_agree(fold, monkeypatch):
    monkeypatch.setattr(Says, "choice_relations", ((2,), (3,), (2, 1), (0,), ()))
    found, _ = concluded(fold)
    assert found["agreement"].value == -1


def test_an_order_of_few_relations_is_not_measured(fold):
    protocol = RelationDeletion(RelationDeletionConfig(replicates=100))
    rows = protocol.examine(fold).assign(fold=0)
    less = rows[[column for column in rows if "whispers" not in column]]
    context = Context(fold.dataset.spec, "y", {"linear": fold.models["linear"].head.tags}, "", 0)
    lacking = [one for one in protocol.conclude(less, context) if isinstance(one, NotMeasured)]
    assert [one.metric for one in lacking] == ["agreement"]
    assert "3 relations" in lacking[0].because


def test_an_encoder_that_says_nothing_has_losses_alone():
    found, figures = concluded(fitted(Counts))
    assert list(found) == [f"loss:node-{name}-node" for _, name, _ in RELATIONS]
    assert len(figures) == 1


def test_subjects_that_were_learnt_from_are_refused(fold):
    leaky = dataclasses.replace(fold, split=dataclasses.replace(fold.split, test=fold.split.train))
    with pytest.raises(LeakageError):
        RelationDeletion().examine(leaky)


def test_where_nothing_can_be_taken_out_it_says_why(fold):
    plain = fitted(Identity, "plain")
    with pytest.raises(NotMeasurable, match="no model of this study reads 'graph'"):
        RelationDeletion().examine(plain)
    spec = fold.dataset.spec.model_copy(update={"inputs": {"plain": fold.dataset.spec.input("plain")}})
    assert "no input of dataset 'counts' is a graph with several relations" in RelationDeletion().unfit(
        Context(spec, "y", {}, "", 0)
    )
    named = RelationDeletion(RelationDeletionConfig(input="plain"))
    assert "there are: graph" in named.unfit(Context(fold.dataset.spec, "y", {}, "", 0))


def test_models_are_left_as_they_were(fold):
    model: Model = fold.models["linear"]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    RelationDeletion().examine(fold)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
