"""Heads that speak in concept vectors and in few concepts of a library: directions, masks, and what cannot pass."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import pellucid
from pellucid.batch import Batch
from pellucid.data import ArrayDataset, Binary, DataSpec, MultiClass, Vector
from pellucid.data.spec import Concepts
from pellucid.encoders.identity import Identity
from pellucid.errors import ContractError, DataError, StudyError
from pellucid.heads.concepts.few_concepts import kept
from pellucid.heads.concepts.sparse import ConceptBottleneckSparse
from pellucid.heads.concepts.vectors import Cav
from pellucid.representation import Representation
from pellucid.studies import Study
from pellucid.training.fit import Sides, fit_encoder, fit_model
from pellucid.training.loop import Watcher
from pellucid.training.settings import TrainingSettings

UNITS = 8
RATED = Concepts(names=("round", "pointed"), low=(1.0, 0.0), high=(5.0, 1.0))
TRAINING = TrainingSettings(epochs=30, batch_size=64, learning_rate=1e-2, patience=None)


def dataset(target: str, samples: int = 900, seed: int = 0) -> ArrayDataset:
    """Ratings follow units 0 and 1, of which a third are unknown; labels follow the ratings, or unit 5 alone, or four groups."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, UNITS))
    group = random.integers(4, size=samples)
    if target == "group":
        x[:, :4] += 4 * np.eye(4)[group]
    x[:, 2] += 0.8 * x[:, 0]
    x = x * np.array([1, 3, 1, 1, 1, 20, 1, 1]) + 5
    a, b = (x[:, 0] - 5), (x[:, 1] - 5) / 3
    rated = np.column_stack([np.clip(np.rint(3 + a), 1, 5), b > 0.3]).astype(float)
    rated[random.random(rated.shape) < 1 / 3] = np.nan
    labels = {"concepts": a - b > 0, "elsewhere": x[:, 5] > 5, "group": group}[target].astype(float)
    frame = pd.DataFrame(
        {"subject": [f"p{at // 2}" for at in range(samples)], "y": labels,
         "concept:round": rated[:, 0], "concept:pointed": rated[:, 1]},
        index=[f"s{at}" for at in range(samples)],
    )  # fmt: skip
    kind = MultiClass(names=tuple("abcd")) if target == "group" else Binary(names=("no", "yes"))
    spec = DataSpec(
        name="d", namespace="d", inputs={"x": Vector(names=tuple(f"u{at}" for at in range(UNITS)))},
        targets={"y": kind}, concepts=RATED,
    )  # fmt: skip
    return ArrayDataset(spec, frame, {"x": x.astype(np.float32)})


def fitted(head: type, target: str, **options):
    """A model trained through the usual stages, and samples of other people."""
    data = dataset(target)
    encoder = Identity(Identity.config_type(inputs={"x": data.spec.input("x")}))
    torch.manual_seed(0)
    made = head(
        head.config_type(
            units=tuple(f"x:u{at}" for at in range(UNITS)),
            target=data.spec.target("y"),
            concepts=data.spec.concepts,
            **options,
        )
    )
    sides = Sides(data.subset(range(600)), data.subset(range(600, 700)), "y")
    fit_encoder(encoder, sides, TRAINING, name="encoder x")
    model, _ = fit_model({"x": encoder}, made, sides, TRAINING)
    return model.eval(), data.subset(range(600)), data.subset(range(700, 900))


def told(model, data) -> tuple[np.ndarray, np.ndarray]:
    z = model.representation(data)
    with torch.no_grad():
        return model.head(z).numpy(), data.target_values("y")[:, 0]


