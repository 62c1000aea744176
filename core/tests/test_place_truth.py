"""Explanations beside what makes a label true: found where it is, not found by a model of shuffled labels."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from pellucid.assembly import facts_of
from pellucid.data.arrays import ArrayDataset
from pellucid.data.graphs import Graphs
from pellucid.data.relabelled import Relabelled
from pellucid.data.samples import Place
from pellucid.data.spec import Binary, DataSpec, Graph, Image, Regression, Vector
from pellucid.data.splits import Split
from pellucid.encoders.base import Encoder, EncoderConfig, EncoderTags
from pellucid.encoders.identity import Identity, IdentityConfig
from pellucid.errors import NotMeasurable
from pellucid.gathering.places import own_places
from pellucid.heads.additive_tokens import AdditiveTokens, AdditiveTokensConfig
from pellucid.heads.functions.linear import Linear
from pellucid.heads.tokens import LinearTokens, LinearTokensConfig
from pellucid.protocols.base import Context, FittedFold
from pellucid.protocols.baseline import TrivialBaseline
from pellucid.protocols.explanations.kinds import KIND, PlaceKinds
from pellucid.protocols.explanations.truth import PlaceTruth, PlaceTruthConfig
from pellucid.regions import Box, Subgraph, TimeSpan
from pellucid.representation import Representation, Tokens, TokenShape
from pellucid.testing.planted import planted
from pellucid.training.fit import Sides, fit_model
from pellucid.training.settings import TrainingSettings

TARGET = "has it"


class Nodes(Encoder):
    """Nodes as tokens, as they are; their mean as units."""

    tags = EncoderTags(accepts=("graph",))
    config_type = EncoderConfig
    names = ("a", "b", "c")

    def __init__(self, config):
        super().__init__()
        self.config = config

    @property
    def token_shapes(self):
        return {"": TokenShape(count=0, varying=True, width=3, word=("atom", "atoms"))}

    def forward(self, batch):
        x = self.graphs(batch)
        values, known = x.padded(x.nodes)
        regions = tuple(Subgraph((at,)) for at in range(values.shape[1]))
        return Representation(
            x.mean(x.nodes), self.names, {"": Tokens(values, regions, known=known, input=self.input_name)}
        )


class Made(ArrayDataset):
    """Nodes of two kinds; in half of the graphs one node of a third kind, which makes the label true.

    Without noise the features of a node say of what kind it is; with it they are numbers that a model has to read.
    """

    def __init__(self, count=160, seed=0, noise=0.05):
        rng = np.random.default_rng(seed)
        found, self.where = [], []
        for at in range(count):
            size = int(rng.integers(4, 9))
            kind = rng.integers(0, 2, size)
            there = (int(rng.integers(size)),) if at % 2 else ()
            kind[list(there)] = 2
            nodes = np.eye(3)[kind] + noise * rng.normal(size=(size, 3))
            found.append(Graphs.of(nodes, [(i, i + 1) for i in range(size - 1)]))
            self.where.append((Subgraph(there),) if there else ())
        frame = pd.DataFrame(
            {"subject": [f"s{at}" for at in range(count)], TARGET: np.arange(count) % 2 * 1.0},
            index=[f"g{at}" for at in range(count)],
        )
        spec = DataSpec(
            name="made",
            inputs={"graph": Graph(node_features=("a", "b", "c"), node_word=("atom", "atoms"))},
            targets={TARGET: Binary(names=("no", "yes"))},
            namespace="made",
        )
        super().__init__(spec, frame, {"graph": Graphs.joined(found)})

    def planted(self, output):
        return self.where if output == "yes" else None


class Sums(Made):
    """A number that each node of the third kind raises by one, and each of the first kind lowers by one."""

    def __init__(self):
        super().__init__()
        nodes = self.read(np.arange(len(self))).inputs["graph"]
        kinds = np.split(nodes.nodes.argmax(1), np.cumsum(nodes.node_counts)[:-1])
        self.where = [tuple(Subgraph((int(at),)) for at in np.flatnonzero(kind != 1)) for kind in kinds]
        self.frame[TARGET] = [float((kind == 2).sum() - (kind == 0).sum()) for kind in kinds]
        self.spec = self.spec.model_copy(update={"targets": {TARGET: Regression(names=("yes",), units=("1",))}})


def fold_of(data, seed=0):
    split = Split(0, np.arange(0, 80), np.arange(80, 110), np.arange(110, 160))
    encoders = {"graph": Nodes(EncoderConfig(inputs=data.spec.inputs))}
    config = AdditiveTokensConfig(target=data.spec.target(TARGET), pool="sum", hidden=0, **facts_of(encoders))
    torch.manual_seed(seed)
    settings = TrainingSettings(epochs=30, learning_rate=0.05, batch_size=16)
    sides = Sides(data.subset(split.train), data.subset(split.validation), TARGET)
    model, _ = fit_model(encoders, AdditiveTokens(config), sides, settings, name="head additive")
    baseline = TrivialBaseline(data.spec, TARGET).fit(sides.train)
    training = {"encoder graph": settings, "head additive": settings}
    fold = FittedFold(data, TARGET, split, {"additive": model}, baseline, seed, training=training)
    return fold, Context(data.spec, TARGET, {"additive": model.head.tags}, "prevalence", seed)


@pytest.fixture(scope="module")
def judged():
    fold, context = fold_of(Made())
    protocol = PlaceTruth(PlaceTruthConfig(samples=20, shuffles=6))
    rows = protocol.examine(fold).assign(fold=0)
    return fold, rows, by_metric(protocol.conclude(rows, context))


def by_metric(results):
    return {one.metric: one for one in results if one.part != KIND}


def test_the_node_that_makes_the_label_true_comes_first(judged):
    _, rows, results = judged
    assert len(rows) == 20
    for metric in ("place_auroc", "place_auroc_removal"):
        assert results[metric].value == 1.0
        assert results[metric].passed
        assert results[metric].chance == 0.5
        # Shuffled labels teach nothing about the third kind: whether it is for or against the label is chance.
        assert 0.0 <= results[metric].baseline < 1.0
        assert results[metric].baseline == pytest.approx(
            rows[f"{'own' if metric == 'place_auroc' else 'removal'}_shuffled"].mean()
        )


def test_a_model_of_shuffled_labels_is_another_model_of_the_same_samples(judged):
    fold, rows, _ = judged
    assert set(rows["sample"]) <= set(fold.dataset.frame.index[fold.split.test])
    data = Relabelled.shuffled(fold.dataset, TARGET, seed="x")
    assert sorted(data.frame[TARGET]) == sorted(fold.dataset.frame[TARGET])
    assert (data.frame[TARGET] != fold.dataset.frame[TARGET]).mean() == pytest.approx(0.5, abs=0.15)
    assert data.planted("yes") is None
    assert np.array_equal(
        data.read(np.array([3])).inputs["graph"].nodes, fold.dataset.read(np.array([3])).inputs["graph"].nodes
    )


def test_explanations_that_point_elsewhere_fail(judged):
    fold, _, _ = judged

    class Turned(AdditiveTokens):
        def place_contributions(self, z, target):
            return -super().place_contributions(z, target)

    head = Turned(fold.models["additive"].head.config)
    head.load_state_dict(fold.models["additive"].head.state_dict())
    fold.models["additive"].head = head
    protocol = PlaceTruth(PlaceTruthConfig(shuffles=1))
    context = Context(fold.dataset.spec, TARGET, {"additive": head.tags}, "prevalence", 0)
    found = by_metric(protocol.conclude(protocol.examine(fold).assign(fold=0), context))
    assert found["place_auroc"].value == 0.0
    assert not found["place_auroc"].passed


def test_of_a_number_places_that_lower_it_are_as_true_as_those_that_raise_it():
    fold, context = fold_of(Sums())
    protocol = PlaceTruth(PlaceTruthConfig(shuffles=1))
    found = by_metric(protocol.conclude(protocol.examine(fold).assign(fold=0), context))
    # By the sign of what they add, those that lower the number would come last.
    assert found["place_auroc"].value == found["place_auroc_removal"].value == 1.0


class Counts(Made):
    """The same graphs, read by how often each kind of node is in them; each is counted where it stands."""

    def __init__(self):
        super().__init__()
        graphs = self.read(np.arange(len(self))).inputs["graph"]
        self.kinds = np.split(graphs.nodes.argmax(1), np.cumsum(graphs.node_counts)[:-1])
        counts = np.array([[(kind == at).sum() for at in range(3)] for kind in self.kinds], np.float32)
        vector = Vector(names=("a", "b", "c"))
        spec = self.spec.model_copy(update={"inputs": {"graph": self.spec.inputs["graph"], "counts": vector}})
        ArrayDataset.__init__(self, spec, self.frame, {"graph": graphs, "counts": counts})

    def places(self, input, index):
        if input != "counts":
            return {}
        found = {
            name: tuple(
                Place("graph", Subgraph((int(at),)), text=name) for at in np.flatnonzero(self.kinds[index] == kind)
            )
            for kind, name in enumerate("abc")
        }
        return {name: places for name, places in found.items() if places}


def test_what_was_counted_at_the_node_is_laid_on_it():
    data = Counts()
    # One graph is true everywhere: no order of its nodes is right or wrong.
    whole = 111
    data.where[whole] = tuple(Subgraph((at,)) for at in range(len(data.kinds[whole])))
    split = Split(0, np.arange(0, 80), np.arange(80, 110), np.arange(110, 160))
    encoders = {"counts": Identity(IdentityConfig(inputs={"counts": data.spec.inputs["counts"]}, standardised=False))}
    head = Linear(Linear.config_type(target=data.spec.target(TARGET), **facts_of(encoders)))
    settings = TrainingSettings(epochs=20, learning_rate=0.05, batch_size=16)
    model, _ = fit_model(
        encoders, head, Sides(data.subset(split.train), data.subset(split.validation), TARGET), settings
    )
    training = {"encoder counts": settings, "head linear": settings}
    fold = FittedFold(data, TARGET, split, {"linear": model}, None, 0, training=training)
    protocol = PlaceTruth(PlaceTruthConfig(shuffles=2, replicates=100))
    rows = protocol.examine(fold).assign(fold=0)
    assert len(rows) == 25
    assert rows.set_index("sample")["counted"].isna().to_dict() == {f"g{at}": at == whole for at in range(111, 160, 2)}
    context = Context(data.spec, TARGET, {"linear": head.tags}, "prevalence", 0)
    found, alone = protocol.conclude(rows, context)
    assert alone.part == KIND
    assert (found.metric, found.value, found.n_samples, found.n_subjects) == ("place_auroc_counted", 1.0, 24, 24)
    again = rows.assign(counted=np.nan)
    assert [one.part for one in protocol.conclude(again, context)] == [KIND]


@pytest.mark.parametrize(
    ("own", "shuffled", "passed"), [(0.8, 0.6, True), (0.8, 0.9, False), (0.4, 0.2, False), (0.6, None, True)]
)
def test_a_model_passes_above_chance_and_above_shuffled_labels(own, shuffled, passed):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "part": "additive",
            "sample": [f"g{at}" for at in range(60)],
            "subject": [f"s{at // 2}" for at in range(60)],
            "fold": np.arange(60) // 30,
            "own": own + rng.normal(0, 0.02, 60),
            "output": "yes",
        }
    )
    if shuffled is not None:
        # Of the first fold alone.
        rows["own_shuffled"] = np.where(rows["fold"] == 0, shuffled, np.nan)
    data = Made()
    tags = {"additive": AdditiveTokens.tags}
    (found,) = PlaceTruth(PlaceTruthConfig(replicates=200)).conclude(rows, Context(data.spec, TARGET, tags, "", 0))
    assert found.value == pytest.approx(rows["own"].mean(), abs=1e-9)
    assert found.low < found.value < found.high
    assert (found.n_samples, found.n_subjects) == (60, 30)
    assert found.baseline == pytest.approx(max(0.5, shuffled or 0))
    assert (found.passed, found.chance, found.higher_is_better) == (passed, 0.5, True)
    assert f"{found.value:.1%}" in found.sentence


def test_labels_are_dealt_anew_by_the_seed_and_each_goes_to_one():
    data = Made()
    one, again, other = (Relabelled.shuffled(data, TARGET, seed=seed) for seed in ("a", "a", "b"))
    assert one.frame[TARGET].tolist() == again.frame[TARGET].tolist() != other.frame[TARGET].tolist()
    turned = Relabelled(data, TARGET, np.arange(len(data))[::-1])
    assert turned.frame[TARGET].tolist() == data.frame[TARGET].tolist()[::-1]
    assert turned.frame["subject"].tolist() == data.frame["subject"].tolist()
    assert turned.learned_from == data.learned_from


def test_where_the_kind_of_a_node_says_it_all_no_model_is_better():
    fold, context = fold_of(Made(noise=0))
    protocol = PlaceTruth(PlaceTruthConfig(shuffles=1))
    results = protocol.conclude(protocol.examine(fold).assign(fold=0), context)
    (alone,) = [one for one in results if one.part == KIND]
    assert (alone.value, alone.chance, alone.metric) == (1.0, 0.5, "place_auroc")
    for one in by_metric(results).values():
        assert (one.value, one.baseline, one.baseline_name, one.passed) == (1.0, 1.0, KIND, False)


def test_rates_of_kinds_are_those_of_the_training_side():
    data = Made(noise=0)
    # Every second node of the first kind is true, whatever the label.
    graphs = data.read(np.arange(len(data))).inputs["graph"]
    kinds = np.split(graphs.nodes.argmax(1), np.cumsum(graphs.node_counts)[:-1])
    first, rest = np.arange(80), np.arange(80, 160)
    truth = [tuple(Subgraph((int(at),)) for at in np.flatnonzero(kind == 0)[::2]) for kind in kinds]
    learnt = [at for at in first if truth[at]]
    found = PlaceKinds(data.subset(np.array(learnt)), [truth[at] for at in learnt])
    counts = {kind: [0, 0] for kind in range(3)}
    for at in learnt:
        for node, kind in enumerate(kinds[at]):
            counts[kind][0] += Subgraph((node,)) in truth[at]
            counts[kind][1] += 1
    regions = [[Subgraph((node,)) for node in range(len(kinds[at]))] for at in rest]
    for at, scores in zip(rest, found.scores(data.subset(rest), regions), strict=True):
        assert scores == pytest.approx([counts[kind][0] / counts[kind][1] for kind in kinds[at]])
    # A place of several nodes is as likely as they are in the mean.
    both = found.scores(data.subset(rest[:1]), [[Subgraph((0, 1))]])[0]
    assert both == pytest.approx(found.scores(data.subset(rest[:1]), [regions[0][:2]])[0].mean())


def test_where_the_truth_lies_in_those_who_are_judged_changes_no_rate():
    fold, _ = fold_of(Made(noise=0))
    other = Made(noise=0)
    learnt = set(fold.split.train.tolist())
    other.where = [one if at in learnt else (Subgraph((0, 1, 2)),) for at, one in enumerate(other.where)]
    kinds, same = (PlaceTruth()._kinds(replace(fold, dataset=data), "yes") for data in (fold.dataset, other))
    assert kinds.rates == same.rates == {(0, 1.0, 0.0, 0.0): 0.0, (0, 0.0, 1.0, 0.0): 0.0, (0, 0.0, 0.0, 1.0): 1.0}


def test_places_that_are_no_nodes_are_of_the_kind_of_their_position():
    data = planted(("signal",))
    spans = [TimeSpan(("c",), 0.0, 0.5), TimeSpan(("c",), 0.5, 1.0), TimeSpan(("c",), 1.0, 1.5)]
    truth = [(spans[0],)] * 6 + [(spans[1],)] * 2
    found = PlaceKinds(data.subset(np.arange(8)), truth)
    (scores,) = found.scores(data.subset(np.array([20])), [spans])
    assert scores == pytest.approx([0.75, 0.25, 0.0])


def test_data_that_do_not_know_are_refused_before_anything_is_fitted(judged):
    fold, _, _ = judged
    data = planted(("vector",))
    context = Context(data.spec, "binary", {}, "prevalence", 0)
    assert "does not know them" in PlaceTruth(PlaceTruthConfig()).unfit_for(data, {}, context)
    assert (
        PlaceTruth(PlaceTruthConfig()).unfit_for(fold.dataset, {}, Context(fold.dataset.spec, TARGET, {}, "", 0)) == ""
    )
    fold.dataset.where = [() for _ in fold.dataset.where]
    with pytest.raises(NotMeasurable, match="no test sample of this fold knows"):
        PlaceTruth(PlaceTruthConfig()).examine(fold)


class Halves(Encoder):
    """Quarters of two pictures laid on each other as tokens of 16 numbers, placed in them or nowhere."""

    tags = EncoderTags(accepts=("image",), several_inputs=True)
    config_type = EncoderConfig
    names = ("mean",)
    placed = True

    def __init__(self, config):
        super().__init__()
        self.config = config

    @property
    def token_shapes(self):
        return {"": TokenShape(count=4, width=16)}

    def forward(self, batch):
        x = sum(batch.inputs[name] for name in self.config.inputs)[:, 0]
        quarters = x.unfold(1, 4, 4).unfold(2, 4, 4).flatten(1, 2).flatten(2)
        regions = tuple(Box((at, to), (at + 4, to + 4)) for at in (0, 4) for to in (0, 4))
        found = Tokens(quarters, regions if self.placed else (), input="one")
        return Representation(x.mean((1, 2))[:, None], self.names, {"": found})


class Nowhere(Halves):
    """The same tokens, of which it does not say where they are."""

    placed = False


class Pictures(ArrayDataset):
    """Noise, in half of the pictures with one bright quarter, which makes the label true."""

    def __init__(self, count=160, seed=0):
        rng = np.random.default_rng(seed)
        pixels = rng.normal(size=(count, 1, 8, 8)).astype(np.float32)
        self.where = []
        for at in range(count):
            row, column = 4 * rng.integers(0, 2, 2)
            if at % 2:
                pixels[at, 0, row : row + 4, column : column + 4] += 4
            self.where.append((Box((row, column), (row + 4, column + 4)),) if at % 2 else ())
        frame = pd.DataFrame(
            {"subject": [f"s{at}" for at in range(count)], TARGET: np.arange(count) % 2 * 1.0},
            index=[f"p{at}" for at in range(count)],
        )
        spec = DataSpec(
            name="pictures",
            inputs={
                name: Image(channels=("light",), size=(8, 8), spacing_mm=(1.0, 1.0), units="1")
                for name in ("one", "two")
            },
            targets={TARGET: Binary(names=("no", "yes"))},
            namespace="pictures",
        )
        super().__init__(spec, frame, {"one": pixels, "two": np.zeros_like(pixels)})

    def planted(self, output):
        return self.where if output == "yes" else None


def linear_fold(made, pool="mean"):
    data = Pictures()
    split = Split(0, np.arange(0, 80), np.arange(80, 110), np.arange(110, 160))
    encoders = {"pictures": made(EncoderConfig(inputs=data.spec.inputs))}
    config = LinearTokensConfig(target=data.spec.target(TARGET), pool=pool, **facts_of(encoders))
    settings = TrainingSettings(epochs=30, learning_rate=0.05, batch_size=16)
    sides = Sides(data.subset(split.train), data.subset(split.validation), TARGET)
    model, _ = fit_model(encoders, LinearTokens(config), sides, settings, name="head linear")
    baseline = TrivialBaseline(data.spec, TARGET).fit(sides.train)
    training = {"encoder pictures": settings, "head linear": settings}
    fold = FittedFold(data, TARGET, split, {"linear": model}, baseline, 0, training=training)
    return fold, Context(data.spec, TARGET, {"linear": model.head.tags}, "prevalence", 0)


def results_of(fold, context):
    protocol = PlaceTruth(PlaceTruthConfig(samples=20, shuffles=1))
    rows = protocol.examine(fold).assign(fold=0)
    return {one.metric: one for one in protocol.conclude(rows, context) if one.part != KIND}


def test_a_linear_layer_at_every_place_says_which_one_makes_the_label_true():
    assert results_of(*linear_fold(Halves))["place_auroc"].value > 0.95


def test_the_strongest_place_adds_all():
    assert results_of(*linear_fold(Halves, pool="max"))["place_auroc"].value > 0.95


def test_tokens_that_are_no_places_are_compared_with_nothing():
    fold, context = linear_fold(Nowhere)
    assert "place_auroc" not in results_of(fold, context)
    assert "place_auroc_removal" in results_of(fold, context)
    assert own_places(fold.models["linear"], fold.dataset.subset([0, 1]), ["yes", "yes"]) == {}
