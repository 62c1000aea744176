"""Encoders that remember links, and the two proofs that hidden ones are not among them, on networks small enough to count."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pellucid.attribution.network import neighbour_attribution
from pellucid.batch import Batch, collate
from pellucid.data.pairs import Attributes, Pairs
from pellucid.data.spec import Nodes, Vector
from pellucid.data.splits import Split
from pellucid.encoders.base import EncoderConfig, EncoderTags
from pellucid.encoders.links import LinkEncoder
from pellucid.errors import DataError, LeakageError, NotMeasurable, StudyError
from pellucid.heads.functions.linear import Linear
from pellucid.heads.scaled import STRIDE
from pellucid.model import Model
from pellucid.protocols.audited import told
from pellucid.protocols.base import FittedFold
from pellucid.protocols.links.hidden import (
    Flipped,
    leaky_scores,
    refuse_change_when_flipped,
    refuse_known_links,
)
from pellucid.protocols.links.masked import MaskedLinks, MaskedLinksConfig
from pellucid.representation import Representation
from pellucid.training.settings import TrainingSettings

COUNTS = (12, 8)
TARGET = "associated"


class Degrees(LinkEncoder):
    """How many links each node of a pair has."""

    tags = EncoderTags(accepts=("nodes", "vector"), several_inputs=True)
    config_type = EncoderConfig
    names = ("drug's", "microbe's")

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.remember_at_most()

    def forward(self, batch):
        nodes, known = self.nodes(batch)
        degrees = [self.links.sum(1)[nodes[:, 0]], self.links.sum(0)[nodes[:, 1]]]
        return Representation(torch.stack(degrees, 1) * known, self.names)


class Itself(Degrees):
    """Whether the pair is a known link, twice."""

    def forward(self, batch):
        pairs = batch.inputs[self.pair_name]
        return Representation(self.links[pairs[:, 0], pairs[:, 1]][:, None].repeat(1, 2), self.names)


class Peeking(Degrees):
    """Remembers how many links there are in all of the data, hidden ones too."""

    everything = None

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("total", torch.zeros(()))

    def prepare(self, batches):
        batches = list(batches)
        super().prepare(batches)
        self.total.fill_(float(type(self).everything().sum()))


class Telling(Degrees):
    """Remembers nothing wrong, and says what it reads elsewhere when it is asked."""

    everything = None

    def forward(self, batch):
        found = super().forward(batch)
        return Representation(found.values + float(type(self).everything().sum()), self.names)


def network(**other):
    y = np.random.default_rng(0).random(COUNTS) < 0.4
    names = ([f"d{at}" for at in range(COUNTS[0])], [f"m{at}" for at in range(COUNTS[1])])
    return Pairs(
        name="made", namespace="made", about="", roles=("drug", "microbe"), names=names, links=np.argwhere(y), **other
    )


def fold_of(kind=Degrees, data=None, weights=(2.0, 3.0)):
    data = network() if data is None else data
    order = np.random.default_rng(1).permutation(len(data))
    split = Split(0, np.sort(order[:50]), np.sort(order[50:60]), np.sort(order[60:]))
    encoder = kind(EncoderConfig(inputs=data.spec.inputs))
    train = data.subset(split.train)
    encoder.prepare([collate(train, np.arange(len(train)), TARGET)])
    head = Linear(Linear.config_type(units=tuple(f"e:{name}" for name in kind.names), target=data.spec.target(TARGET)))
    with torch.no_grad():
        head.weight.copy_(torch.tensor([weights]) / STRIDE)
    settings = TrainingSettings(epochs=40, batch_size=16, learning_rate=0.05)
    return FittedFold(
        data.keeping_apart(["pair"]), TARGET, split, {"linear": Model({"e": encoder.eval()}, head).eval()}, None, 0,
        training={"encoder e": settings, "head linear": settings},
    )  # fmt: skip


def links_of(fold):
    y = np.zeros(COUNTS)
    at = fold.split.train
    y[tuple(fold.dataset.read(at).inputs["pair"].T)] = fold.dataset.target_values(TARGET)[at, 0]
    return y


# --- what encoders remember -------------------------------------------------------------------------------------------------


def test_links_and_nodes_of_training_samples_are_remembered_and_no_others():
    fold = fold_of()
    encoder = fold.models["linear"].encoders["e"]
    y = links_of(fold)
    assert np.array_equal(encoder.links.numpy(), y)
    assert np.array_equal(encoder.known_links(), np.argwhere(y))
    pairs = fold.dataset.read(fold.split.train).inputs["pair"]
    for at in range(2):
        assert np.flatnonzero(encoder.met(at)).tolist() == np.unique(pairs[:, at]).tolist()
        assert encoder.remembered(at).shape == (COUNTS[at], 0)
    # Prepared again, it remembers the new samples alone.
    fewer = fold.dataset.subset(fold.split.train[:20])
    encoder.prepare([collate(fewer, np.arange(10 * at, 10 * at + 10), TARGET) for at in range(2)])
    assert np.flatnonzero(encoder.met(0)).tolist() == np.unique(pairs[:20, 0]).tolist()
    assert len(encoder.known_links()) == fewer.target_values(TARGET).sum()


def test_attributes_are_kept_of_nodes_that_were_met_and_are_nothing_where_nothing_is_known():
    known = np.arange(COUNTS[0]) != 3
    values = np.arange(2.0 * COUNTS[0]).reshape(-1, 2) + 1
    data = network(attributes={"drug": Attributes(values, ("a", "b"), "1", known)})
    encoder = Degrees(EncoderConfig(inputs=data.spec.inputs))
    drugs = data.read(np.arange(len(data))).inputs["pair"][:, 0]
    some = data.subset(np.flatnonzero(drugs > 1))
    encoder.prepare([collate(some, np.arange(len(some)), TARGET)])
    expected = np.where((known & (np.arange(COUNTS[0]) > 1))[:, None], values, 0)
    assert np.array_equal(encoder.remembered(0).numpy(), expected)
    assert encoder.remembered(1).shape == (COUNTS[1], 0)
    batch = collate(data, np.flatnonzero(np.isin(drugs, [0, 3])))
    assert encoder.told(batch, 0).tolist() == [
        values[0].tolist() if drug == 0 else [0, 0] for drug in batch.inputs["pair"][:, 0]
    ]
    assert encoder.told(batch, 1).shape == (len(batch), 0)


def test_a_hidden_node_is_number_0_and_said_to_be_hidden():
    encoder = fold_of().models["linear"].encoders["e"]
    pairs, known = torch.tensor([[4, 5], [6, 7]]), torch.tensor([[True, True], [True, False]])
    nodes, there = encoder.nodes(Batch({"pair": pairs}, {"pair": known}))
    assert nodes.tolist() == [[4, 5], [6, 0]]
    assert torch.equal(there, known)
    nodes, there = encoder.nodes(Batch({"pair": pairs}))
    assert torch.equal(nodes, pairs)
    assert there.all()


def test_a_copy_without_links_leaves_the_encoder_as_it_was():
    encoder = fold_of().models["linear"].encoders["e"]
    known = encoder.known_links()
    fewer = encoder.without_links(known[[0, 2]])
    assert np.array_equal(fewer.known_links(), np.delete(known, [0, 2], axis=0))
    assert np.array_equal(encoder.known_links(), known)


def test_what_cannot_be_remembered_is_refused():
    data = network()
    encoder = Degrees(EncoderConfig(inputs=data.spec.inputs))
    with pytest.raises(DataError, match="the training samples have no labels"):
        encoder.prepare([collate(data, np.arange(5))])
    none = np.flatnonzero(data.target_values(TARGET)[:, 0] == 0)
    with pytest.raises(DataError, match="no training sample is one"):
        encoder.prepare([collate(data, none, TARGET)])
    for types, names in ((("p", "p"), {"p": ("a", "b")}), (("p",), {"p": ("a",)})):
        nodes = Nodes(roles=("one", "other")[: len(types)], types=types, names=names)
        with pytest.raises(StudyError, match="both ends are of type 'p'" if len(types) == 2 else "one input of pairs"):
            Degrees(EncoderConfig(inputs={"pair": nodes}))
    two = {"pair": data.spec.inputs["pair"], "again": data.spec.inputs["pair"]}
    with pytest.raises(StudyError, match="one input of pairs"):
        Degrees(EncoderConfig(inputs=two))
    for name in ("drug", "disease attributes"):
        with pytest.raises(StudyError, match="does not know whose attributes"):
            Degrees(EncoderConfig(inputs={**data.spec.inputs, name: Vector(names=("a",))}))


# --- what must not be among it ------------------------------------------------------------------------------------------------


def test_labels_are_turned_round_where_it_is_said_and_nowhere_else():
    data = network()
    flipped = Flipped(data, TARGET, np.array([0, 5]))
    changed = np.flatnonzero((flipped.frame[TARGET] != data.frame[TARGET]).to_numpy())
    assert changed.tolist() == [0, 5]
    assert set(flipped.frame[TARGET]) == {0.0, 1.0}
    at = np.array([3, 5])
    assert np.array_equal(flipped.read(at).inputs["pair"], data.read(at).inputs["pair"])


def test_a_known_link_between_the_nodes_of_a_test_pair_is_refused():
    fold = fold_of()
    refuse_known_links(fold, "linear")
    tested = fold.dataset.read(fold.split.test).inputs["pair"]
    encoder = fold.models["linear"].encoders["e"]
    encoder.links[tuple(tested[:3].T)] = 1.0
    with pytest.raises(LeakageError, match=f"encoder 'e' knows: 3 of {len(tested)} test pairs stand in its graph"):
        refuse_known_links(fold, "linear")


@pytest.mark.parametrize(("kind", "changed"), [(Peeking, r"e\.total"), (Telling, "the scores")])
def test_an_encoder_that_reads_hidden_links_is_found_out_whatever_it_does_with_them(kind, changed, monkeypatch):
    data = network()
    asked = iter([0.0, 1.0, 2.0, 3.0])
    # Another answer each time: as if the labels that were turned round had been read.
    monkeypatch.setattr(kind, "everything", staticmethod(lambda: np.array(next(asked))))
    with pytest.raises(LeakageError, match=f"with their labels turned round, .*{changed}"):
        refuse_change_when_flipped(fold_of(kind, data), "linear")


def test_an_encoder_of_training_links_alone_is_as_it_was():
    fold = fold_of()
    before = {name: value.clone() for name, value in fold.models["linear"].state_dict().items()}
    refuse_change_when_flipped(fold, "linear")
    assert all(torch.equal(value, before[name]) for name, value in fold.models["linear"].state_dict().items())


def test_with_hidden_links_left_in_an_encoder_of_links_seems_to_know_them():
    fold = fold_of(Itself)
    labels = fold.dataset.target_values(TARGET)[fold.split.test, 0]
    leaky = leaky_scores(fold, "linear")
    assert leaky[labels == 1].min() > leaky[labels == 0].max()
    # The part itself stays as it was, and knows none of them.
    assert len(np.unique(fold.models["linear"].logits(fold.dataset.subset(fold.split.test)).numpy())) == 1


def busiest(fold):
    """Position of the test pair whose nodes have the most known links."""
    pairs, y = fold.dataset.read(fold.split.test).inputs["pair"], links_of(fold)
    return int(fold.split.test[(y.sum(1)[pairs[:, 0]] + y.sum(0)[pairs[:, 1]]).argmax()])


# --- what a score rests on ----------------------------------------------------------------------------------------------------


def test_each_link_of_the_two_nodes_is_worth_what_the_score_falls_by_without_it():
    fold = fold_of()
    y = links_of(fold)
    sample = busiest(fold)
    drug, microbe = fold.dataset.read(np.array([sample])).inputs["pair"][0]
    found = neighbour_attribution(fold.models["linear"], fold.dataset, sample)
    # One link less of the drug counts 2, of the microbe 3.
    worth = {(drug, other): 2.0 for other in np.flatnonzero(y[drug])}
    worth |= {(other, microbe): 3.0 for other in np.flatnonzero(y[:, microbe])}
    assert len(worth) > 3
    said = {(row["first"], row["second"]): row for _, row in found.iterrows()}
    assert set(said) == set(worth)
    for link, row in said.items():
        assert row["change"] == pytest.approx(worth[link], abs=1e-4)
        assert (row["drug"], row["microbe"]) == (f"d{link[0]}", f"m{link[1]}")
        assert row["of"] == ("drug" if link[0] == drug else "microbe")
        assert row["encoder"] == "e"
    assert (np.diff(found["change"].abs()) <= 1e-6).all()


def test_the_strongest_link_comes_first_whichever_way_it_counts():
    fold = fold_of(weights=(2.0, -3.0))
    found = neighbour_attribution(fold.models["linear"], fold.dataset, busiest(fold))
    assert found["change"].iloc[0] == pytest.approx(-3.0, abs=1e-4)
    assert found["change"].iloc[-1] == pytest.approx(2.0, abs=1e-4)


# --- the protocol -------------------------------------------------------------------------------------------------------------


def test_test_pairs_are_scored_and_the_likeliest_without_a_link_say_what_they_rest_on():
    fold = fold_of()
    rows = MaskedLinks(MaskedLinksConfig(leaky=False, shown=2)).examine(fold)
    test = fold.dataset.subset(fold.split.test)
    pairs = test.read(np.arange(len(test))).inputs["pair"]
    y = links_of(fold)
    expected = 2 * y.sum(1)[pairs[:, 0]] + 3 * y.sum(0)[pairs[:, 1]]
    assert rows["score"].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert rows["label"].tolist() == test.target_values(TARGET)[:, 0].tolist()
    assert rows["node"].tolist() == [f"d{at}" for at in pairs[:, 0]]
    assert rows["leaky"].isna().all()
    (support,) = told(rows, "support")
    assert len(support) == 2
    likeliest = rows[rows["label"] == 0].sort_values("score", ascending=False, kind="stable").index[:2]
    for at, one in zip(likeliest, support, strict=True):
        assert one["roles"] == ["drug", "microbe"]
        assert one["pair"] == [f"d{pairs[at, 0]}", f"m{pairs[at, 1]}"]
        assert len(one["links"]["change"]) == y[pairs[at, 0]].sum() + y[:, pairs[at, 1]].sum()


def test_test_pairs_of_one_class_are_not_measured_and_a_leak_is_scored_where_asked_for():
    fold = fold_of(Itself)
    assert MaskedLinks(MaskedLinksConfig(shown=0)).examine(fold)["leaky"].nunique() == 2
    labels = fold.dataset.target_values(TARGET)[:, 0]
    alike = fold.split.test[labels[fold.split.test] == 0]
    split = Split(0, fold.split.train, fold.split.validation, alike)
    one_class = FittedFold(fold.dataset, TARGET, split, fold.models, None, 0, training=fold.training)
    with pytest.raises(NotMeasurable, match="all of one class"):
        MaskedLinks().examine(one_class)