def test_directions_are_those_of_scikit_learn_on_what_people_rated():
    model, train, _ = fitted(Cav, "concepts")
    x = model.representation(train).values.double().numpy()
    x = (x - x.mean(0)) / x.std(0)
    rated = train.concept_values()
    for at in range(2):
        known = np.isfinite(rated[:, at])
        has = rated[known, at] > np.nanmean(rated[:, at])
        peer = LogisticRegression(C=1 / (1e-2 * known.sum()), tol=1e-10, max_iter=10_000).fit(x[known], has)
        weight = peer.coef_[0] / np.linalg.norm(peer.coef_[0])
        np.testing.assert_allclose(model.head.direction[at].numpy(), weight, atol=1e-3)
    means, _, _ = fitted(Cav, "concepts", direction="means")
    known = np.isfinite(rated[:, 0])
    has = rated[:, 0] > np.nanmean(rated[:, 0])
    apart = x[known & has].mean(0) - x[known & ~has].mean(0)
    np.testing.assert_allclose(means.head.direction[0].numpy(), apart / np.linalg.norm(apart), atol=1e-4)
    # Unit 2 goes with the concept and does not make it: the regression leaves it out, the difference of means does not.
    assert abs(float(model.head.direction[0, 2])) < 0.15 < float(means.head.direction[0, 2])


def test_concept_vectors_predict_what_follows_from_concepts_and_nothing_else_passes():
    model, train, test = fitted(Cav, "concepts")
    logits, labels = told(model, test)
    assert roc_auc_score(labels, logits[:, 0]) > 0.95
    z = model.representation(test)
    found = model.head.explain(z, "yes")
    assert found.names == ("round", "pointed")
    assert (found.contributions[:, 0] * found.values[:, 0] >= 0).all()
    assert (found.contributions[:, 1] * found.values[:, 1] <= 0).all()
    places = model.head.explained(model.representation(train))
    torch.testing.assert_close(places.mean(0), torch.zeros(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(places.std(0, unbiased=False), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(model.head.outcome(found.values)[:, 0], found.output)
    with torch.no_grad():
        moved = Representation(z.values.clone(), z.names)
        # A step at a right angle to both directions, among standardised units.
        across = torch.linalg.svd(model.head.direction)[2][-1]
        moved.values[:] += 50 * across * model.head.unit_scale
        torch.testing.assert_close(model.head(moved), model.head(z), atol=1e-3, rtol=1e-3)
    logits, labels = told(*fitted(Cav, "elsewhere")[::2])
    assert abs(roc_auc_score(labels, logits[:, 0]) - 0.5) < 0.12


def test_a_concept_that_everybody_has_and_data_without_concepts_are_refused():
    with pytest.raises(StudyError, match="needs a dataset with human ratings"):
        Cav(Cav.config_type(units=("a",), target=Binary(names=("no", "yes"))))
    head = Cav(Cav.config_type(units=("a", "b"), target=Binary(names=("no", "yes")), concepts=RATED))
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    ratings = torch.tensor([[1.0, 1.0], [2.0, 1.0]] * 3)

    def batch(known):
        return Representation(x, ("a", "b")), Batch(
            {"x": x}, targets=torch.zeros(6, 1), concepts=ratings, concept_mask=known
        )

    everybody = batch(torch.ones(6, 2, dtype=torch.bool))
    # Before anything is trained, and not when directions are to be found.
    with pytest.raises(
        DataError,
        match=r"on the training side all samples have the same rating of 'pointed' \(1\)\. Each concept needs",
    ):
        head.prepare([everybody])
    with pytest.raises(DataError, match="on the training side no sample has a rating of 'pointed'"):
        head.prepare([batch(torch.tensor([[True, False]] * 6))])
    head.rating_mean.copy_(torch.tensor([1.5, 1.0]))
    with pytest.raises(DataError, match="'pointed' has no direction: 0 training samples have it and 6 do not"):
        head.find_directions([everybody])
    with pytest.raises(ContractError, match="this batch has none"):
        head.prepare([(Representation(x, ("a", "b")), Batch({"x": x}, targets=torch.zeros(6, 1)))])


@pytest.mark.parametrize(
    ("rating", "said"), [(np.nan, "no sample has a rating of 'pointed'"), (3.0, "the same rating of 'pointed' (3)")]
)
def test_a_concept_without_a_direction_in_the_data_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, rating, said
):
    data = dataset("concepts")
    (target,) = data.spec.targets
    data.frame["concept:pointed"] = rating
    monkeypatch.setattr(Study, "open_dataset", lambda self, folder=None: data.labelled(target))
    asked = pellucid.study({
        "name": "small", "title": "Concepts", "dataset": "planted-lesions", "target": target, "head": [{"name": "cav"}],
        "encoder": [{"name": "identity", "input": next(iter(data.spec.inputs))}], "protocols": ["subject-holdout"],
    })  # fmt: skip
    with pytest.raises(StudyError, match=re.escape(said)) as refused:
        asked.run(tmp_path / "run", watcher=Watcher())
    assert "head 'cav' does not fit dataset" in str(refused.value)
    assert "have more of them rated" in str(refused.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("library", ["cluster", "prototype", "end-to-end"])
def test_few_concepts_of_a_library_tell_groups_apart_and_add_up(library):
    model, train, test = fitted(ConceptBottleneckSparse, "group", library=library, count=12, ratio=0.7)
    logits, labels = told(model, test)
    # Three single samples of others, of twelve, say less than three centres.
    assert (logits.argmax(1) == labels).mean() > (0.9 if library == "cluster" else 0.8)
    head, z = model.head, model.representation(test)
    # The formula by itself, in numpy.
    seen = model.representation(train).values.double().numpy()
    x = (z.values.double().numpy() - seen.mean(0)) / seen.std(0)
    concepts, body = head.concepts.double().numpy(), head.body
    np.testing.assert_allclose(np.linalg.norm(concepts, axis=1), 1, atol=1e-5)
    c = x @ concepts.T
    c = (c - c.mean(1, keepdims=True)) / np.sqrt(c.var(1, keepdims=True) + 1e-5)
    c = c * body.norm.weight.detach().numpy() + body.norm.bias.detach().numpy()
    limit = np.sort(np.abs(c), axis=1)[:, [int(12 * 0.7)]]
    c = np.where(np.abs(c) > limit, c, 0)
    found = head.explain(z, "b")
    np.testing.assert_allclose(found.values.detach().numpy(), c, atol=1e-4)
    assert ((found.contributions != 0).sum(1) == 3).all()
    assert head.kept == kept(12, 0.7) == 3
    weight = 10 * body.linear.weight[1].detach().numpy()
    np.testing.assert_allclose(found.contributions.detach().numpy(), c * weight, atol=1e-4)
    np.testing.assert_allclose((found.baseline + found.contributions.sum(1)).detach().numpy(), logits[:, 1], atol=1e-4)
    assert found.gap.abs().max() < 1e-5
    # Evidence is about concepts that survive, and tells them in units.
    for row, evidence in zip(found.contributions, found.evidence, strict=True):
        assert {one.unit for one in evidence} <= {found.names[at] for at in np.flatnonzero(row.detach().numpy())}
        assert all(one.text.startswith("along ") for one in evidence)
        at = int(evidence[0].unit.split()[1])
        unit = int(np.abs(concepts[at]).argmax())
        sign = "+" if concepts[at, unit] > 0 else "-"
        assert evidence[0].text.startswith(f"along {sign}x:u{unit}")


def test_libraries_are_of_training_samples_alone_and_concepts_chosen_end_to_end_are_among_them():
    model, train, _ = fitted(ConceptBottleneckSparse, "group", library="end-to-end", count=4, choices=8, ratio=0.5)
    head = model.head
    rows = head.standardised(model.representation(train))
    rows = rows / rows.norm(dim=1, keepdim=True)
    near = (head.concepts @ rows.T).max(1).values
    torch.testing.assert_close(near, torch.ones(4))
    # The choice has moved away from where it began.
    torch.manual_seed(0)
    start = ConceptBottleneckSparse(head.config)
    assert not torch.equal(start.choice.argmax(1), head.choice.argmax(1))
    with torch.no_grad():
        assert not torch.equal(head.train().concepts, head.concepts)
        assert torch.equal(head.eval().concepts, head.concepts)
    clusters = fitted(ConceptBottleneckSparse, "group", count=8, ratio=0.5)[0].head.concepts
    groups = np.stack([rows[train.target_values("y")[:, 0] == at].mean(0).numpy() for at in range(4)])
    groups /= np.linalg.norm(groups, axis=1, keepdims=True)
    assert (clusters.numpy() @ groups.T).max(0).min() > 0.9


def test_without_a_warm_up_the_library_comes_first_and_too_few_samples_are_refused():
    config = ConceptBottleneckSparse.config_type(
        units=("a", "b"), target=Binary(names=("no", "yes")), count=8, warm_up=0
    )
    head = ConceptBottleneckSparse(config)
    first, second = head.stages()
    assert first.loss is None
    assert not second.encoders
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(0))
    pair = (Representation(x, ("a", "b")), Batch({"x": x}, targets=(x[:, :1] > 0).float()))
    head.prepare([pair])
    with pytest.raises(
        DataError, match="and 7 that differ from the mean are too few for count = 8: ask for fewer concepts"
    ):
        first.finish([pair])
    many = ConceptBottleneckSparse(config.model_copy(update={"library": "end-to-end", "count": 2, "choices": 4}))
    many.prepare([pair])
    with pytest.raises(DataError, match="too few for count = 2 times choices = 4"):
        many.stages()[0].finish([pair])


def small(rows: torch.Tensor, **options) -> tuple[ConceptBottleneckSparse, list[tuple[Representation, Batch]]]:
    """A head that knows the mean and spread of some rows, and nothing else yet."""
    names = tuple("abcd"[: rows.shape[1]])
    head = ConceptBottleneckSparse(
        ConceptBottleneckSparse.config_type(units=names, target=Binary(names=("no", "yes")), warm_up=0, **options)
    )
    pairs = [(Representation(rows, names), Batch({"x": rows}, targets=(rows[:, :1] > 0).float()))]
    head.prepare(pairs)
    return head.eval(), pairs


def test_five_concepts_at_most_are_told_the_strongest_first_each_in_three_units():
    rows = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    head, pairs = small(rows, count=8, ratio=0.1, library="prototype")
    head.stages()[0].finish(pairs)
    with torch.no_grad():
        head.body.linear.weight.copy_(torch.linspace(-0.3, 0.4, 8))
    head.body.linear.weight.data[0, 6] = 0
    assert head.kept == 7
    found = head.explain(pairs[0][0], "yes")
    torch.testing.assert_close(head.outcome(found.values)[:, 0], found.output)
    concepts = head.concepts.numpy()
    for row, evidence in zip(found.contributions.detach().numpy(), found.evidence, strict=True):
        order = [at for at in np.argsort(-np.abs(row)) if row[at] != 0][:5]
        assert [one.unit for one in evidence] == [f"concept {at}" for at in order]
        units = np.argsort(-np.abs(concepts[order[0]]))[:3]
        told = ", ".join(f"{'+' if concepts[order[0], unit] > 0 else '-'}{'abcd'[unit]}" for unit in units)
        assert evidence[0].text == f"along {told}"
        assert "concept 6" not in [one.unit for one in evidence]
    assert {len(one) for one in found.evidence} == {5}


def test_a_sample_at_the_mean_points_nowhere_and_is_no_concept():
    rows = torch.tensor([[1.0, 1], [-1, -1], [1, -1], [-1, 1], [2, 0], [-2, 0], [0, 0]])
    head, pairs = small(rows, count=6, library="prototype")
    head.stages()[0].finish(pairs)
    torch.testing.assert_close(head.concepts.norm(dim=1), torch.ones(6))
    head, pairs = small(rows, count=7, library="prototype")
    with pytest.raises(DataError, match="and 6 that differ from the mean are too few for count = 7"):
        head.stages()[0].finish(pairs)


def test_the_lot_of_a_library_is_its_seeds():
    rows = torch.randn(40, 4, generator=torch.Generator().manual_seed(1))
    made = []
    for seed in (0, 0, 1):
        head, pairs = small(rows, count=6, library="prototype", seed=seed)
        head.stages()[0].finish(pairs)
        made.append(head.concepts)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_the_warm_up_is_the_likelihood_of_a_linear_layer_on_standardised_units():
    rows = 3 + 5 * torch.randn(50, 3, generator=torch.Generator().manual_seed(2))
    head, pairs = small(rows, count=6)
    with torch.no_grad():
        head.plain.weight.copy_(torch.tensor([[0.02, -0.03, 0.05]]))
        head.plain.bias.fill_(0.25)
    x = (rows - rows.mean(0)) / rows.std(0, unbiased=False)
    yes = pairs[0][1].targets
    logits = head.prior + 0.25 + 10 * x @ torch.tensor([0.02, -0.03, 0.05])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, yes[:, 0])
    torch.testing.assert_close(head.plain_loss(*pairs[0]), expected, atol=1e-5, rtol=1e-5)
    warm = head.config.model_copy(update={"warm_up": 0.25})
    first, second = ConceptBottleneckSparse(warm).stages()
    assert (first.share, first.learns, second.learns) == (0.25, ("plain",), ("body", "choice"))
    assert not second.encoders


def test_concept_vectors_teach_encoders_the_concepts_that_are_known_and_pay_for_weights():
    random = torch.Generator().manual_seed(3)
    x = 2 + 3 * torch.randn(40, 2, generator=random)
    ratings = torch.stack(
        [torch.randint(1, 6, (40,), generator=random), torch.randint(0, 2, (40,), generator=random)], 1
    )
    known = torch.rand(40, 2, generator=random) < 0.6
    labels = (x[:, :1] > 2).float()
    z = Representation(x, ("a", "b"))
    batch = Batch({"x": x}, targets=labels, concepts=ratings.float(), concept_mask=known)
    head = Cav(Cav.config_type(units=("a", "b"), target=Binary(names=("no", "yes")), concepts=RATED, l2=0.7))
    head.prepare([(z, batch)])
    weight, bias = torch.tensor([[0.05, -0.02], [0.01, 0.08]]), torch.tensor([0.3, -0.6])
    with torch.no_grad():
        head.concept_weight.copy_(weight)
        head.concept_bias.copy_(bias)
    standard = (x - x.mean(0)) / x.std(0, unbiased=False)
    chance = (10 * standard @ weight.T + bias).sigmoid()
    has = torch.stack([ratings[:, at] > ratings[known[:, at], at].float().mean() for at in range(2)], 1)
    each = -torch.where(has, chance, 1 - chance).log()
    torch.testing.assert_close(head.concept_loss(z, batch), each[known].mean(), atol=1e-5, rtol=1e-5)
    # With nobody's rating there is nothing to learn, and nothing breaks.
    nobody = Batch({"x": x}, targets=labels, concepts=ratings.float(), concept_mask=torch.zeros_like(known))
    assert head.concept_loss(z, nobody) == 0
    first, second = head.stages()
    assert (first.share, first.learns, second.learns, second.encoders) == (0.5, ("concept",), ("outcome",), False)
    first.finish([(z, batch)])
    with torch.no_grad():
        head.outcome_weight.copy_(torch.tensor([[0.03, -0.04]]))
    said = head(z)[:, 0]
    likelihood = torch.nn.functional.binary_cross_entropy_with_logits(said, labels[:, 0])
    penalty = 0.5 * 0.7 * (0.3**2 + 0.4**2)
    torch.testing.assert_close(head.loss(z, batch), likelihood + penalty, atol=1e-5, rtol=1e-5)
    places = head.explained(z)
    found = head.explain(z, "yes")
    torch.testing.assert_close(found.contributions, places * torch.tensor([0.3, -0.4]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.baseline + found.contributions.sum(1), said, atol=1e-5, rtol=1e-5)
